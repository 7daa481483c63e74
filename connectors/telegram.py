"""Telegram: how many reactions a channel post has, as far as our bot is told.

API: getChat, getUpdates and its message_reaction_count updates (core.telegram.org/bots/api). No method reads a post's
reactions: Telegram tells the bot, an administrator of the channel, the whole number whenever it changes, up to a few
minutes late, and keeps that for 24 hours. What cannot be known: who reacted; the number of a post that nobody reacted
to since the bot began to ask, or for a day; a change that nobody fetched for 24 hours or that 100 newer ones displaced;
whether a post is still there. All of these are "not said now": never zero, never gone.

Every call reads the newest 100 updates and confirms none, so it can be repeated. The bot must be ours alone: another
reader or a webhook makes Telegram refuse (409). Paid reactions do not count: one person may send thousands.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar
from urllib.parse import parse_qs

import httpx
import msgspec

from harvester.connector import (
    Budget,
    ContractBroken,
    Count,
    GrantLost,
    Http,
    Need,
    Outcome,
    PathKey,
    Post,
    Provenance,
    Refused,
    Secret,
    Throttled,
    Traits,
    answered_at,
    decode,
    needed,
    on_hosts,
    server_address,
)

_NO_CHANNEL = r"(?!(?:joinchat|add\w+|boost|contact|giftcode|invoice|login|proxy|setlanguage|share)/)"
_POST_PATH = re.compile(
    rf"/(?:c/(?P<chat>[1-9][0-9]{{0,15}})|(?:s/)?{_NO_CHANNEL}(?P<name>[A-Za-z][A-Za-z0-9_]{{3,31}}))"
    r"/(?:[1-9][0-9]{0,15}/)?(?P<message>[1-9][0-9]{0,15})/?",
    re.ASCII | re.IGNORECASE,
)
_NEWEST = {"offset": "-100", "limit": "100", "timeout": "0", "allowed_updates": '["message_reaction_count"]'}
_EMOJI_STYLE = "\ufe0f"  # whether it is written differs from client to client
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=31_622_400)]


class TelegramSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`emojis` (or ids of custom ones) are the reactions that count; all when it is empty.

    `private_prefix` makes the chat id of a t.me/c/ID link; Telegram documents no such mapping.
    """

    token: Annotated[
        Secret | None,
        Need(
            "the token of a bot that is administrator of the channel and serves nothing else", "https://t.me/BotFather"
        ),
    ] = None
    emojis: tuple[str, ...] = ()
    private_prefix: str = "-100"
    api: str = "https://api.telegram.org"


class _Chat(msgspec.Struct):
    id: int


class _Found(msgspec.Struct):
    result: _Chat


class _Type(msgspec.Struct):
    type: str
    emoji: str | None = None
    custom_emoji_id: str | None = None


class _Reactions(msgspec.Struct):
    type: _Type
    total_count: int


class _Counted(msgspec.Struct):
    chat: _Chat
    message_id: int
    reactions: list[_Reactions]


class _Update(msgspec.Struct):
    message_reaction_count: _Counted | None = None  # other kinds may come for a while after the first call


class _Updates(msgspec.Struct):
    result: list[_Update]


class _Parameters(msgspec.Struct):
    retry_after: _Seconds


class _Failure(msgspec.Struct):
    parameters: _Parameters


class Telegram:
    name: ClassVar[str] = "telegram"
    traits: ClassVar[Traits] = Traits(
        batch_max=100,
        budgets=(Budget(requests=30, per=timedelta(minutes=1)),),  # none is documented for reading updates
        proven_by=(Provenance.CAPTURED, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("t.me", "telegram.me")
    url_forms: ClassVar[tuple[str, ...]] = ("https://t.me/durov/123", "https://t.me/c/2236736395/36")
    settings_type: ClassVar[type[msgspec.Struct]] = TelegramSettings

    def __init__(self, settings: TelegramSettings) -> None:
        self._settings = settings
        self._emojis = frozenset(emoji.replace(_EMOJI_STYLE, "") for emoji in settings.emojis)
        self._api = server_address(settings.api, "api")
        self.origins: tuple[str, ...] = (self._api,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read a channel post's link; one with ?comment= leads to a comment, which is another post."""
        parts = on_hosts(url, cls.hosts)
        match = _POST_PATH.fullmatch(parts.path) if parts and parts.hostname in cls.hosts else None
        if parts is None or match is None or "comment" in parse_qs(parts.query, keep_blank_values=True):
            return None
        channel = match["chat"] or match["name"].lower()
        return Post(platform=cls.name, native_id=f"{channel}/{match['message']}", realm=cls.name, url=url.strip())

    def locate(self, http: Http, post: Post) -> Post:
        """Put the channel's number in the place of its name: a name can change, and is a second name of one post."""
        channel, _, message = post.native_id.partition("/")
        if channel.isdecimal():
            return post
        chat = decode(self._ask(http, "getChat", {"chat_id": f"@{channel}"}), _Found).result
        return replace(post, native_id=f"{self._number(chat)}/{message}")

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        updates = decode(self._ask(http, "getUpdates", _NEWEST), _Updates).result
        said: dict[str, int] = {}
        for counted in (one for update in updates if (one := update.message_reaction_count)):
            likes = sum(kind.total_count for kind in counted.reactions if self._does_count(kind.type))
            said[f"{self._number(counted.chat)}/{counted.message_id}"] = likes
        return tuple(Count(native_id=post.native_id, likes=said.get(post.native_id)) for post in posts)

    def explain(self, response: httpx.Response) -> Outcome | None:
        if response.status_code == 409:
            return Refused(
                "another program or a webhook reads this bot's updates: stop it, or make a bot for harvester alone"
            )
        if response.status_code in (401, 404):  # the only path we ask is the bot's own
            return GrantLost("Telegram knows no bot with this token")
        try:
            pause = decode(response, _Failure).parameters.retry_after
        except ContractBroken:
            return None
        return Throttled(answered_at(response) + timedelta(seconds=pause), "Telegram asked for a pause")

    def _does_count(self, kind: _Type) -> bool:
        """Tell whether a reaction is a like here."""
        emoji = (kind.emoji or kind.custom_emoji_id or "").replace(_EMOJI_STYLE, "")
        return kind.type != "paid" and (not self._emojis or emoji in self._emojis)

    def _ask(self, http: Http, method: str, params: Mapping[str, str]) -> httpx.Response:
        auth = PathKey("/bot", needed(self.name, self._settings, "token"))
        return http.get(f"{self._api}/{method}", params=params, auth=auth)

    def _number(self, chat: _Chat) -> str:
        """Name a channel as a /c/ link does."""
        return str(chat.id).removeprefix(self._settings.private_prefix)
