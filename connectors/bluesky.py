"""Bluesky: who liked a public post, as an AppView tells it.

API: app.bsky.feed.getLikes, app.bsky.feed.getPosts and com.atproto.identity.resolveHandle (docs.bsky.app/docs/api).
The liker's own client dates the like, so the list's order can be forged; and a deleted post still lists its likers:
only `fetch_counts`, by leaving it out, tells that it is gone.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from harvester.connector import (
    Budget,
    ContractBroken,
    Count,
    Http,
    Like,
    LikeTime,
    Order,
    Page,
    Post,
    Provenance,
    Traits,
    decode,
    origin_of,
    parse_instant,
    server_address,
    split_url,
)

_DID = r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]"
_AUTHORITY = rf"(?P<authority>{_DID}|(?:[A-Za-z0-9-]+\.)+[A-Za-z][A-Za-z0-9-]*)"
_RKEY = r"(?P<rkey>[A-Za-z0-9._:~-]{1,512})"
_WEB_PATH = re.compile(rf"/profile/{_AUTHORITY}/post/{_RKEY}/?")
_AT_URI = re.compile(rf"at://{_AUTHORITY}/app\.bsky\.feed\.post/{_RKEY}/?")


class BlueskySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`appview` is the server that answers: the public one, or one's own."""

    appview: str = "https://public.api.bsky.app"


class _Actor(msgspec.Struct):
    did: str
    handle: str | None = None


class _Like(msgspec.Struct, rename="camel"):
    actor: _Actor
    created_at: str


class _Likes(msgspec.Struct):
    likes: list[_Like]
    cursor: str | None = None


class _Record(msgspec.Struct, rename="camel"):
    created_at: object = None  # whatever the author's client wrote


class _View(msgspec.Struct, rename="camel"):
    uri: str
    record: _Record
    like_count: int | None = None
    indexed_at: str | None = None


class _Posts(msgspec.Struct):
    posts: list[_View]


class Bluesky:
    name: ClassVar[str] = "bluesky"
    traits: ClassVar[Traits] = Traits(
        order=Order.CLAIMED_DESC,
        time=LikeTime.CLAIMED,
        page_max=100,
        batch_max=25,
        budgets=(Budget(requests=3000, per=timedelta(minutes=5)),),
        handle_retention=timedelta(days=365),
        proven_by=(Provenance.RECORDED, Provenance.OFFICIAL, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("bsky.app",)
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://bsky.app/profile/alice.example/post/3k7qmjev5lr2s",
        "https://bsky.app/profile/did:plc:ic6zqvuw5ulmfpjiwnhsr2ns/post/3k7qmjev5lr2s",
        "at://did:plc:ic6zqvuw5ulmfpjiwnhsr2ns/app.bsky.feed.post/3k7qmjev5lr2s",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = BlueskySettings

    def __init__(self, settings: BlueskySettings) -> None:
        self._appview = server_address(settings.appview, "appview")
        self.origins: tuple[str, ...] = (self._appview,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read a bsky.app link or an AT-URI; the id is the AT-URI, under a handle until located."""
        url = url.strip()
        parts = split_url(url)
        is_web = parts is not None and origin_of(url) in ("https://bsky.app", "http://bsky.app")
        match = _WEB_PATH.fullmatch(parts.path) if parts and is_web else _AT_URI.fullmatch(url)
        if match is None:
            return None
        authority = match["authority"] if match["authority"].startswith("did:") else match["authority"].lower()
        return Post(platform=cls.name, native_id=_at_uri(authority, match["rkey"]), realm=cls.name, url=url)

    def locate(self, http: Http, post: Post) -> Post:
        """Put the author's DID in the place of the handle: an AppView fails on the handle form."""
        match = _AT_URI.fullmatch(post.native_id)
        if match is None or match["authority"].startswith("did:"):
            return post
        answer = http.get(self._xrpc("com.atproto.identity.resolveHandle"), params={"handle": match["authority"]})
        did = decode(answer, _Actor).did
        if not re.fullmatch(_DID, did):
            raise ContractBroken(f"{match['authority']} resolves to {did[:60]!r}, which is not a DID")
        return replace(post, native_id=_at_uri(did, match["rkey"]))

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        uris = tuple(("uris", post.native_id) for post in posts)
        answer = http.get(self._xrpc("app.bsky.feed.getPosts"), params=uris)
        shown = {view.uri: view for view in decode(answer, _Posts).posts}
        return tuple(_count(shown[uri]) for _, uri in uris if uri in shown)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        params = {"uri": post.native_id, "limit": str(http.page_size)} | ({"cursor": cursor} if cursor else {})
        answer = decode(http.get(self._xrpc("app.bsky.feed.getLikes"), params=params), _Likes)
        likes = (Like(actor=x.actor.did, handle=x.actor.handle, at=_instant(x.created_at)) for x in answer.likes)
        return Page(likes=tuple(likes), cursor=answer.cursor or None)  # an empty cursor names no place to go on from

    def _xrpc(self, method: str) -> str:
        return f"{self._appview}/xrpc/{method}"


def _at_uri(authority: str, rkey: str) -> str:
    return f"at://{authority}/app.bsky.feed.post/{rkey}"


def _count(view: _View) -> Count:
    published_at = _instant(view.indexed_at) or _instant(view.record.created_at)
    return Count(native_id=view.uri, likes=view.like_count, published_at=published_at)


def _instant(claimed: object) -> datetime | None:
    """Read a time that some client wrote; garbage is a time that nobody said, not a broken page."""
    try:
        return parse_instant(claimed) if isinstance(claimed, str) else None
    except ContractBroken:
        return None
