"""What LinkedIn says in ways of its own, one test a quirk."""

import random
from datetime import date

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.linkedin_page import LinkedinPage
from harvester.connector import ApiVersion, ContractBroken, Page
from harvester.kit.replay import Answer, open_connector, recognise, session

POST = recognise(LinkedinPage, "https://www.linkedin.com/feed/update/urn:li:share:7123456789012345001/")


def reaction(actor: str, time: int = 1_700_000_000_000) -> dict[str, object]:
    return {"reactionType": "LIKE", "created": {"actor": f"urn:li:person:{actor}", "time": time}}


def page_of(answer: Answer, cursor: str | None = None, page_size: int | None = None) -> Page:
    connector = open_connector(LinkedinPage, {"token": "REDACTED"})
    with session(connector, POST, answer, page_size) as http:
        return connector.fetch_page(http, POST, cursor)


def listing(members: list[str], cap: int) -> Answer:
    """Make LinkedIn: a list that is read by offset, at most `cap` at a time whatever is asked for."""

    def answer(request: httpx.Request) -> httpx.Response:
        start, count = int(request.url.params["start"]), int(request.url.params["count"])
        shown = members[start : start + min(count, cap)]
        return httpx.Response(
            200, json={"elements": [reaction(one) for one in shown], "paging": {"total": len(members)}}
        )

    return answer


def walk(members: list[str], *, cap: int, leave: int = 0) -> set[str]:
    """Read every page while `leave` of those already seen un-react between two of them."""
    seen: set[str] = set()
    cursor, chance = None, random.Random(7)
    for _ in range(10 * len(members) + 2):
        page = page_of(listing(members, cap), cursor)
        seen |= {like.actor.rpartition(":")[2] for like in page.likes}
        if page.cursor is None:
            return seen
        cursor = page.cursor
        for one in chance.sample(sorted(seen & set(members)), min(leave, len(seen & set(members)))):
            members.remove(one)
    raise AssertionError("the walk does not end")


@given(size=st.integers(0, 60), cap=st.integers(1, 30))
def test_a_still_list_is_read_whole_whatever_the_server_gives_at_a_time(size: int, cap: int) -> None:
    members = [f"p{number}" for number in range(size)]
    assert walk(list(members), cap=cap) == set(members)


def test_nobody_is_missed_while_others_un_react() -> None:
    members = [f"p{number}" for number in range(1000)]
    assert walk(list(members), cap=100, leave=20) == set(members)


def test_a_list_shorter_than_its_total_ends_at_the_empty_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        shown = [reaction("a")] if request.url.params["start"] == "0" else []
        return httpx.Response(200, json={"elements": shown, "paging": {"total": 9}})

    assert page_of(answer).cursor == "1"
    assert page_of(answer, "1") == Page(likes=(), cursor=None)


def test_a_time_that_no_calendar_has_is_a_broken_answer() -> None:
    body = {"elements": [reaction("a", 10**400)], "paging": {"total": 1}}
    with pytest.raises(ContractBroken):
        page_of(lambda _: httpx.Response(200, json=body))


def test_every_request_names_the_version_and_the_protocol() -> None:
    seen: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.headers["linkedin-version"], request.headers["x-restli-protocol-version"]))
        assert request.url.raw_path.startswith(b"/rest/reactions/(entity:urn%3Ali%3Ashare%3A7123456789012345001)?")
        return httpx.Response(200, json={"elements": [], "paging": {"total": 0}})

    page_of(answer)
    assert seen == [("202609", "2.0.0")]


def test_a_version_has_the_end_that_is_documented_or_says_when_versions_end() -> None:
    known = open_connector(LinkedinPage, {"version": "202508"}).version
    assert known == ApiVersion(name="202508", sunset=date(2026, 8, 17))
    assert "a year" in open_connector(LinkedinPage, {}).version.note
    with pytest.raises(msgspec.ValidationError, match="not a release such as"):
        open_connector(LinkedinPage, {"version": "2026-09"})


@pytest.mark.parametrize(
    ("url", "native_id"),
    [
        ("https://www.linkedin.com/posts/a_b-activity-7123456789012345678-", None),
        ("https://www.linkedin.com/posts/activity-7123456789012345678-AbCd", None),
        ("https://www.linkedin.com/posts/a_b-ugcPost-7123456789012345678-Ab-d/", "urn:li:ugcPost:7123456789012345678"),
        ("https://www.linkedin.com/posts/a_b-share-7123456789012345678", "urn:li:share:7123456789012345678"),
        ("https://www.linkedin.com/feed/update/urn:li:comment:7123456789012345678", None),
        ("https://www.linkedin.com/feed/update/urn:li:activity:07123456789", None),
        ("https://www.linkedin.com/in/somebody", None),
        ("https://lnkd.in/", None),
        ("https://learning.linkedin.com/feed/update/urn:li:activity:7123456789012345678", None),
        ("https://linkedin.com.evil.example/feed/update/urn:li:activity:7123456789012345678", None),
    ],
)
def test_a_link_is_a_post_only_where_its_urn_is_certain(url: str, native_id: str | None) -> None:
    post = LinkedinPage.recognise(url)
    assert (post.native_id if post else None) == native_id
