"""The simulated Mastodon family, walked by hand over real HTTP and compared with the truth."""

import re
from contextlib import ExitStack

import pytest

from harvester.rehearsal import GOTOSOCIAL, HOLLO, SHARKEY, TAKAHE, Mastodon, SimulatedPlatform, SimulatedPost


def test_a_walk_along_the_link_header_finds_every_liker_newest_first(world, platform, crowd, favourites):
    post = world.publish(Mastodon())
    crowd(post, 205)

    pages = favourites(platform, post)

    assert [len(page) for page in pages] == [80, 80, 45]
    assert [actor for page in pages for actor in page] == [
        Mastodon().actor_id(f"fan-{n}") for n in reversed(range(205))
    ]
    assert {actor for page in pages for actor in page} == post.listed()


def test_an_exactly_full_last_page_names_a_next_one_that_is_empty(world, platform, crowd, favourites):
    post = world.publish(Mastodon())
    crowd(post, 160)

    assert [len(page) for page in favourites(platform, post)] == [80, 80, 0]


@pytest.fixture
def hundred_likers(world, platform, crowd):
    post = world.publish(Mastodon())
    crowd(post, 100)
    return platform, post


@pytest.mark.parametrize(("limit", "first"), [(None, 40), (10, 10), (500, 80)])
def test_a_page_has_forty_likers_unless_asked_and_eighty_at_most(hundred_likers, favourites, limit, first):
    platform, post = hundred_likers

    assert len(favourites(platform, post, limit)[0]) == first


def test_hidden_likers_are_counted_and_leave_no_hole_in_a_page(world, platform, client, crowd, favourites):
    post = world.publish(Mastodon())
    crowd(post, 100)
    for place in range(90, 100):
        post.hide(f"fan-{place}")

    status = client.get(f"{platform.origin}/api/v1/statuses/{post.native_id}").json()

    assert [len(page) for page in favourites(platform, post)] == [80, 10]
    assert (status["favourites_count"], status["id"], status["visibility"]) == (100, post.native_id, "public")


def test_likes_and_unlikes_between_pages_neither_skip_nor_repeat_anyone_else(
    world, platform, client, crowd, mastodon_list
):
    post = world.publish(Mastodon())
    crowd(post, 100)
    first = client.get(mastodon_list(platform, post), params={"limit": 50})
    post.unlike("fan-99")
    post.like("late")

    second = client.get(first.links["next"]["url"])

    assert [account["username"] for account in second.json()] == [f"fan-{n}" for n in reversed(range(50))]


def test_an_answer_changes_as_soon_as_the_world_does(world, platform, clock, crowd, favourites):
    post = world.publish(Mastodon())
    crowd(post, 3)
    before = favourites(platform, post)
    clock.forward(seconds=1)
    post.like("late")

    assert favourites(platform, post) == [[Mastodon().actor_id("late"), *before[0]]]


@pytest.mark.parametrize("path", ["", "/favourited_by"])
def test_a_removed_and_an_unknown_post_answer_the_same_404(world, platform, client, path):
    post = world.publish(Mastodon())
    post.remove()

    answers = [client.get(f"{platform.origin}/api/v1/statuses/{id_}{path}") for id_ in (post.native_id, "1")]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, {"error": "Record not found"})] * 2


def test_limits_come_with_an_iso_reset_and_the_date_is_the_worlds(world, platform, client):
    post = world.publish(Mastodon())

    headers = client.get(f"{platform.origin}/api/v1/statuses/{post.native_id}").headers

    assert headers["X-RateLimit-Reset"] == "2027-01-21T20:05:00.000000Z"
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("300", "299")
    assert headers["Date"] == "Thu, 21 Jan 2027 20:00:00 GMT"


def test_the_next_link_is_on_the_host_that_was_asked(world, platform, client, crowd, mastodon_list):
    post = world.publish(Mastodon())
    crowd(post, 50)

    answer = client.get(mastodon_list(platform, post), headers={"Host": "social.example"})

    assert answer.links["next"]["url"].startswith("http://social.example/api/v1/statuses/")


@pytest.fixture
def served(world, crowd):
    """Serve a post with 335 likers on another server of the family."""
    with ExitStack() as open_platforms:

        def serve(dialect: Mastodon) -> tuple[SimulatedPlatform, SimulatedPost]:
            post = world.publish(dialect)
            crowd(post, 335)
            return open_platforms.enter_context(SimulatedPlatform(world, dialect)), post

        yield serve


@pytest.mark.parametrize(
    ("dialect", "shape"),
    [(GOTOSOCIAL, r"[0-9A-HJKMNP-TV-Z]{26}"), (HOLLO, r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")],
)
def test_unpaged_servers_give_everyone_at_once_but_only_for_a_token(served, client, mastodon_list, dialect, shape):
    platform, post = served(dialect)
    url = mastodon_list(platform, post)
    refused = client.get(url)
    answer = client.get(url, headers={"Authorization": f"Bearer {dialect.token}"})

    listed = [account["id"] for account in answer.json()]
    assert refused.status_code == 401
    assert (len(listed), set(listed), "Link" in answer.headers) == (335, post.listed(), False)
    assert all(re.fullmatch(shape, id_) for id_ in [*listed, post.native_id])


@pytest.mark.parametrize(("dialect", "reached"), [(TAKAHE, 40), (SHARKEY, 10)])
def test_some_servers_stop_short_and_only_their_count_betrays_it(served, client, favourites, dialect, reached):
    platform, post = served(dialect)

    pages = favourites(platform, post, 40)
    status = client.get(f"{platform.origin}/api/v1/statuses/{post.native_id}").json()

    assert (sum(map(len, pages)), status["favourites_count"]) == (reached, 335)
