"""Every way a server says how long to stay away; the answer's own Date is the clock they are compared with."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.collect.pauses import LONGEST_PAUSE, is_last_request, requested_pause

NOW = datetime(2027, 1, 21, 20, tzinfo=UTC)
NINETY_SECONDS = timedelta(seconds=90)
A_NUMBER_TOO_LARGE = "9" * 30


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Retry-After", "90"),
        ("Retry-After", " 90 "),
        ("Retry-After", "90.000"),
        ("Retry-After", "Thu, 21 Jan 2027 20:01:30 GMT"),
        ("Retry-After", "Thursday, 21-Jan-27 20:01:30 GMT"),
        ("Retry-After", "Thu, 21 Jan 2027 21:01:30 +0100"),
        ("Retry-After", "1800561690"),
        ("X-RateLimit-Reset-After", "90.000"),
        ("X-RateLimit-Reset", "1800561690"),
        ("X-RateLimit-Reset", "1800561690.000"),
        ("X-RateLimit-Reset", "2027-01-21T20:01:30.000000Z"),
        ("X-RateLimit-Reset", "2027-01-21T21:01:30+01:00"),
        ("X-RateLimit-Reset", "2027-01-21T20:01:30"),
        ("X-RateLimit-Reset", "90"),
        ("X-Rate-Limit-Reset", "1800561690"),
        ("RateLimit-Reset", "1800561690"),
        ("RateLimit-Reset", "90"),
        ("RateLimit-Reset", "Thu, 21 Jan 2027 20:01:30 GMT"),
    ],
)
def test_a_pause_is_understood_in_every_form(name: str, value: str) -> None:
    assert requested_pause(httpx.Headers({name: value}), NOW) == NINETY_SECONDS


def test_fractions_of_a_second_are_kept() -> None:
    headers = httpx.Headers({"X-RateLimit-Reset-After": "0.25"})

    assert requested_pause(headers, NOW) == timedelta(milliseconds=250)


@pytest.mark.parametrize("slow", [timedelta(0), timedelta(hours=3), timedelta(days=-400)])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Retry-After", "Thu, 21 Jan 2027 20:01:30 GMT"),
        ("X-RateLimit-Reset", "1800561690"),
        ("X-RateLimit-Reset", "2027-01-21T20:01:30.000000Z"),
    ],
)
def test_a_wrong_clock_on_our_side_does_no_harm(name: str, value: str, slow: timedelta) -> None:
    headers = httpx.Headers({name: value, "Date": "Thu, 21 Jan 2027 20:00:00 GMT"})

    assert requested_pause(headers, NOW - slow) == NINETY_SECONDS


@pytest.mark.parametrize("date", ["yesterday", "", "Thu, 21 Jan 99999 20:00:00 GMT", "nan"])
def test_an_unreadable_date_leaves_our_own_clock(date: str) -> None:
    headers = httpx.Headers({"X-RateLimit-Reset": "1800561690", "Date": date})

    assert requested_pause(headers, NOW) == NINETY_SECONDS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Retry-After", "-5"),
        ("Retry-After", "0"),
        ("Retry-After", "-1800561690"),
        ("Retry-After", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("X-RateLimit-Reset", "1800561600"),
        ("X-RateLimit-Reset", "1700000000"),
        ("X-RateLimit-Reset", "2027-01-21T19:59:59.999999Z"),
        ("X-RateLimit-Reset", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_reset_in_the_past_is_no_wait_at_all(name: str, value: str) -> None:
    assert requested_pause(httpx.Headers({name: value}), NOW) == timedelta(0)


@pytest.mark.parametrize("value", ["999999999999999", "9999-12-31T23:59:59Z", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_an_absurd_pause_is_cut_to_a_year(value: str) -> None:
    assert requested_pause(httpx.Headers({"Retry-After": value}), NOW) == LONGEST_PAUSE


@pytest.mark.parametrize("name", ["Retry-After", "X-RateLimit-Reset", "X-RateLimit-Reset-After", "RateLimit-Reset"])
@pytest.mark.parametrize(
    "rubbish",
    [
        *("", "soon", "nan", "inf", "-inf", "1e300", "1e5", "0x10", "1_000", "٣٠", "12:30", "90s", A_NUMBER_TOO_LARGE),
        f"Thu, 21 Jan {A_NUMBER_TOO_LARGE} 20:00:00 GMT",
        f"Thu, 21 Jan 2027 20:00:00 +{A_NUMBER_TOO_LARGE}",
    ],
)
def test_rubbish_says_nothing(name: str, rubbish: str) -> None:
    assert requested_pause(httpx.Headers({name: rubbish.encode()}), NOW) is None


def test_no_header_says_nothing() -> None:
    assert requested_pause(httpx.Headers({"Date": "Thu, 21 Jan 2027 20:00:00 GMT"}), NOW) is None


def test_behind_rubbish_the_next_header_is_read() -> None:
    headers = httpx.Headers({"Retry-After": "soon", "X-RateLimit-Reset": "2027-01-21T20:01:30Z"})

    assert requested_pause(headers, NOW) == NINETY_SECONDS


def test_retry_after_goes_before_the_reset_of_a_window() -> None:
    headers = httpx.Headers({"X-RateLimit-Reset": "2027-01-21T20:15:00Z", "Retry-After": "90"})

    assert requested_pause(headers, NOW) == NINETY_SECONDS


@given(
    name=st.sampled_from(["Retry-After", "X-RateLimit-Reset", "Date"]),
    value=st.one_of(
        st.text(st.characters(max_codepoint=255), max_size=40),
        st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,25} Jan [0-9]{1,25} [0-9:]{5,12} ([+-][0-9]{1,25}|GMT)", fullmatch=True),
        st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{0,40})?([eE][0-9]{1,4})?", fullmatch=True),
    ),
)
def test_no_header_however_odd_is_an_error_or_a_negative_wait(name: str, value: str) -> None:
    headers = httpx.Headers({"X-RateLimit-Reset-After": "1"} | {name: value.encode("latin-1")})

    pause = requested_pause(headers, NOW)

    assert pause is not None
    assert timedelta(0) <= pause <= LONGEST_PAUSE


@pytest.mark.parametrize(
    ("headers", "is_last"),
    [
        ({"X-RateLimit-Remaining": "0"}, True),
        ({"RateLimit-Remaining": " 0 "}, True),
        ({"X-RateLimit-Remaining": "1"}, False),
        ({"X-RateLimit-Remaining": ""}, False),
        ({}, False),
    ],
)
def test_the_last_request_of_a_window_is_noticed(headers: dict[str, str], is_last: bool) -> None:
    assert is_last_request(httpx.Headers(headers)) is is_last
