"""What Tumblr does differently, one test a quirk."""

from typing import Any

import httpx
import pytest

from connectors.tumblr import Tumblr
from harvester.collect.sweep import LoopGuard
from harvester.connector import ContractBroken, GrantLost, Page
from harvester.kit.replay import Answer, always, open_connector, recognise, session

POST = recognise(Tumblr, "https://staff.tumblr.com/post/659803739627094017")
SETTINGS = {"api_key": "secret"}


def liked(second: int, uuid: str) -> dict[str, Any]:
    return {"type": "like", "timestamp": second, "blog_uuid": uuid, "blog_name": uuid.removeprefix("t:")}


def notes(*shown: dict[str, Any], before: object = None) -> dict[str, Any]:
    links = {} if before is None else {"_links": {"next": {"query_params": {"before_timestamp": before}}}}
    return {"response": {"notes": list(shown), "total_notes": 9} | links}


def page_of(body: object, cursor: str | None = None) -> Page:
    connector = open_connector(Tumblr, SETTINGS)
    with session(connector, POST, always(body)) as http:
        return connector.fetch_page(http, POST, cursor)


def a_post(likes: list[dict[str, Any]], page_size: int) -> Answer:
    """Make a platform that lists likes older than a second, newest first."""

    def answer(request: httpx.Request) -> httpx.Response:
        before = int(request.url.params.get("before_timestamp", 10**10))
        older = [note for note in likes if note["timestamp"] < before]
        shown = older[:page_size]
        last = shown[-1]["timestamp"] if len(older) > page_size else None
        return httpx.Response(200, json=notes(*shown, before=last))

    return answer


def walked(answer: Answer) -> set[str]:
    connector, guard, seen = open_connector(Tumblr, SETTINGS), LoopGuard(), set()
    with session(connector, POST, answer) as http:
        page = connector.fetch_page(http, POST, None)
        while True:
            guard.check(page)
            seen |= {like.actor for like in page.likes}
            if page.cursor is None:
                return seen
            page = connector.fetch_page(http, POST, page.cursor)


@pytest.mark.parametrize("page_size", [2, 3, 5, 20])
def test_likers_of_one_second_are_not_lost_between_two_pages(page_size: int) -> None:
    seconds = [1000, 999, 999, 998, 997, 997, 996, 995, 995]
    likes = [liked(second, f"t:{number}") for number, second in enumerate(seconds)]
    assert walked(a_post(likes, page_size)) == {note["blog_uuid"] for note in likes}


def test_a_page_full_of_one_second_goes_on_below_it_instead_of_in_a_circle() -> None:
    likes = [liked(second, f"t:{number}") for number, second in enumerate([1000] * 5 + [990])]
    assert walked(a_post(likes, page_size=3)) == {"t:0", "t:1", "t:2", "t:5"}


@pytest.mark.parametrize("before", [1000, "1000"])
def test_the_next_page_begins_within_the_last_second(before: object) -> None:
    assert page_of(notes(liked(1001, "t:a"), liked(1000, "t:b"), before=before)).cursor == "1001"


@pytest.mark.parametrize("before", ["", "soon", "-1", 1.5, [], "9" * 13])
def test_a_next_page_at_no_second_is_refused(before: object) -> None:
    with pytest.raises(ContractBroken):
        page_of(notes(before=before))


def test_only_likes_are_likes_whatever_the_mode_brings() -> None:
    others = [{"type": kind, "timestamp": 1000, "blog_uuid": "t:x"} for kind in ("reblog", "reply", "posted")]
    assert [like.actor for like in page_of(notes(*others, liked(1000, "t:a"))).likes] == ["t:a"]


def test_a_liker_without_a_lasting_id_is_refused() -> None:
    with pytest.raises(ContractBroken, match="a liker without an id"):
        page_of(notes({"type": "like", "timestamp": 1000, "blog_name": "renamed-tomorrow"}))


def test_notes_are_not_counted_as_likes() -> None:
    connector = open_connector(Tumblr, SETTINGS)
    with session(connector, POST, always(notes())) as http, pytest.raises(ContractBroken, match="total_likes"):
        connector.fetch_counts(http, [POST])


def test_a_missing_key_says_where_a_person_gets_one() -> None:
    connector = open_connector(Tumblr, {})
    with session(connector, POST, always({})) as http, pytest.raises(GrantLost, match=r"tumblr\.com/oauth/apps"):
        connector.fetch_page(http, POST, None)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.tumblr.com/tagged/2026",
        "https://www.tumblr.com/search/2026",
        "https://www.tumblr.com/reblog/659803739627094017/aBcDeFgH",
        "https://www.tumblr.com/dashboard/2/659803739627094017",
        "https://www.tumblr.com/post/659803739627094017",
        "https://api.tumblr.com/post/659803739627094017",
        "https://assets.tumblr.com/staff/659803739627094017",
        "https://64.media.tumblr.com/post/659803739627094017",
        "https://staff.tumblr.com/659803739627094017",
        "https://staff.tumblr.com/post/0659803739627094017",
        "https://staff.tumblr.com.evil.example/post/659803739627094017",
    ],
)
def test_a_page_that_is_no_blogs_post_is_nobodys(url: str) -> None:
    assert Tumblr.recognise(url) is None
