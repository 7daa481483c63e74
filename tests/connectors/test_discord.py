"""What Discord does differently, one test a quirk."""

import httpx
import pytest

from connectors.discord import Discord
from harvester.connector import ContractBroken, GrantLost, Outcome, Page, Throttled, answered_at
from harvester.kit.replay import Answer, always, open_connector, recognise, session

GUILD, CHANNEL, MESSAGE = "613425648685547541", "697138785317814292", "1233093464812851241"
POST = recognise(Discord, f"https://discord.com/channels/{GUILD}/{CHANNEL}/{MESSAGE}")
SETTINGS = {"token": "t"}


def message(*reactions: dict[str, object]) -> dict[str, object]:
    return {"id": MESSAGE, "timestamp": "2026-11-01T10:00:00+00:00", "reactions": list(reactions)}


def shown(name: str | None, count: int = 1, **fields: object) -> dict[str, object]:
    return {"count": count, "emoji": {"name": name, "id": None}} | fields


def page_of(answer: Answer, cursor: str | None = None, **settings: object) -> Page:
    connector = open_connector(Discord, SETTINGS | settings)
    with session(connector, POST, answer) as http:
        return connector.fetch_page(http, POST, cursor)


def meaning(status: int, body: object) -> Outcome | None:
    return open_connector(Discord, SETTINGS).explain(answer_of(status, body))


def answer_of(status: int, body: object) -> httpx.Response:
    headers = {"date": "Wed, 25 Nov 2026 10:00:00 GMT"}
    return httpx.Response(status, json=body, headers=headers, request=httpx.Request("GET", "https://discord.com/api"))


def test_the_first_page_names_the_lists_and_skips_those_that_are_empty() -> None:
    details = {"normal": 0, "burst": 2}
    page = page_of(always(message(shown("👍"), shown("🔥", 2, count_details=details))))
    assert page == Page(likes=(), cursor='[[["%F0%9F%91%8D",0],["%F0%9F%91%8D",1],["%F0%9F%94%A5",1]],""]')


def test_the_most_emojis_a_message_can_have_fit_into_a_cursor() -> None:
    flag = "\U0001f3f4" + "\U000e0067" * 5 + "\U000e007f"
    cursor = page_of(always(message(*[shown(flag)] * 20))).cursor
    assert cursor is not None
    assert cursor.isprintable()


def test_only_an_empty_page_ends_a_list_and_the_next_one_begins_there() -> None:
    lists = '[[["a",0],["b",1]],"7"]'
    assert page_of(always([{"id": "8"}]), lists).cursor == '[[["a",0],["b",1]],"8"]'
    assert page_of(always([]), lists).cursor == '[[["b",1]],""]'
    assert page_of(always([]), '[[["b",1]],"9"]').cursor is None


def test_an_emoji_that_was_deleted_has_an_id_and_no_name() -> None:
    page = page_of(always(message({"count": 1, "emoji": {"name": None, "id": "42"}, "count_details": {"burst": 0}})))
    assert page.cursor == '[[["_%3A42",0]],""]'


@pytest.mark.parametrize("emoji", ["❤", "❤\ufe0f"])
def test_the_number_and_the_lists_are_of_the_same_emojis(emoji: str) -> None:
    connector, answer = (
        open_connector(Discord, SETTINGS | {"emojis": ["❤"]}),
        always(message(shown(emoji, 3), shown("👎", 9))),
    )
    with session(connector, POST, answer) as http:
        (count,) = connector.fetch_counts(http, [POST])
    assert count.likes == 3
    assert "%F0%9F%91%8E" not in str(page_of(answer, emojis=["❤"]).cursor)


def test_a_bot_signs_as_a_bot_and_one_without_a_token_is_told_where_to_get_it() -> None:
    signed: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        signed.append(request.headers["authorization"])
        return httpx.Response(200, json=message())

    page_of(answer)
    assert signed == ["Bot t"]
    with pytest.raises(GrantLost, match=r"discord\.com/developers"):
        page_of(answer, token=None)


def test_the_pause_in_the_body_is_a_fraction_of_seconds() -> None:
    body = {"retry_after": 1.5, "global": True}
    meant = meaning(429, body)
    assert isinstance(meant, Throttled)
    assert (meant.until - answered_at(answer_of(429, body))).total_seconds() == 1.5


@pytest.mark.parametrize("pause", [None, -1, 1e30, "soon"])
def test_a_pause_that_is_none_is_left_to_the_headers(pause: object) -> None:
    assert meaning(429, {"retry_after": pause}) is None


@pytest.mark.parametrize("body", [{}, {"message": "ok"}, [{"id": None}], [{"id": "amina"}], [{"id": "1\n"}], [None]])
def test_a_success_that_lists_nobody_is_not_an_empty_list(body: object) -> None:
    with pytest.raises(ContractBroken, match="reactions/a"):
        page_of(always(body), '[[["a",0]],""]')


@pytest.mark.parametrize(
    "url",
    [
        f"https://discord.com/channels/@me/{CHANNEL}/{MESSAGE}",
        f"https://discord.com/channels/{GUILD}/{CHANNEL}",
        f"https://discord.com/channels/{GUILD}/{CHANNEL}/0{MESSAGE[1:]}",
        f"https://evil.discord.com/channels/{GUILD}/{CHANNEL}/{MESSAGE}",
        f"https://discord.com.evil.example/channels/{GUILD}/{CHANNEL}/{MESSAGE}",
        "https://discord.com/invite/abc",
    ],
)
def test_a_link_that_is_no_message_of_a_server_is_nobodys(url: str) -> None:
    assert Discord.recognise(url) is None
