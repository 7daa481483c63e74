"""Example: who liked a post on likes.example, and how many did.

API: GET /v1/posts/:id and /v1/posts/:id/likers (an invented platform). Authors may hide the number.
"""

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec

from harvester.connector import (
    Bearer,
    ContractBroken,
    Count,
    Http,
    Like,
    LikeTime,
    Need,
    Order,
    Page,
    Post,
    Provenance,
    Secret,
    Traits,
    decode,
    needed,
    on_hosts,
    parse_instant,
)

_API = "https://api.likes.example"
_PATH = re.compile(r"/posts/(?P<id>[1-9][0-9]{0,18})/?", re.ASCII)


class ExampleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`token` is what every request is signed with."""

    token: Annotated[Secret | None, Need("a token that may read", "https://likes.example/settings")] = None


class _Liker(msgspec.Struct):
    id: str
    name: str
    liked_at: str


class _Likers(msgspec.Struct):
    likers: list[_Liker]
    next: str | None = None


class _Post(msgspec.Struct):
    id: str
    likes: int | None = None  # left out where the author hides it


class Example:
    name: ClassVar[str] = "example"
    traits: ClassVar[Traits] = Traits(
        order=Order.SERVER_DESC,
        time=LikeTime.PLATFORM,
        page_max=100,
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ("likes.example",)
    url_forms: ClassVar[tuple[str, ...]] = ("https://likes.example/posts/42",)
    settings_type: ClassVar[type[msgspec.Struct]] = ExampleSettings

    def __init__(self, settings: ExampleSettings) -> None:
        self._settings = settings
        self.origins: tuple[str, ...] = (_API,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = on_hosts(url, cls.hosts)
        match = _PATH.fullmatch(parts.path) if parts else None
        return Post(platform=cls.name, native_id=match["id"], realm=cls.name, url=url.strip()) if match else None

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(self._count(http, post) for post in posts)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        params = {"limit": str(http.page_size)} | ({"after": cursor} if cursor else {})
        answer = decode(http.get(f"{_API}/v1/posts/{post.native_id}/likers", params=params, auth=self._auth), _Likers)
        likes = (Like(actor=one.id, handle=one.name, at=parse_instant(one.liked_at)) for one in answer.likers)
        return Page(likes=tuple(likes), cursor=answer.next)

    def _count(self, http: Http, post: Post) -> Count:
        shown = decode(http.get(f"{_API}/v1/posts/{post.native_id}", auth=self._auth), _Post)
        if shown.id != post.native_id:
            raise ContractBroken("likes.example shows another post in the place of this one")
        return Count(native_id=shown.id, likes=shown.likes)

    @property
    def _auth(self) -> Bearer:
        return Bearer(needed(self.name, self._settings, "token"))
