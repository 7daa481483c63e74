"""What X says in ways of its own, one test a quirk."""

from datetime import UTC, datetime

import httpx
import pytest

from connectors.x import X
from harvester.connector import ContractBroken, Count, Exhausted, GrantFacts, Http, Page, Refused, Throttled
from harvester.kit.replay import Answer, always, open_connector, recognise, session

POST = recognise(X, "https://x.com/jack/status/20")
OTHERS = [recognise(X, f"https://x.com/jack/status/{number}") for number in (21, 22)]
TWEET = {"id": "20", "public_metrics": {"like_count": 7}, "created_at": "2006-03-21T20:50:14.000Z"}
PROBLEM = "https://api.x.com/2/problems/"


def problem(kind: str, native_id: str = "20") -> dict[str, str]:
    return {"resource_id": native_id, "title": "Error", "detail": "", "type": PROBLEM + kind}


def counts_of(answer: Answer, token: str = "token") -> tuple[Count, ...]:
    connector = open_connector(X, {token: "REDACTED"})
    with session(connector, POST, answer) as http:
        return connector.fetch_counts(http, [POST, *OTHERS])


def page_of(body: object) -> Page:
    connector = open_connector(X, {"token": "REDACTED"})
    with session(connector, POST, always(body)) as http:
        return connector.fetch_page(http, POST, None)


def refusing(status: int, body: object, **headers: str) -> Answer:
    return lambda _: httpx.Response(status, json=body, headers=headers)


def test_what_is_gone_or_protected_is_left_out_of_a_batch() -> None:
    errors = [problem("resource-not-found", "21"), problem("not-authorized-for-resource", "22")]
    counts = counts_of(always({"data": [TWEET], "errors": errors}))
    assert counts == (Count(native_id="20", likes=7, published_at=datetime(2006, 3, 21, 20, 50, 14, tzinfo=UTC)),)


def test_a_batch_of_nothing_but_errors_is_refused_only_where_all_of_it_is() -> None:
    refused, gone = problem("not-authorized-for-resource"), problem("resource-not-found", "21")
    assert counts_of(always({"errors": [refused, gone]})) == ()
    with pytest.raises(Refused):
        counts_of(always({"errors": [refused]}))


@pytest.mark.parametrize("body", [{}, {"data": []}, {"meta": {}}])
def test_a_success_that_says_nothing_is_not_that_all_posts_are_gone(body: object) -> None:
    with pytest.raises(ContractBroken):
        counts_of(always(body))


@pytest.mark.parametrize("body", [{}, {"data": []}, {"meta": {"result_count": 5}}])
def test_likers_that_are_not_listed_are_not_zero_likers(body: object) -> None:
    with pytest.raises(ContractBroken):
        page_of(body)


def test_an_empty_page_has_no_data_and_may_have_a_successor() -> None:
    assert page_of({"meta": {"result_count": 0, "next_token": "abc"}}) == Page(likes=(), cursor="abc")


def test_a_pause_lasts_until_xs_own_header_says_by_xs_own_clock() -> None:
    headers = {"date": "Mon, 20 Sep 2021 18:12:42 GMT", "x-rate-limit-reset": "1632162462"}
    before = datetime.now(UTC)
    with pytest.raises(Throttled) as pause:
        counts_of(refusing(429, {"title": "Too Many Requests"}, **headers))
    assert 899 <= (pause.value.until - before).total_seconds() <= 930


@pytest.mark.parametrize("kind", ["credits", "credits-depleted", "usage-capped"])
def test_what_is_spent_is_asked_for_again_after_midnight_utc(kind: str) -> None:
    with pytest.raises(Exhausted) as spent:
        counts_of(refusing(402, problem(kind), date="Sat, 07 Feb 2099 10:00:00 GMT"))
    assert spent.value.until.tzinfo is UTC


def test_counts_are_asked_for_with_the_apps_own_token_where_there_is_one() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json={"data": [TWEET]})

    counts_of(answer, token="app_token")
    assert seen == ["Bearer REDACTED"]


def test_the_grant_is_known_by_the_accounts_name() -> None:
    connector = open_connector(X, {"token": "REDACTED"})
    with session(connector, POST, always({"data": {"id": "12", "username": "jack"}})) as opened:
        http: Http = opened
        assert connector.fetch_grant(http) == GrantFacts(account="jack")


@pytest.mark.parametrize(
    "url",
    [
        "https://x.com/jack/status/20/likes",
        "https://x.com/jack/status/020",
        "https://x.com/i/status/12345678901234567890",
        "https://x.com/a_name_of_more_than_15/status/20",
        "https://x.com/jack/lists/20",
        "https://developer.x.com/jack/status/20",
        "https://notx.com/jack/status/20",
        "https://x.com.evil.example/jack/status/20",
        "https://x.com:8443/jack/status/20",
    ],
)
def test_a_link_that_only_looks_like_a_post_is_none(url: str) -> None:
    assert X.recognise(url) is None
