"""What Telegram's updates do and do not say, one test a quirk."""

import httpx
import pytest

from connectors.telegram import Telegram
from harvester.connector import Count, GrantLost, Outcome, Refused, Throttled, answered_at
from harvester.kit.replay import Answer, always, open_connector, recognise, session

NAMED = recognise(Telegram, "https://t.me/HopeChannel/123")
POST, OTHER = (recognise(Telegram, f"https://t.me/c/1000000001/{message}") for message in (123, 124))


def update(likes: int, *, message: int = 123, kind: str = "emoji") -> dict[str, object]:
    reactions = [{"type": {"type": kind, "emoji": "👍"}, "total_count": likes}]
    chat = {"id": -1001000000001, "type": "channel", "username": "hopeCHANNEL"}
    return {"message_reaction_count": {"chat": chat, "message_id": message, "date": 1, "reactions": reactions}}


def likes_of(*updates: dict[str, object], **settings: object) -> list[int | None]:
    return [count.likes for count in counts_of(always({"ok": True, "result": list(updates)}), **settings)]


def counts_of(answer: Answer, **settings: object) -> tuple[Count, ...]:
    connector = open_connector(Telegram, {"token": "1:secret"} | settings)
    with session(connector, POST, answer) as http:
        return connector.fetch_counts(http, [POST, OTHER])


def answer_of(status: int, body: object) -> httpx.Response:
    headers = {"date": "Wed, 25 Nov 2026 10:00:00 GMT"}
    return httpx.Response(status, json=body, headers=headers, request=httpx.Request("GET", "https://api.telegram.org"))


def meaning(status: int, body: object) -> Outcome | None:
    return open_connector(Telegram, {"token": "1:secret"}).explain(answer_of(status, body))


def test_one_call_serves_every_post_and_the_newest_update_wins() -> None:
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json={"ok": True, "result": [update(9), update(7), update(5, message=124)]})

    assert [count.likes for count in counts_of(answer)] == [7, 5]
    assert [(url.path, url.params["offset"]) for url in asked] == [("/bot1:secret/getUpdates", "-100")]


def test_a_post_without_an_update_is_not_said_and_neither_zero_nor_gone() -> None:
    assert likes_of() == [None, None]
    assert likes_of(update(5, message=124)) == [None, 5]
    assert likes_of(update(0)) == [0, None]


def test_a_channel_is_known_by_its_number_under_a_prefix_that_can_be_set() -> None:
    assert likes_of(update(7)) == [7, None]
    assert likes_of(update(7), private_prefix="-200") == [None, None]


def test_the_link_by_name_and_the_one_by_number_are_one_post() -> None:
    chat = {"ok": True, "result": {"id": -1001000000001, "type": "channel", "username": "HopeChannel"}}
    connector = open_connector(Telegram, {"token": "1:secret"})
    with session(connector, NAMED, always(chat)) as http:
        located = [connector.locate(http, post) for post in (NAMED, POST)]

    assert [(post.realm, post.native_id) for post in located] == [("telegram", "1000000001/123")] * 2


def test_other_updates_and_paid_reactions_do_not_count() -> None:
    assert likes_of({"update_id": 1, "channel_post": {}}, update(5000, kind="paid")) == [0, None]


def test_only_the_emojis_that_are_set_count() -> None:
    assert likes_of(update(7), emojis=["❤"]) == [0, None]
    assert likes_of(update(7), emojis=["👍\ufe0f"]) == [7, None]


def test_without_a_token_a_person_is_told_where_to_get_one() -> None:
    with pytest.raises(GrantLost, match=r"connectors\.telegram\.token is not set: .*BotFather"):
        counts_of(always({"ok": True, "result": []}), token=None)


def test_an_error_says_what_to_do() -> None:
    assert isinstance(meaning(409, {"ok": False}), Refused)
    assert isinstance(meaning(401, {"ok": False}), GrantLost)
    assert isinstance(meaning(404, {"ok": False}), GrantLost)
    body = {"ok": False, "parameters": {"retry_after": 30}}
    meant = meaning(429, body)
    assert isinstance(meant, Throttled)
    assert (meant.until - answered_at(answer_of(429, body))).total_seconds() == 30


@pytest.mark.parametrize("pause", [None, -1, 10**30, "soon", 1.5])
def test_a_pause_that_is_none_is_left_to_the_status(pause: object) -> None:
    assert meaning(429, {"ok": False, "parameters": {"retry_after": pause}}) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://t.me/hopechannel/123?comment=7",
        "https://t.me/hopechannel/123?comment",
        "https://t.me/hopechannel",
        "https://t.me/login/12345",
        "https://t.me/joinchat/12345",
        "https://t.me/hopechannel/0",
        "https://t.me/c/123",
        "https://t.me/1channel/123",
        "https://evil.t.me/hopechannel/123",
        "https://t.me.evil.example/hopechannel/123",
    ],
)
def test_a_link_that_is_no_channel_post_is_nobodys(url: str) -> None:
    assert Telegram.recognise(url) is None
