"""What Vimeo does differently, one test a quirk."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connectors.vimeo import Vimeo
from harvester.connector import ContractBroken, Count, GrantFacts, GrantLost, Page, parse_instant
from harvester.kit.replay import always, open_connector, recognise, session

POST = recognise(Vimeo, "https://vimeo.com/29433509")
SETTINGS = {"token": "secret"}
CREATED = "2011-09-22T15:32:32+00:00"


def page_of(body: object) -> Page:
    connector = open_connector(Vimeo, SETTINGS)
    with session(connector, POST, always(body)) as http:
        return connector.fetch_page(http, POST, None)


def count_of(**fields: object) -> Count:
    connector = open_connector(Vimeo, SETTINGS)
    with session(connector, POST, always({"created_time": CREATED} | fields)) as http:
        (count,) = connector.fetch_counts(http, [POST])
        return count


def asked(url: str) -> httpx.Request:
    """Give the request that counts a video's likes."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"created_time": CREATED})

    connector, post = open_connector(Vimeo, SETTINGS), recognise(Vimeo, url)
    with session(connector, post, answer) as http:
        connector.fetch_counts(http, [post])
    return requests[0]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://vimeo.com/267833381", "/videos/267833381"),
        ("https://vimeo.com/267833381/29f845a083", "/videos/267833381:29f845a083"),
        ("https://vimeo.com/267833381/29f845a083?share=copy", "/videos/267833381:29f845a083"),
        ("https://player.vimeo.com/video/267833381?h=29f845a083&app_id=1", "/videos/267833381:29f845a083"),
        ("https://player.vimeo.com/video/267833381?h=../../me", "/videos/267833381"),
        ("https://vimeo.com/channels/123456/267833381", "/videos/267833381"),
    ],
)
def test_an_unlisted_video_is_asked_for_with_its_hash_and_known_without(url: str, path: str) -> None:
    assert recognise(Vimeo, url).native_id == "267833381"
    assert asked(url).url.path == path


def test_the_version_is_asked_for_and_the_token_is_in_no_url() -> None:
    request = asked(POST.url)
    assert request.headers["accept"] == "application/vnd.vimeo.*+json;version=3.4"
    assert request.headers["authorization"] == "Bearer secret"
    assert "secret" not in str(request.url)


def test_only_the_number_of_a_next_page_is_taken() -> None:
    link = "https://evil.example/videos/1/likes?per_page=2&page=7&fields=all"
    assert page_of({"data": [], "paging": {"next": link}}).cursor == "7"


@pytest.mark.parametrize("link", ["", "/videos/1/likes", "/likes?per_page=2", "/likes?page=0", "/likes?page=x"])
def test_a_next_page_without_a_number_is_refused(link: str) -> None:
    with pytest.raises(ContractBroken, match="the next page has no number"):
        page_of({"data": [], "paging": {"next": link}})


@pytest.mark.parametrize("uri", ["", "/users/", "/users/amina", "/videos/7", "https://evil.example/users/7"])
def test_a_liker_without_a_users_number_is_refused(uri: str) -> None:
    with pytest.raises(ContractBroken):
        page_of({"data": [{"uri": uri, "name": "Amina"}], "paging": {"next": None}})


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"metadata": None},
        {"metadata": {"connections": None}},
        {"metadata": {"connections": {}}},
        {"metadata": {"connections": {"likes": None}}},
        {"metadata": {"connections": {"likes": {"total": None}}}},
    ],
)
def test_a_hidden_count_is_not_zero(fields: dict[str, Any]) -> None:
    assert count_of(**fields) == Count(native_id=POST.native_id, likes=None, published_at=parse_instant(CREATED))


def test_a_video_is_dated_by_its_release_where_it_has_one() -> None:
    assert count_of(release_time="2011-10-01T00:00:00+02:00").published_at == parse_instant("2011-09-30T22:00:00Z")


@pytest.mark.parametrize(
    ("fields", "grant"),
    [
        ({}, GrantFacts(account="Harvester", scopes=frozenset({"public", "private"}))),
        (
            {"user": {"name": "Khatwat Khir"}, "expires_on": "1495048954"},
            GrantFacts(
                account="Khatwat Khir",
                scopes=frozenset({"public", "private"}),
                expires_at=datetime(2017, 5, 17, 19, 22, 34, tzinfo=UTC),
            ),
        ),
    ],
    ids=["app", "user"],
)
def test_a_token_says_whose_it_is_and_what_it_allows(fields: dict[str, Any], grant: GrantFacts) -> None:
    connector = open_connector(Vimeo, SETTINGS)
    answer = {"access_token": "REDACTED", "scope": "public private", "app": {"name": "Harvester"}} | fields
    with session(connector, POST, always(answer)) as http:
        assert connector.fetch_grant(http) == grant


def test_a_missing_token_says_where_a_person_gets_one() -> None:
    connector = open_connector(Vimeo, {})
    with session(connector, POST, always({})) as http, pytest.raises(GrantLost, match=r"developer\.vimeo\.com/apps"):
        connector.fetch_page(http, POST, None)


@pytest.mark.parametrize(
    "url",
    [
        "https://vimeo.com/staffpicks",
        "https://vimeo.com/029433509",
        "https://vimeo.com/29433509/likes",
        "https://vimeo.com/user51632752",
        "https://vimeo.com/channels/staffpicks",
        "https://api.vimeo.com/29433509",
        "https://vimeo.com.evil.example/29433509",
    ],
)
def test_a_link_that_is_not_certainly_one_video_is_nobodys(url: str) -> None:
    assert Vimeo.recognise(url) is None
