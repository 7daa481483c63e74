"""What servers of the Misskey family do differently, one test a quirk."""

import httpx
import pytest

from connectors.misskey import Misskey
from harvester.collect.sweep import LoopGuard
from harvester.connector import ContractBroken, Like, Missing, Outcome, Page, Post, Refused, Throttled
from harvester.kit.replay import Answer, always, open_connector, recognise, session

POST = recognise(Misskey, "https://misskey.example/notes/9s8k2p1x4f")
NOTE = {"id": POST.native_id, "createdAt": "2026-11-01T10:00:00.000Z", "reactions": {"👍": 2, ":blob@far.example:": 1}}


def reaction(number: int, **fields: object) -> dict[str, object]:
    user = {"id": f"u{number}", "username": "amina", "host": None}
    return {"id": f"r{number:03}", "createdAt": "2026-11-02T10:00:00.000Z", "user": user, "type": "👍"} | fields


def page_of(answer: Answer, cursor: str | None = None, page_size: int = 100) -> Page:
    connector = open_connector(Misskey, {})
    with session(connector, POST, answer, page_size) as http:
        return connector.fetch_page(http, POST, cursor)


def walk(answer: Answer, page_size: int) -> list[str]:
    """Walk a whole list as a sweep does, watched by its guard."""
    guard, cursor, actors = LoopGuard(), None, []
    while True:
        page = page_of(answer, cursor, page_size)
        guard.check(page)
        actors += [like.actor for like in page.likes]
        cursor = page.cursor
        if cursor is None:
            return actors


def server(reactions: list[dict[str, object]], *, dialect: str, take_back: int = 0) -> Answer:
    """Make a server that pages in one dialect and loses its newest likes while it is read."""
    held = list(reactions)

    def answer(request: httpx.Request) -> httpx.Response:
        asked = httpx.Response(200, content=request.content).json()
        older = [one for one in held if str(one["id"]) < asked.get("untilId", "~")]
        listed = {"untilId": older, "offset": held[asked.get("offset", 0) :], "neither": held}[dialect]
        del held[:take_back]
        return httpx.Response(200, json=listed[: asked["limit"]])

    return answer


def located(**fields: object) -> Post:
    connector = open_connector(Misskey, {})
    with session(connector, POST, always(NOTE | fields)) as http:
        return connector.locate(http, POST)


def meaning(status: int, code: str) -> Outcome | None:
    request, headers = httpx.Request("POST", "https://misskey.example/api"), {"date": "Wed, 25 Nov 2026 10:00:00 GMT"}
    answer = httpx.Response(status, json={"error": {"code": code}}, headers=headers, request=request)
    return open_connector(Misskey, {}).explain(answer)


@pytest.mark.parametrize("dialect", ["untilId", "offset"])
@pytest.mark.parametrize("number", [0, 1, 2, 9, 10, 11, 20, 25, 37])
def test_every_liker_is_found_in_either_dialect(dialect: str, number: int) -> None:
    newest_first = [reaction(one) for one in range(number, 0, -1)]
    actors = walk(server(newest_first, dialect=dialect), page_size=10)
    assert set(actors) == {f"u{one}" for one in range(1, number + 1)}


def test_likes_taken_back_while_a_list_is_paged_by_offset_hide_nobody() -> None:
    newest_first = [reaction(one) for one in range(60, 0, -1)]
    actors = walk(server(newest_first, dialect="offset", take_back=2), page_size=10)
    assert {f"u{one}" for one in range(1, 51)} <= set(actors)


def test_a_server_that_pages_in_neither_dialect_is_noticed() -> None:
    newest_first = [reaction(one) for one in range(30, 0, -1)]
    with pytest.raises(ContractBroken, match="same page twice"):
        walk(server(newest_first, dialect="neither"), page_size=10)


def test_a_short_page_is_not_the_end() -> None:
    assert page_of(always([reaction(1)])).cursor == "r001 1"


def test_an_account_that_is_gone_is_nobody_and_stops_nothing() -> None:
    page = page_of(always([reaction(2, user=None), reaction(1)]))
    assert [like.actor for like in page.likes] == ["u1"]
    without_user = {key: value for key, value in reaction(2).items() if key != "user"}
    with pytest.raises(ContractBroken, match="user"):
        page_of(always([without_user]))


def test_a_liker_of_another_server_has_a_full_handle() -> None:
    far = {"id": "u1", "username": "salma", "host": "far.example"}
    (like,) = page_of(always([reaction(1, user=far)])).likes
    assert like == Like(actor="u1", handle="salma@far.example", at=like.at)


@pytest.mark.parametrize("identity", ["", "a b", "r1\n", "x" * 65])
def test_a_reaction_whose_id_cannot_be_a_cursor_is_refused(identity: str) -> None:
    with pytest.raises(ContractBroken):
        page_of(always([reaction(1, id=identity)]))


def test_a_copy_is_read_at_its_home_and_one_without_a_readable_home_is_refused() -> None:
    assert located(uri="https://home.example/notes/9r7j1n0w3d").realm == "misskey:home.example"
    assert located(uri="https://misskey.example/notes/9s8k2p1x4f") == POST
    assert located(uri=None) == POST
    with pytest.raises(Refused, match=r"mastodon\.example/@fan/1.*post's own server"):
        located(uri="https://mastodon.example/users/fan/statuses/1", url="https://mastodon.example/@fan/1")


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404])
def test_an_error_is_read_by_its_code_whatever_its_status(status: int) -> None:
    assert isinstance(meaning(status, "NO_SUCH_NOTE"), Missing)
    assert isinstance(meaning(status, "CREDENTIAL_REQUIRED"), Refused)
    assert isinstance(meaning(status, "RATE_LIMIT_EXCEEDED"), Throttled)
    assert meaning(status, "SOMETHING_ELSE") is None


def test_an_error_in_a_success_is_not_zero_likes() -> None:
    with pytest.raises(ContractBroken, match="notes/reactions"):
        page_of(always({"error": {"code": "INTERNAL_ERROR"}}))


@pytest.mark.parametrize("path", ["notes/9s8k2p1x", "notes/9s8k2p1x4f/replies", "notes/9S8k2p1x4f", "@fan/9s8k2p1x4f"])
def test_a_path_that_is_no_note_is_nobodys(path: str) -> None:
    assert Misskey.recognise(f"https://misskey.example/{path}") is None


def test_a_ulid_is_an_id_too() -> None:
    assert recognise(Misskey, "https://misskey.example/notes/01FBVD42CQ3ZEEVMW180SBX03B").native_id.startswith("01F")
