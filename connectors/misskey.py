"""Misskey, and the servers that speak its API: who reacted to a public note.

API: POST /api/notes/show and /api/notes/reactions (misskey-hub.net/en/docs/for-developers/api). Any emoji is a
reaction, in the count as in the list. Misskey and Sharkey page by `untilId` and ignore `offset`; Iceshrimp and older
servers do the opposite: the cursor holds both and every request sends both. No server is known that obeys both.

All list the newest first, so a sweep may stop early. Where likes are taken back during a walk by offset, older ones
move up: pages overlap by a fifth, and a liker that is lost all the same is found by the next full sweep.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar

import httpx
import msgspec

from harvester.connector import (
    Budget,
    ContractBroken,
    Count,
    Http,
    Like,
    LikeTime,
    Missing,
    Order,
    Outcome,
    Page,
    Post,
    Provenance,
    Refused,
    Throttled,
    Traits,
    answered_at,
    decode,
    origin_of,
    parse_instant,
    split_url,
)

_NOTE_PATH = re.compile(r"/notes/(?P<id>[0-9a-z]{10,32}|[0-9A-HJKMNP-TV-Z]{26})/?")  # the latter is a ULID
_MEMBERS_ONLY = ("CREDENTIAL_REQUIRED", "PERMISSION_DENIED", "ACCESS_DENIED")
_ReactionId = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z_-]{1,64}\Z")]


class MisskeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to set: only what a server shows to everybody is read."""


class _Note(msgspec.Struct, rename="camel"):
    id: str
    created_at: str
    reactions: dict[str, int]
    uri: str | None = None
    url: str | None = None


class _User(msgspec.Struct):
    id: str
    username: str | None = None
    host: str | None = None


class _Reaction(msgspec.Struct, rename="camel"):
    id: _ReactionId
    created_at: str
    user: _User | None  # null names nobody: an account that is gone must not stop a walk


class _Error(msgspec.Struct):
    code: str


class _Failure(msgspec.Struct):
    error: _Error


class Misskey:
    name: ClassVar[str] = "misskey"
    traits: ClassVar[Traits] = Traits(
        order=Order.SERVER_DESC,
        time=LikeTime.PLATFORM,
        page_max=100,
        budgets=(Budget(requests=60, per=timedelta(minutes=1)),),  # each server has its own limits and tells nobody
        handle_retention=timedelta(days=365),
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ()
    url_forms: ClassVar[tuple[str, ...]] = ("https://misskey.example/notes/9s8k2p1x4f",)
    settings_type: ClassVar[type[msgspec.Struct]] = MisskeySettings

    def __init__(self, settings: MisskeySettings) -> None:
        self.origins: tuple[str, ...] = ()

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = split_url(url)
        match = _NOTE_PATH.fullmatch(parts.path) if parts else None
        if match is None:
            return None
        host = origin_of(url).partition("://")[2]
        return Post(platform=cls.name, native_id=match["id"], realm=f"{cls.name}:{host}", url=url.strip())

    def locate(self, http: Http, post: Post) -> Post:
        """Go to the note's home: elsewhere is a copy that knows some of the reactions, under a second id."""
        note = self._note(http, post)
        links = [link for link in (note.uri, note.url) if link]
        homes = [home for link in links if (home := self.recognise(link))]
        if not links or any(home.realm == post.realm for home in homes):
            return post
        if not homes:
            raise Refused(f"{_host(post)} shows a copy of {links[-1][:200]!r}: use the link of that post's own server")
        return homes[0]

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(_count(self._note(http, post)) for post in posts)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        until, offset = cursor.split() if cursor else ("", "0")
        place = {"untilId": until, "offset": int(offset)} if cursor else {}
        asked = {"noteId": post.native_id, "limit": http.page_size, **place}
        reactions = decode(http.post(f"{post.origin}/api/notes/reactions", json=asked), list[_Reaction])
        likes = tuple(_like(reaction, reaction.user) for reaction in reactions if reaction.user)
        if not reactions or reactions[-1].id == until:
            return Page(likes=likes, cursor=None)
        overlap = http.page_size // 5
        step = len(reactions) - overlap if len(reactions) > overlap else len(reactions)
        return Page(likes=likes, cursor=f"{reactions[-1].id} {int(offset) + step}")

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Read the code of an error: servers disagree on its status, 200 included."""
        try:
            code = decode(response, _Failure).error.code
        except ContractBroken:
            return None
        host = response.request.url.host
        if code == "NO_SUCH_NOTE":
            return Missing(f"{host} does not know this note")
        if code == "RATE_LIMIT_EXCEEDED" and response.status_code != 429:  # of 429 the client reads the pause
            return Throttled(answered_at(response) + timedelta(minutes=1), f"{host} asked for a pause")
        return Refused(f"{host} shows this to its members only") if code in _MEMBERS_ONLY else None

    def _note(self, http: Http, post: Post) -> _Note:
        note = decode(http.post(f"{post.origin}/api/notes/show", json={"noteId": post.native_id}), _Note)
        if note.id != post.native_id:  # two names of one post would be credited twice
            raise ContractBroken(f"{_host(post)} knows {post.native_id} as {note.id[:40]!r}: use that note's URL")
        return note


def _count(note: _Note) -> Count:
    likes = sum(note.reactions.values())
    return Count(native_id=note.id, likes=likes, published_at=parse_instant(note.created_at))


def _like(reaction: _Reaction, user: _User) -> Like:
    handle = f"{user.username}@{user.host}" if user.username and user.host else user.username
    return Like(actor=user.id, handle=handle, at=parse_instant(reaction.created_at))


def _host(post: Post) -> str:
    return post.realm.partition(":")[2]
