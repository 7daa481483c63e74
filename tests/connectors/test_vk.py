"""What VK does differently, one test a quirk."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.vk import Vk
from harvester.collect.sweep import LoopGuard
from harvester.connector import GrantFacts, GrantLost, Missing, Outcome, Refused, Throttled, Unstable
from harvester.kit.replay import Answer, always, open_connector, recognise, session

POST = recognise(Vk, "https://vk.com/wall-22822305_617")
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
SETTINGS = {"token": "secret"}


def explained(code: object, status: int = 200) -> Outcome | None:
    request = httpx.Request("GET", "https://api.vk.com/method/likes.getList")
    date = {"date": "Wed, 25 Nov 2026 10:00:00 GMT"}
    answer = httpx.Response(status, json={"error": {"error_code": code}}, headers=date, request=request)
    return open_connector(Vk, SETTINGS).explain(answer)


def a_list(likers: list[int], *, count: int | None = None) -> Answer:
    """Make a platform that lists these likers, by offset."""

    def answer(request: httpx.Request) -> httpx.Response:
        offset, size = int(request.url.params["offset"]), int(request.url.params["count"])
        shown = likers[offset : offset + size]
        return httpx.Response(200, json={"response": {"count": count or len(likers), "items": shown}})

    return answer


def walked(answer: Answer, page_size: int) -> list[list[str]]:
    connector, guard, pages, cursor = open_connector(Vk, SETTINGS), LoopGuard(), [], None
    with session(connector, POST, answer, page_size) as http:
        while not pages or cursor is not None:
            page = connector.fetch_page(http, POST, cursor)
            guard.check(page)
            pages.append([like.actor for like in page.likes])
            cursor = page.cursor
    return pages


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 10, 100])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 9, 10, 11, 57])
def test_pages_overlap_and_none_is_ever_read_twice(length: int, page_size: int) -> None:
    pages = walked(a_list(list(range(1, length + 1))), page_size)
    assert {liker for page in pages for liker in page} == {str(liker) for liker in range(1, length + 1)}


@pytest.mark.parametrize("length", [0, 1, 4, 9, 10, 11])
def test_a_list_shorter_than_its_count_ends_at_an_empty_page(length: int) -> None:
    pages = walked(a_list(list(range(1, length + 1)), count=length + 3), page_size=10)
    assert len({liker for page in pages for liker in page}) == length
    assert pages[-1] == []


def test_an_un_like_between_two_pages_loses_nobody() -> None:
    likers = list(range(1, 101))

    def answer(request: httpx.Request) -> httpx.Response:
        response = a_list(likers)(request)
        del likers[:2]  # two who were already listed take their likes back
        return response

    pages = walked(answer, page_size=10)
    assert {int(liker) for page in pages for liker in page} >= set(likers)


def test_a_community_that_likes_keeps_its_sign() -> None:
    assert walked(a_list([-22822305, 22822305]), page_size=10) == [["-22822305", "22822305"]]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *((code, Unstable) for code in (1, 10)),
        *((code, GrantLost) for code in (5, 17, 27, 28)),
        *((code, Refused) for code in (7, 14, 15, 30, 100, 113)),
        (18, Missing),
    ],
)
def test_every_error_is_told_apart_by_its_number(code: int, kind: type[Outcome]) -> None:
    assert type(explained(code)) is kind


@pytest.mark.parametrize(
    ("code", "pause"), [(6, timedelta(seconds=1)), (9, timedelta(minutes=5)), (29, timedelta(hours=1))]
)
def test_a_pause_is_counted_from_the_answers_own_clock(code: int, pause: timedelta) -> None:
    outcome = explained(code)
    assert isinstance(outcome, Throttled)
    assert outcome.until == NOW + pause


@pytest.mark.parametrize(("code", "status"), [(113, 503), ("5", 200), (None, 200)])
def test_an_error_that_is_not_vks_is_left_to_the_status(code: object, status: int) -> None:
    assert explained(code, status) is None


@pytest.mark.parametrize(
    ("users", "account"), [([{"id": 743784474}], "id743784474"), ([], "a service key")], ids=["user", "service"]
)
def test_a_grant_is_a_users_or_the_apps_own(users: list[object], account: str) -> None:
    connector = open_connector(Vk, SETTINGS)
    with session(connector, POST, always({"response": users})) as http:
        assert connector.fetch_grant(http) == GrantFacts(account=account)


def test_a_missing_token_says_where_a_person_gets_one() -> None:
    connector = open_connector(Vk, {})
    with session(connector, POST, always({})) as http, pytest.raises(GrantLost, match=r"vk\.token is not set.*vk\.com"):
        connector.fetch_page(http, POST, None)


def test_the_token_is_sent_in_a_header_and_in_no_url() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"response": {"count": 0, "items": []}})

    walked(answer, page_size=10)
    assert [request.headers["authorization"] for request in asked] == ["Bearer secret"]
    assert "secret" not in str(asked[0].url)


@pytest.mark.parametrize(
    "url",
    [
        "https://vk.com/wall-1_2?reply=7",  # a comment
        "https://vk.com/wall-1_2?w=wall-1_2_r7",
        "https://vk.com/feed?w=wall-1_2&z=photo-1_3",  # which of the two is shown is not certain
        "https://vk.com/wall-1",
        "https://vk.com/wall-01_2",
        "https://vk.com/wall-1_02",
        "https://vk.com/album-1_2",
        "https://vk.com/wall-1_2/more",
        "https://notvk.com/wall-1_2",
        "https://vk.com:8443/wall-1_2",
    ],
)
def test_a_link_that_is_not_certainly_one_item_is_nobodys(url: str) -> None:
    assert Vk.recognise(url) is None
