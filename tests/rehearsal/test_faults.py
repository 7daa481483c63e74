"""Every fault does what it says, over real HTTP, to a bare client."""

import json
from datetime import timedelta

import httpx
import pytest

from harvester.rehearsal import Bluesky, Kind, Mastodon, SimulatedPlatform
from harvester.rehearsal.faults import (
    ERROR_WITH_STATUS_200,
    HTML_PAGE,
    OBJECT_FOR_A_LIST,
    Break,
    DropFromPage,
    EmptyPage,
    Fail,
    ForeignNext,
    Meanwhile,
    Redirect,
    RepeatCursor,
    RepeatPage,
    Reset,
    Swell,
    Throttle,
    Truncate,
)
from harvester.rehearsal.wire import Delivery


@pytest.fixture
def post(world, crowd):
    post = world.publish(Mastodon())
    crowd(post, 200)
    return post


@pytest.fixture
def ask(platform, client, post, mastodon_list):
    """Ask for the first page of the list, or the one a URL names."""
    return lambda url=None: client.get(url or mastodon_list(platform, post))


@pytest.mark.parametrize(
    ("reset", "said"),
    [
        (Reset.RETRY_AFTER_SECONDS, ("Retry-After", "90")),
        (Reset.RETRY_AFTER_FRACTION, ("Retry-After", "90.000")),
        (Reset.RETRY_AFTER_DATE, ("Retry-After", "Thu, 21 Jan 2027 20:01:30 GMT")),
        (Reset.X_EPOCH, ("X-RateLimit-Reset", "1800561690")),
        (Reset.X_ISO, ("X-RateLimit-Reset", "2027-01-21T20:01:30.000000Z")),
        (Reset.X_AFTER, ("X-RateLimit-Reset-After", "90.000")),
        (Reset.EPOCH, ("RateLimit-Reset", "1800561690")),
        (Reset.SECONDS, ("RateLimit-Reset", "90")),
    ],
)
def test_a_throttle_says_until_when_in_each_way(platform, ask, reset, said):
    platform.faults.inject(Throttle(reset=reset, pause=timedelta(seconds=90)))

    answer = ask()

    assert (answer.status_code, answer.headers[said[0]]) == (429, said[1])


def test_a_reset_can_lie_in_the_past_or_be_left_out(platform, ask):
    platform.faults.inject(Throttle(reset=Reset.X_ISO, pause=-timedelta(minutes=5)))
    platform.faults.inject(Throttle(), nth=2)

    past, silent = ask(), ask()

    assert past.headers["X-RateLimit-Reset"] == "2027-01-21T19:55:00.000000Z"
    assert silent.status_code == 429
    assert not {"retry-after", "x-ratelimit-reset", "ratelimit-reset"} & set(silent.headers)


def test_a_server_fails_with_and_without_a_retry_after(platform, ask):
    platform.faults.inject(Fail(status=503, retry_after=timedelta(seconds=7)))
    platform.faults.inject(Fail(status=520), nth=2)

    first, second = ask(), ask()

    assert (first.status_code, first.headers["Retry-After"]) == (503, "7")
    assert (second.status_code, "Retry-After" in second.headers) == (520, False)


@pytest.mark.parametrize("delivery", [Delivery.RESET_BEFORE, Delivery.RESET_MIDWAY])
def test_a_connection_is_reset_and_the_next_one_works(platform, ask, delivery):
    platform.faults.inject(Break(delivery=delivery))

    with pytest.raises(httpx.ReadError, match="reset by peer"):
        ask()

    assert ask().status_code == 200


def test_json_cut_in_half_looks_whole_to_http(platform, ask):
    platform.faults.inject(Truncate())

    answer = ask()

    assert len(answer.content) == int(answer.headers["Content-Length"])
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_body_shorter_than_announced_ends_in_a_protocol_error(platform, ask):
    platform.faults.inject(Truncate(length_matches=False))

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        ask()


@pytest.mark.parametrize(
    ("fault", "text"), [(OBJECT_FOR_A_LIST, "{}"), (HTML_PAGE, "<!doctype"), (ERROR_WITH_STATUS_200, '{"error"')]
)
def test_success_can_be_a_lie(platform, ask, fault, text):
    platform.faults.inject(fault)

    answer = ask()

    assert (answer.status_code, answer.text[: len(text)]) == (200, text)


def test_a_small_answer_can_swell_a_thousandfold(platform, client, post, mastodon_list):
    platform.faults.inject(Swell(size=8 * 2**20))

    with client.stream("GET", mastodon_list(platform, post)) as answer:
        received = sum(len(part) for part in answer.iter_bytes())
        assert (received, answer.num_bytes_downloaded < received / 200) == (8 * 2**20 + 2, True)


def test_a_dripping_answer_is_the_honest_one_byte_by_byte(world, platform, client):
    post = world.publish(Mastodon())
    platform.faults.inject(Break(delivery=Delivery.DRIP, pause=timedelta(microseconds=200)))

    with client.stream("GET", f"{platform.origin}/api/v1/statuses/{post.native_id}") as answer:
        parts = list(answer.iter_raw())

    assert len(parts) > 2
    assert json.loads(b"".join(parts))["id"] == post.native_id


def test_a_redirect_names_another_host(platform, ask, post):
    platform.faults.inject(Redirect())

    assert ask().headers["Location"] == f"http://elsewhere.invalid/api/v1/statuses/{post.native_id}/favourited_by"


def test_the_next_link_can_name_another_host(platform, ask):
    platform.faults.inject(ForeignNext())

    assert ask().links["next"]["url"].startswith("http://elsewhere.invalid/api/v1/statuses/")


def test_a_repeated_cursor_leads_to_the_page_that_gave_it(platform, ask):
    platform.faults.inject(RepeatCursor(), on=Kind.LIKES, times=None)

    second = ask(ask().links["next"]["url"])
    third = ask(second.links["next"]["url"])

    assert (second.url, second.json()) == (third.url, third.json())


def test_a_repeated_page_comes_under_ever_new_cursors(platform, ask):
    platform.faults.inject(RepeatPage(), on=Kind.LIKES, times=None)

    first = ask()
    second = ask(first.links["next"]["url"])

    assert first.json() == second.json()
    assert first.links["next"]["url"] != second.links["next"]["url"]


def test_empty_pages_can_go_on_for_ever(world, platform, client):
    post = world.publish(Bluesky())
    post.like("amal")
    platform.faults.inject(EmptyPage(), on=Kind.LIKES, times=None)

    answers = []
    for cursor in ({}, {"cursor": "a::b"}, {"cursor": "c::d"}):
        params = {"uri": post.native_id} | cursor
        answers.append(client.get(f"{platform.origin}/xrpc/app.bsky.feed.getLikes", params=params).json())

    assert [answer["likes"] for answer in answers] == [[], [], []]
    assert len({answer["cursor"] for answer in answers}) == 3


def test_a_page_can_be_short_while_its_cursor_goes_on(platform, post, favourites):
    platform.faults.inject(DropFromPage(keep=3), on=Kind.LIKES)
    platform.faults.inject(DropFromPage(), on=Kind.LIKES, nth=2)

    assert [len(page) for page in favourites(platform, post)] == [3, 0, 40]


def test_the_world_can_move_between_two_pages(platform, post, favourites):
    platform.faults.inject(Meanwhile(lambda: post.unlike("fan-0")), on=Kind.LIKES, nth=2)

    pages = favourites(platform, post)

    assert sum(map(len, pages)) == 199
    assert Mastodon().actor_id("fan-0") not in pages[-1]


def test_faults_on_one_request_nest(platform, post, ask):
    platform.faults.inject(Meanwhile(lambda: post.like("late")))
    platform.faults.inject(Truncate())

    assert b'"username":"late"' in ask().content


def test_a_fault_strikes_only_the_kind_the_post_and_the_turn_it_is_meant_for(world, platform, ask, client, post):
    other = world.publish(Mastodon())
    platform.faults.inject(Fail(status=500), on=Kind.LIKES, about=post.native_id, nth=2, times=2)

    elsewhere = [client.get(f"{platform.origin}/api/v1/statuses/{one.native_id}") for one in (post, other)]
    asked = [ask() for _ in range(4)]

    assert [answer.status_code for answer in elsewhere] == [200, 200]
    assert [answer.status_code for answer in asked] == [200, 500, 500, 200]


def test_a_list_fault_on_a_removed_post_is_still_a_404(platform, post, ask):
    post.remove()
    platform.faults.inject(RepeatPage())

    assert ask().status_code == 404


def test_a_cleared_plan_lets_the_server_behave(platform, ask):
    platform.faults.inject(Fail(), times=None)
    failed = ask().status_code
    platform.faults.clear()

    assert (failed, ask().status_code) == (503, 200)


def test_leaving_the_block_ends_a_drip_that_would_last_for_hours(world, client):
    post = world.publish(Mastodon())
    with SimulatedPlatform(world) as platform:
        platform.faults.inject(Break(delivery=Delivery.DRIP, pause=timedelta(hours=1)))
        asked = client.build_request("GET", f"{platform.origin}/api/v1/statuses/{post.native_id}")
        answer = client.send(asked, stream=True)

    with pytest.raises(httpx.RemoteProtocolError):
        answer.read()
