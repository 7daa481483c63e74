"""The vocabulary of connectors: values that cannot be wrong, URLs that hide nothing, answers read strictly."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.connector import (
    LONGEST_CURSOR,
    Budget,
    ContractBroken,
    Count,
    Exhausted,
    GrantLost,
    Like,
    Missing,
    Outcome,
    Page,
    Post,
    Refused,
    Secret,
    Throttled,
    Unstable,
    decode,
    origin_of,
    parse_instant,
    split_url,
)
from harvester.errors import HarvesterError, UsageError

KICK_OFF = datetime(2027, 1, 21, 20, tzinfo=UTC)


class _Account(msgspec.Struct):
    id: str


def answer(body: bytes) -> httpx.Response:
    return httpx.Response(200, content=body, request=httpx.Request("GET", "https://social.example/api?token=hunter2"))


# Values


def test_a_liker_without_an_id_is_a_broken_contract() -> None:
    with pytest.raises(ContractBroken, match="a liker without an id"):
        Like(actor="")


@pytest.mark.parametrize("cursor", ["x" * (LONGEST_CURSOR + 1), "a\nb", "\x00", "\x1b[31m", "\ud800"])
def test_a_cursor_that_cannot_be_kept_is_a_broken_contract(cursor: str) -> None:
    with pytest.raises(ContractBroken, match="a cursor that cannot be kept"):
        Page(likes=(), cursor=cursor)


@pytest.mark.parametrize("cursor", [None, "x" * LONGEST_CURSOR, "https://social.example/?max_id=1", "كأس"])
def test_every_other_cursor_is_kept(cursor: str | None) -> None:
    assert Page(likes=(), cursor=cursor).cursor == cursor


@pytest.mark.parametrize("likes", [-1, 2**31])
def test_a_number_no_post_can_have_is_a_broken_contract(likes: int) -> None:
    with pytest.raises(ContractBroken, match="a number of likes that no post can have"):
        Count(native_id="1", likes=likes)


@pytest.mark.parametrize("likes", [None, 0, 2**31 - 1])
def test_hidden_none_and_many_likes_are_counts(likes: int | None) -> None:
    assert Count(native_id="1", likes=likes).likes == likes


@pytest.mark.parametrize(("requests", "per"), [(0, timedelta(1)), (-1, timedelta(1)), (1, timedelta(0))])
def test_a_budget_is_at_least_one_request_in_a_positive_time(requests: int, per: timedelta) -> None:
    with pytest.raises(UsageError, match="a budget is at least one request"):
        Budget(requests=requests, per=per)


def test_outcomes_are_errors_of_ours_and_pauses_know_their_end() -> None:
    kinds = (Throttled, Exhausted, GrantLost, Missing, Refused, Unstable, ContractBroken)

    assert all(issubclass(kind, Outcome) and issubclass(kind, HarvesterError) for kind in kinds)
    assert (Throttled(KICK_OFF).until, Exhausted(KICK_OFF, "spent").until) == (KICK_OFF, KICK_OFF)
    assert isinstance(Exhausted(KICK_OFF), Throttled)


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("hunter2")

    assert "hunter2" not in f"{secret} {secret!r} {[secret]}"
    assert secret.reveal() == "hunter2"


# URLs


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://mastodon.social/@a/1", "https://mastodon.social"),
        ("HTTPS://Mastodon.Social:443/@a/1", "https://mastodon.social"),
        ("http://mastodon.social:80", "http://mastodon.social"),
        ("http://mastodon.social:443/", "http://mastodon.social:443"),
        ("  https://social.example:8443/a \n", "https://social.example:8443"),
        ("http://127.0.0.1:3000/a", "http://127.0.0.1:3000"),
        ("http://[::1]:3000/a", "http://[::1]:3000"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example"),
    ],
)
def test_urls_of_one_server_share_their_origin(url: str, origin: str) -> None:
    assert origin_of(url) == origin
    assert Post(platform="p", native_id="1", realm="r", url=url).origin == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mastodon.social/@a/1",
        "ftp://mastodon.social/",
        "at://did:plc:abc/app.bsky.feed.post/1",
        "https://",
        "https://user@mastodon.social/",
        "https://user:hunter2@mastodon.social/",
        "https://mastodon.social@evil.example/",
        "https://@mastodon.social/",
        "https://mastodon.social:0/",
        "https://mastodon.social:99999/",
        "https://mastodon.social:port/",
        "https://mastodon.social./@a/1",
        "https://mаstodon.social/",  # a Cyrillic а
        "https://bücher.example/",
        "https://mastodon_social/",
        "https://mastodon.social\\@evil.example/",
        "https://mastodon.social/a\nb",
        "https://[::1/",
        "https://[mastodon.social]/",
    ],
)
def test_a_url_that_hides_its_host_has_none(url: str) -> None:
    assert (split_url(url), origin_of(url)) == (None, "")


@given(url=st.one_of(st.text(max_size=50), st.from_regex(r"https?://[a-zA-Z@:/\\\[\]#?%0-9._-]{0,40}", fullmatch=True)))
def test_reading_any_text_as_a_url_never_fails_and_an_origin_is_its_own_origin(url: str) -> None:
    origin = origin_of(url)

    assert origin == "" or origin_of(origin) == origin
    assert origin == "" or httpx.URL(url.strip()).host == httpx.URL(origin).host


# Answers


def test_only_the_fields_we_use_are_read() -> None:
    assert decode(answer(b'[{"id":"1","acct":5,"new":{}}]'), list[_Account]) == [_Account(id="1")]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{}", r"Expected `array`, got `object`"),
        (b'{"error":"internal_error"}', r"Expected `array`"),
        (b'[{"id":1}]', r"Expected `str`, got `int` - at `\$\[0\]\.id`"),
        (b'[{"acct":"a"}]', r"missing required field `id` - at `\$\[0\]`"),
        (b"null", r"Expected `array`, got `null`"),
        (b"", "did not answer JSON"),
        (b'[{"id":"1"}', "did not answer JSON"),
        (b'[{"id":"\xff"}]', "did not answer JSON"),
        (b"[" * 100_000, "social.example/api"),
    ],
)
def test_a_success_that_lies_is_a_broken_contract_with_its_path_and_without_the_query(body: bytes, says: str) -> None:
    with pytest.raises(ContractBroken, match=rf"^social\.example/api .*{says}|{says}") as broken:
        decode(answer(body), list[_Account])

    assert "hunter2" not in str(broken.value)
    assert "\n" not in str(broken.value)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2027-01-21T20:00:00Z", KICK_OFF),
        ("2027-01-21T20:00:00.000000Z", KICK_OFF),
        ("2027-01-21T21:00:00+01:00", KICK_OFF.astimezone(timezone(timedelta(hours=1)))),
    ],
)
def test_an_instant_is_read_as_aware_utc(text: str, instant: datetime) -> None:
    read = parse_instant(text)

    assert (read, read.tzinfo) == (instant, UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2027-01-21T20:00:00", "2027-01-21", "1800561600", "0001-01-01T00:00:00+14:00", "x" * 999]
)
def test_what_is_no_instant_is_a_broken_contract_in_one_short_line(text: str) -> None:
    with pytest.raises(ContractBroken, match=r"^[^\n]{1,120}$"):
        parse_instant(text)


@given(text=st.text(max_size=40))
def test_reading_any_text_as_an_instant_gives_utc_or_a_broken_contract(text: str) -> None:
    try:
        read: Any = parse_instant(text)
    except ContractBroken:
        return
    assert read.tzinfo is UTC
