"""Short links: where one leads is read, one hop at a time, and nothing is followed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from harvester.collect.http import PoliteClient, PoliteSession
from harvester.config import HttpSettings
from harvester.connector import ContractBroken, Missing, Throttled, Unstable

SHORT = "https://vm.example/ZMabc/"


@contextmanager
def session(answer: Callable[[httpx.Request], httpx.Response]) -> Iterator[PoliteSession]:
    with PoliteClient(HttpSettings(attempts=1), transport=httpx.MockTransport(answer)) as client:
        yield client.session(["https://vm.example"], 1)


def leading_to(location: str) -> Callable[[httpx.Request], httpx.Response]:
    return lambda _: httpx.Response(302, headers={"location": location})


@pytest.mark.parametrize(
    ("location", "end"),
    [
        ("https://www.example/@user/video/1?x=2", "https://www.example/@user/video/1?x=2"),
        ("/@user/video/1", "https://vm.example/@user/video/1"),
        ("//www.example/1", "https://www.example/1"),
    ],
)
def test_a_short_link_says_where_it_leads_and_nobody_goes_there(location: str, end: str) -> None:
    with session(leading_to(location)) as http:
        assert http.redirect_of(SHORT) == end
        assert http.take_requests() == 1


@pytest.mark.parametrize("location", ["https://www.example:port/1", "https://\x01.example/"])
def test_a_short_link_that_leads_to_no_url_is_an_answer_that_broke_off(location: str) -> None:
    with session(leading_to(location)) as http, pytest.raises(Unstable, match="broke off"):
        http.redirect_of(SHORT)


@pytest.mark.parametrize("body", ["<!doctype html>", "{}"])
def test_a_short_link_that_shows_a_page_leads_nowhere(body: str) -> None:
    with session(lambda _: httpx.Response(200, text=body)) as http, pytest.raises(Missing, match="open the link in"):
        http.redirect_of(SHORT)


def test_a_short_link_on_another_server_is_not_asked() -> None:
    with session(leading_to("/")) as http, pytest.raises(ContractBroken, match="is not the post's server"):
        http.redirect_of("https://elsewhere.example/ZMabc/")


def test_a_pause_before_a_short_link_is_obeyed() -> None:
    answer = httpx.Response(429, headers={"retry-after": "7200"})
    with session(lambda _: answer) as http, pytest.raises(Throttled):
        http.redirect_of(SHORT)
