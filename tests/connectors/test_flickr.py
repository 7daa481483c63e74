"""What Flickr does differently, one test a quirk."""

from typing import Any

import httpx
import pytest

from connectors.flickr import Flickr
from harvester.connector import ContractBroken, GrantLost, Missing, Outcome, Refused, Unstable
from harvester.kit.replay import Answer, always, open_connector, recognise, session

POST = recognise(Flickr, "https://www.flickr.com/photos/absentmindedprof/5227922370/")
SETTINGS = {"api_key": "secret"}


def favorites(**fields: object) -> dict[str, Any]:
    return {"photo": {"person": [], "page": 1, "pages": 1, "total": 0} | fields, "stat": "ok"}


def failing(code: int, status: int = 200) -> Answer:
    return lambda _: httpx.Response(status, json={"stat": "fail", "code": code, "message": "secret"})


def likes_of(answer: Answer) -> int | None:
    connector = open_connector(Flickr, SETTINGS)
    with session(connector, POST, answer) as http:
        (count,) = connector.fetch_counts(http, [POST])
        return count.likes


@pytest.mark.parametrize(
    ("url", "native_id"),
    [
        ("https://flic.kr/p/8SPTwJ", "5169665786"),
        ("http://flic.kr/p/8SPTwJ/", "5169665786"),
        ("https://flic.kr/p/2", "1"),
    ],
)
def test_a_short_link_is_read_without_a_request(url: str, native_id: str) -> None:
    post = recognise(Flickr, url)
    assert (post.native_id, post.is_short) == (native_id, False)


@pytest.mark.parametrize("total", [27, "27"])
def test_a_total_is_a_number_or_its_text(total: object) -> None:
    assert likes_of(always(favorites(total=total))) == 27


@pytest.mark.parametrize("total", ["", "many", "-1", None, 1.5])
def test_any_other_total_is_refused(total: object) -> None:
    with pytest.raises(ContractBroken):
        likes_of(always(favorites(total=total)))


@pytest.mark.parametrize(
    ("code", "kind"),
    [(1, Missing), (100, GrantLost), (105, Unstable), (106, Unstable), (112, Refused), (116, Refused)],
)
def test_a_failure_with_status_200_is_told_apart_by_its_number(code: int, kind: type[Outcome]) -> None:
    with pytest.raises(kind, match="Flickr") as failed:
        likes_of(failing(code))
    assert "secret" not in str(failed.value)


def test_a_failure_that_is_not_documented_is_left_to_the_status() -> None:
    with pytest.raises(Unstable, match="HTTP 503"):
        likes_of(failing(0, 503))


@pytest.mark.parametrize(("page", "cursor"), [(None, "2"), ("2", "3"), ("3", None), ("4", None)])
def test_the_list_ends_at_the_last_page_that_is_named(page: str | None, cursor: str | None) -> None:
    connector = open_connector(Flickr, SETTINGS)
    with session(connector, POST, always(favorites(pages=3))) as http:
        assert connector.fetch_page(http, POST, page).cursor == cursor


def test_a_missing_key_says_where_a_person_gets_one() -> None:
    connector = open_connector(Flickr, {})
    with session(connector, POST, always({})) as http, pytest.raises(GrantLost, match=r"flickr\.com/services/apps"):
        connector.fetch_page(http, POST, None)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.flickr.com/photos/tags/2026/",
        "https://www.flickr.com/photos/absentmindedprof/albums/72157617260543082",
        "https://www.flickr.com/photos/absentmindedprof/05227922370/",
        "https://www.flickr.com/photos/absentmindedprof/",
        "https://flic.kr/s/8SPTwJ",  # an album
        "https://flic.kr/p/18SPTwJ",  # a second name of /p/8SPTwJ
        "https://flic.kr/p/8SPT0J",
        "https://notflickr.com/photos/absentmindedprof/5227922370/",
    ],
)
def test_a_link_that_is_not_certainly_one_photo_is_nobodys(url: str) -> None:
    assert Flickr.recognise(url) is None
