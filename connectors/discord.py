"""Discord: who reacted to a message in a server that our bot has joined.

API: GET /channels/{id}/messages/{id} and .../reactions/{emoji} (docs.discord.com/developers/resources/message). Each
emoji has a list, and another of super reactions: the first page is empty and its cursor names the lists to walk. The
count is of reactions: a person who used three emojis is one liker and counts three.

Lists are ordered by user id, so a new liker may appear on any page; only an empty page ends one.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar
from urllib.parse import quote

import httpx
import msgspec

from harvester.connector import (
    Bearer,
    Budget,
    ContractBroken,
    Count,
    Http,
    Like,
    Missing,
    Need,
    Order,
    Outcome,
    Page,
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
    parse_instant,
    server_address,
)

_POST_PATH = re.compile(r"/channels/[1-9][0-9]{16,19}/(?P<channel>[1-9][0-9]{16,19})/(?P<message>[1-9][0-9]{16,19})/?")
_SITES = re.compile(r"(?:www\.|ptb\.|canary\.)?discord(?:app)?\.com")
_NO_ACCESS = "the bot may not read this channel: let it View Channel and Read Message History"
_ERRORS: dict[int, tuple[type[Outcome], str]] = {
    10003: (Missing, "Discord does not know this channel"),
    10008: (Missing, "Discord does not know this message"),
    10014: (Refused, "Discord does not know an emoji that it showed"),  # which says nothing about the message
    50001: (Refused, _NO_ACCESS),
    50013: (Refused, _NO_ACCESS),
}
_EMOJI_STYLE = "\ufe0f"  # whether it is written differs from client to client
_UserId = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,20}\Z")]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=31_622_400)]


class DiscordSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`emojis` are the reactions that count, such as "👍" or the name of a server's own; all when it is empty."""

    token: Annotated[
        Secret | None,
        Need(
            "the token of a bot that has joined the server (scope bot; permissions View Channel, Read Message History)",
            "https://discord.com/developers/applications",
        ),
    ] = None
    emojis: tuple[str, ...] = ()
    api: str = "https://discord.com"


class _Emoji(msgspec.Struct):
    name: str | None
    id: str | None = None


class _Details(msgspec.Struct):
    normal: int | None = None
    burst: int | None = None


class _Reaction(msgspec.Struct):
    count: int
    emoji: _Emoji
    count_details: _Details = msgspec.field(default_factory=_Details)


class _Message(msgspec.Struct):
    id: str
    timestamp: str
    reactions: list[_Reaction] = []  # left out where nobody reacted


class _User(msgspec.Struct):
    id: _UserId


class _Failure(msgspec.Struct):
    code: int = 0
    retry_after: _Seconds | None = None


class _Place(msgspec.Struct, array_like=True):
    """Where a walk is: the lists (emoji and type) left, the one at hand first, and the last user seen on it."""

    lists: list[tuple[str, int]]
    after: str = ""

    def cursor(self) -> str | None:
        return msgspec.json.encode(self).decode("ascii") if self.lists else None


class Discord:
    name: ClassVar[str] = "discord"
    traits: ClassVar[Traits] = Traits(
        order=Order.ACTOR_ID,
        page_max=100,
        budgets=(Budget(requests=50, per=timedelta(seconds=1)),),  # the global limit; the others come in headers
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ("discord.com", "discordapp.com")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://discord.com/channels/613425648685547541/697138785317814292/1233093464812851241",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = DiscordSettings

    def __init__(self, settings: DiscordSettings) -> None:
        self._settings = settings
        self._emojis = frozenset(emoji.replace(_EMOJI_STYLE, "") for emoji in settings.emojis)
        self._api = server_address(settings.api, "api")
        self.origins: tuple[str, ...] = (self._api,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read a message's link; a direct message (/channels/@me/...) is no post."""
        parts = on_hosts(url, cls.hosts)
        match = _POST_PATH.fullmatch(parts.path) if parts and _SITES.fullmatch(parts.hostname or "") else None
        if match is None:
            return None
        return Post(
            platform=cls.name, native_id=f"{match['channel']}/{match['message']}", realm=cls.name, url=url.strip()
        )

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(self._count(http, post) for post in posts)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        if cursor is None:
            return Page(likes=(), cursor=_Place(self._lists(http, post)).cursor())
        place = msgspec.json.decode(cursor, type=_Place)
        emoji, kind = place.lists[0]
        params = {"limit": str(http.page_size), "type": str(kind)} | ({"after": place.after} if place.after else {})
        users = decode(self._get(http, f"{_path(post)}/reactions/{emoji}", params), list[_User])
        further = _Place(place.lists, users[-1].id) if users else _Place(place.lists[1:])
        likes = tuple(Like(actor=user.id) for user in users)
        return Page(likes=likes, cursor=further.cursor(), part=f"{emoji}/{kind}")

    def explain(self, response: httpx.Response) -> Outcome | None:
        try:
            failure = decode(response, _Failure)
        except ContractBroken:
            return None
        if response.status_code == 429 and failure.retry_after is not None:
            until = answered_at(response) + timedelta(seconds=failure.retry_after)
            return Throttled(until, "Discord asked for a pause")
        kind, told = _ERRORS.get(failure.code, (None, ""))
        return kind(told) if kind else None

    def _get(self, http: Http, path: str, params: dict[str, str] | None = None) -> httpx.Response:
        auth = Bearer(needed(self.name, self._settings, "token"), kind="Bot")
        return http.get(f"{self._api}/api/v10{path}", params=params, auth=auth)

    def _message(self, http: Http, post: Post) -> _Message:
        message = decode(self._get(http, _path(post)), _Message)
        if message.id != post.native_id.partition("/")[2]:
            raise ContractBroken(f"Discord knows {post.native_id} as {message.id[:40]!r}")
        return message

    def _reactions(self, message: _Message) -> list[_Reaction]:
        """Give the reactions that count: the same set for the number as for the lists."""
        return [one for one in message.reactions if not self._emojis or _plain(one.emoji) in self._emojis]

    def _count(self, http: Http, post: Post) -> Count:
        message = self._message(http, post)
        likes = sum(reaction.count for reaction in self._reactions(message))
        return Count(native_id=post.native_id, likes=likes, published_at=parse_instant(message.timestamp))

    def _lists(self, http: Http, post: Post) -> list[tuple[str, int]]:
        """Name the lists to walk, but those that Discord says are empty."""
        return [
            (_segment(reaction.emoji), kind)
            for reaction in self._reactions(self._message(http, post))
            for kind, number in enumerate((reaction.count_details.normal, reaction.count_details.burst))
            if number != 0
        ]


def _path(post: Post) -> str:
    channel, _, message = post.native_id.partition("/")
    return f"/channels/{channel}/messages/{message}"


def _plain(emoji: _Emoji) -> str:
    return (emoji.name or "").replace(_EMOJI_STYLE, "")


def _segment(emoji: _Emoji) -> str:
    """Write an emoji as a path has it: itself, or name:id; one deleted since has lost its name."""
    text = f"{emoji.name or '_'}:{emoji.id}" if emoji.id else emoji.name or "_"
    return quote(text, safe="", errors="replace")
