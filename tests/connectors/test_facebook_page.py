"""What Meta's Graph API does that a recording cannot hold, for all its dialects, and how a Page's links are read."""

import json
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from connectors.facebook_page import FacebookPage
from harvester.connector import (
    ContractBroken,
    GrantFacts,
    GrantLost,
    Missing,
    Outcome,
    Page,
    Refused,
    Throttled,
    Unstable,
    default_basis,
)
from harvester.kit.recordings import HIDDEN_SECRET as TOKEN
from harvester.kit.replay import Answer, always, open_connector, recognise, session

SETTINGS = {"token": TOKEN, "page_id": "100200300"}
POST = recognise(FacebookPage, "https://www.facebook.com/100200300/posts/700800900")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
AMINA = {"id": "42", "name": "Amina"}
NEXT = {"cursors": {"after": "c2"}, "next": "https://graph.facebook.com/v26.0/x?access_token=T&after=elsewhere"}


def page_of(answer: Answer, cursor: str | None = None) -> Page:
    connector = open_connector(FacebookPage, SETTINGS)
    with session(connector, POST, answer) as http:
        return connector.fetch_page(http, POST, cursor)


def explained(error: object, status: int = 400, **headers: str) -> Outcome | None:
    sent = {"date": "Wed, 25 Nov 2026 12:00:00 GMT"} | headers
    request = httpx.Request("GET", "https://graph.facebook.com/v26.0/1")
    answer = httpx.Response(status, json={"error": error}, headers=sent, request=request)
    return open_connector(FacebookPage, SETTINGS).explain(answer)


def usage(minutes: object) -> dict[str, str]:
    one = {"type": "pages", "call_count": 100, "estimated_time_to_regain_access": minutes}
    return {"x-business-use-case-usage": json.dumps({"1": [{"type": "pages"}], "2": [one]})}


@pytest.mark.parametrize("people", [[], [AMINA]])
def test_only_a_missing_next_ends_the_list_and_its_address_is_never_kept(people: list[object]) -> None:
    page = page_of(always({"data": people, "paging": NEXT, "summary": {"total_count": 28}}))
    assert (len(page.likes), page.cursor) == (len(people), "c2")
    assert page_of(always({"data": people, "paging": {"cursors": {"after": "c3"}}}), "c2").cursor is None


@pytest.mark.parametrize(
    "paging", [{"next": "n"}, {"next": "n", "cursors": {}}, {"next": "", "cursors": {"after": ""}}]
)
def test_a_next_page_without_a_cursor_breaks_the_contract(paging: object) -> None:
    with pytest.raises(ContractBroken, match="names no cursor"):
        page_of(always({"data": [AMINA], "paging": paging}))


@pytest.mark.parametrize("body", [{"data": []}, {"data": [], "summary": {}}, {"summary": {"total_count": 0}}, {}])
def test_an_empty_list_is_nobody_only_where_the_count_says_so(body: object) -> None:
    with pytest.raises(ContractBroken):
        page_of(always(body))


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        *[(code, None, Throttled) for code in (4, 17, 32, 341, 613, 80001, 80002)],
        *[(1, None, Unstable), (2, None, Unstable), (100, 33, Missing), (100, None, None), (100, 2018, None)],
        *[(102, None, GrantLost), (190, 463, GrantLost), (10, None, Refused), (200, None, Refused)],
        *[(299, None, Refused), (300, None, None), (368, None, Refused), (2500, None, None)],
    ],
)
def test_an_error_is_told_by_its_code_whatever_the_status(
    code: int, subcode: int | None, kind: type[Outcome] | None
) -> None:
    error = {"code": code, "error_subcode": subcode, "message": "about tok3n"}
    for status in (200, 400, 403, 500):
        outcome = explained(error, status)
        assert type(outcome) is (kind or type(None))
        assert "tok3n" not in str(outcome)


@pytest.mark.parametrize("error", [None, "no", {}, {"code": "190"}, {"code": 10**30}, {"message": "No node specified"}])
def test_an_error_without_a_code_is_left_to_its_status(error: object) -> None:
    assert explained(error) is None


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        (usage(19), timedelta(minutes=19)),
        (usage(0), timedelta(hours=1)),
        ({}, timedelta(hours=1)),
        ({"x-business-use-case-usage": "soon"}, timedelta(hours=1)),
        (usage(10**12), timedelta(hours=1)),
        (usage(-5), timedelta(hours=1)),
        (usage("19"), timedelta(hours=1)),
    ],
)
def test_a_pause_is_the_estimate_of_the_header_else_the_window_that_calls_are_counted_over(
    headers: dict[str, str], pause: timedelta
) -> None:
    outcome = explained({"code": 4}, **headers)
    assert isinstance(outcome, Throttled)
    assert outcome.until == NOW + pause


def test_an_answer_is_kept_though_its_headers_say_that_it_was_the_last_one() -> None:
    headers = usage(19) | {"x-app-usage": '{"call_count":100,"total_cputime":100,"total_time":100}'}
    page = page_of(always({"data": [AMINA], "summary": {"total_count": 1}}, **headers))
    assert [like.actor for like in page.likes] == ["42"]


@pytest.mark.parametrize(
    "url",
    [
        "https://www.facebook.com/example.page",
        "https://www.facebook.com/example.page/posts/",
        "https://www.facebook.com/example.page/posts/win-a-tablet",
        "https://www.facebook.com/example.page/posts/0123456789",
        "https://www.facebook.com/groups/1234567/posts/7654321/",
        "https://www.facebook.com/groups/posts/7654321/",
        "https://www.facebook.com/groups/1234567/permalink/7654321/",
        "https://www.facebook.com/profile.php?id=100064000000000",
        "https://www.facebook.com/permalink.php?id=100064000000000",
        "https://www.facebook.com/events/700800900",
        "https://www.facebook.com/watch/?ref=tab",
        "https://www.facebook.com/share/",
        "https://www.facebook.com/login/?next=https%3A%2F%2Fwww.facebook.com%2Fwatch%3Fv%3D700800900",
        "https://developers.facebook.com/docs/posts/700800900",
        "https://l.facebook.com/share/p/1AbCdEfGhI/",
        "https://facebook.com.evil.example/watch/?v=700800900",
        "https://fb.watch/",
    ],
)
def test_what_is_no_post_of_a_page_is_not_recognised(url: str) -> None:
    assert FacebookPage.recognise(url) is None


def test_a_pages_number_is_read_in_ascii_digits_alone() -> None:
    post = recognise(FacebookPage, "https://www.facebook.com/١٢٣٤٥٦/posts/700800900")
    assert post.native_id == "700800900"


def test_a_list_of_posts_that_leads_in_a_circle_is_left() -> None:
    connector = open_connector(FacebookPage, SETTINGS)
    post = recognise(FacebookPage, "https://www.facebook.com/reel/700800900")
    endless = always({"data": [], "paging": NEXT})
    with session(connector, post, endless) as http, pytest.raises(ContractBroken, match="circle"):
        connector.locate(http, post)


def test_a_list_of_posts_without_end_is_left_after_fifty_pages() -> None:
    connector, asked = open_connector(FacebookPage, SETTINGS), []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        posts = [{"id": f"100200300_{number}"} for number in range(100)]
        return httpx.Response(200, json={"data": posts, "paging": NEXT | {"cursors": {"after": str(len(asked))}}})

    post = recognise(FacebookPage, "https://www.facebook.com/reel/700800900")
    with session(connector, post, answer) as http, pytest.raises(Refused, match="not among the newest 5,000 posts"):
        connector.locate(http, post)
    assert len(asked) == 50


@pytest.mark.parametrize(("left_out", "told"), [("token", "pages_read_engagement"), ("page_id", "page_id is not set")])
def test_a_setting_that_is_missing_is_named(left_out: str, told: str) -> None:
    connector = open_connector(FacebookPage, {name: kept for name, kept in SETTINGS.items() if name != left_out})
    post = recognise(FacebookPage, "https://www.facebook.com/reel/700800900")
    with session(connector, post, always({})) as http, pytest.raises(GrantLost, match=told):
        connector.locate(http, post)


def test_the_token_must_be_the_pages_own() -> None:
    connector = open_connector(FacebookPage, SETTINGS)
    with session(connector, POST, always({"id": "100200300", "name": "Example"})) as http:
        assert connector.fetch_grant(http) == GrantFacts(account="Example")
    with session(connector, POST, always(AMINA)) as http, pytest.raises(GrantLost, match="not of the Page '100200300'"):
        connector.fetch_grant(http)


def test_the_end_of_a_version_is_known_where_meta_has_announced_it() -> None:
    ends = {name: open_connector(FacebookPage, {"version": name}).version for name in ("v21.0", "v26.0")}
    assert ends["v21.0"].sunset == date(2027, 1, 21)
    assert (ends["v26.0"].sunset, ends["v26.0"].note) == (None, "Meta's versions live about two years")


@pytest.mark.parametrize(
    "wrong",
    [{"version": "26"}, {"version": "v26.0/me"}, {"api": "https://a.example/v26.0"}, {"page_id": "example.page"}],
)
def test_a_setting_that_would_change_the_address_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        open_connector(FacebookPage, wrong)


def test_its_posts_are_credited_by_their_likers() -> None:
    assert default_basis(FacebookPage) == "identity"
