"""The simulated Bluesky AppView, walked by hand over real HTTP and compared with the truth."""

from datetime import timedelta

import pytest

from harvester.rehearsal import Bluesky, SimulatedPlatform

LIKES = "/xrpc/app.bsky.feed.getLikes"
POSTS = "/xrpc/app.bsky.feed.getPosts"


def test_a_walk_until_the_cursor_is_missing_finds_every_liker(world, platform, crowd, likes):
    post = world.publish(Bluesky())
    crowd(post, 230)

    pages = likes(platform, post)

    assert [len(page) for page in pages] == [100, 100, 30]
    assert [did for page in pages for did in page] == [Bluesky().actor_id(f"fan-{n}") for n in reversed(range(230))]


def test_a_back_dated_like_is_listed_last_and_a_post_dated_one_where_it_belongs(world, platform, clock, crowd, likes):
    post = world.publish(Bluesky())
    crowd(post, 120)
    post.like("past", claimed=clock() - timedelta(days=1_000))
    post.like("future", clock() - timedelta(seconds=0.5), claimed=clock() + timedelta(days=1_000))

    pages = likes(platform, post)

    assert (pages[0][1], pages[-1][-1]) == (Bluesky().actor_id("future"), Bluesky().actor_id("past"))


def test_a_page_of_hidden_likers_is_empty_and_still_has_a_cursor(world, platform, client, crowd, likes):
    post = world.publish(Bluesky())
    crowd(post, 250)
    for place in range(140, 250):
        post.hide(f"fan-{place}")

    first = client.get(platform.origin + LIKES, params={"uri": post.native_id, "limit": 100}).json()
    pages = likes(platform, post)

    assert (first["likes"], "cursor" in first) == ([], True)
    assert [len(page) for page in pages] == [0, 90, 50]
    assert {did for page in pages for did in page} == post.listed()
    assert post.displayed() == 250


def test_likes_with_one_claimed_time_are_lost_at_page_boundaries_and_found_by_other_page_sizes(world, clock, likes):
    post = world.publish(dialect := Bluesky(shared_cids=True))
    for place in range(330):
        post.like(f"fan-{place}", claimed=clock() - timedelta(seconds=place // 30))

    with SimulatedPlatform(world, dialect) as platform:
        sweeps = [{did for page in likes(platform, post, limit) for did in page} for limit in (50, 70, 100)]

    assert [len(sweep) for sweep in sweeps] == [280, 270, 290]
    assert set.union(*sweeps) == post.listed()


def test_an_unknown_post_is_an_empty_list_and_a_removed_one_still_lists_its_likes(world, platform, client, likes):
    post = world.publish(Bluesky())
    post.like("amal")
    post.remove()

    unknown = client.get(platform.origin + LIKES, params={"uri": "at://did:plc:nobody/app.bsky.feed.post/x"}).json()
    posts = client.get(platform.origin + POSTS, params={"uris": post.native_id}).json()

    assert (unknown["likes"], "cursor" in unknown, posts) == ([], False, {"posts": []})
    assert likes(platform, post) == [[Bluesky().actor_id("amal")]]


def test_posts_are_read_in_batches_of_25_that_leave_out_the_missing(world, platform, client):
    posts = [world.publish(Bluesky()) for _ in range(3)]
    posts[0].like("amal")
    posts[1].remove()

    answer = client.get(platform.origin + POSTS, params={"uris": [post.native_id for post in posts]}).json()["posts"]
    refused = client.get(platform.origin + POSTS, params={"uris": [posts[0].native_id] * 26})

    assert [(post["uri"], post["likeCount"]) for post in answer] == [(posts[0].native_id, 1), (posts[2].native_id, 0)]
    assert (answer[0]["record"]["createdAt"], refused.status_code) == ("2027-01-21T20:00:00.000Z", 400)


def test_a_url_leads_to_the_post_through_its_handle(world, platform, client):
    post = world.publish(Bluesky(), author="amal")
    handle, rkey = platform.url_of(post).removeprefix("https://bsky.app/profile/").split("/post/")

    path = f"{platform.origin}/xrpc/com.atproto.identity.resolveHandle"
    did = client.get(path, params={"handle": handle}).json()["did"]

    assert f"at://{did}/app.bsky.feed.post/{rkey}" == post.native_id
    assert client.get(path, params={"handle": "nobody.test"}).status_code == 400


@pytest.mark.parametrize(("path", "parameter"), [(LIKES, "uri"), (POSTS, "uris")])
def test_an_address_with_a_handle_in_it_is_a_500(platform, client, path, parameter):
    uri = "at://amal.simulated.test/app.bsky.feed.post/x"

    assert client.get(platform.origin + path, params={parameter: uri}).status_code == 500


@pytest.mark.parametrize(
    ("cursor", "status"), [("nonsense", 500), ("did:plc:x", 400), ("::", 200), ("2027-01-01T00:00:00.000Z", 200)]
)
def test_a_bad_cursor_is_an_error_or_worse_an_empty_list(world, platform, client, cursor, status):
    post = world.publish(Bluesky())
    post.like("amal")

    answer = client.get(platform.origin + LIKES, params={"uri": post.native_id, "cursor": cursor})

    assert (answer.status_code, answer.json().get("likes", [])) == (status, [])
