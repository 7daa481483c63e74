"""Tumblr: who liked a public post, as its notes tell.

API: GET /v2/blog/:blog/notes (github.com/tumblr/docs, api.md). `mode=likes` lists the likes among the notes, in pages
of the server's size; only `mode=conversation` says how many likes there are, for what `total_notes` counts depends on
the mode. A page ends at a whole second and may leave that second's other likers behind: the next one begins with it.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar, Generic, TypeVar

import msgspec

from harvester.connector import (
    Budget,
    Count,
    Http,
    Like,
    LikeTime,
    Need,
    Order,
    Page,
    Post,
    Provenance,
    QueryKey,
    Secret,
    Traits,
    decode,
    needed,
    on_hosts,
    parse_epoch,
    server_address,
)

T = TypeVar("T")

_BLOG = r"[a-z0-9][a-z0-9-]{0,31}"
_SUBDOMAIN = re.compile(rf"(?!(?:www|api|assets|static|media|help|blog)\.)(?P<blog>{_BLOG})\.tumblr\.com")
_POST = r"(?P<id>[1-9][0-9]{0,19})(?:/[^/]*)?/?"
_BLOG_PATH = re.compile(rf"/post/{_POST}")
_SITE_PATH = re.compile(
    r"/(?:blog/view/|@)?(?!(?:blog|communities|dashboard|docs|edit|inbox|message|post|reblog|search|tagged)/)"
    rf"(?P<blog>{_BLOG})/{_POST}"
)


class TumblrSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`api` is the server that answers."""

    api_key: Annotated[
        Secret | None, Need("the OAuth consumer key of an application; it has no scopes", "www.tumblr.com/oauth/apps")
    ] = None
    api: str = "https://api.tumblr.com"


class _Note(msgspec.Struct):
    type: str
    timestamp: int
    blog_uuid: str = ""  # a blog's name changes; a like without the lasting id is refused as a liker without an id
    blog_name: str | None = None


class _Query(msgspec.Struct):
    before_timestamp: int | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}$")]


class _Next(msgspec.Struct):
    query_params: _Query


class _Links(msgspec.Struct):
    next: _Next | None = None


class _Notes(msgspec.Struct, rename={"links": "_links"}):
    notes: list[_Note]
    links: _Links | None = None


class _Totals(msgspec.Struct):
    total_likes: int


class _Answer(msgspec.Struct, Generic[T]):
    response: T


class Tumblr:
    name: ClassVar[str] = "tumblr"
    traits: ClassVar[Traits] = Traits(
        order=Order.SERVER_DESC,
        time=LikeTime.PLATFORM,
        page_max=20,  # neither documented nor asked for: only a plan reckons with it
        budgets=(
            Budget(requests=300, per=timedelta(minutes=1)),
            Budget(requests=1000, per=timedelta(hours=1)),
            Budget(requests=5000, per=timedelta(days=1)),
        ),
        proven_by=(Provenance.OFFICIAL, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("tumblr.com",)
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.tumblr.com/staff/659803739627094017",
        "https://staff.tumblr.com/post/659803739627094017/a-title",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = TumblrSettings

    def __init__(self, settings: TumblrSettings) -> None:
        self._settings = settings
        self._api = server_address(settings.api, "api")
        self.origins: tuple[str, ...] = (self._api,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = on_hosts(url, cls.hosts)
        if parts is None:
            return None
        host, path = parts.hostname or "", parts.path.lower()
        own = _SUBDOMAIN.fullmatch(host)
        match = _BLOG_PATH.fullmatch(path) if own else _SITE_PATH.fullmatch(path)
        if match is None or not (own or host in ("tumblr.com", "www.tumblr.com")):
            return None
        native_id = f"{(own or match)['blog']}/{match['id']}"
        return Post(platform=cls.name, native_id=native_id, realm=cls.name, url=url.strip())

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        totals = (self._notes(http, post, _Answer[_Totals], mode="conversation") for post in posts)
        return tuple(Count(native_id=p.native_id, likes=t.total_likes) for p, t in zip(posts, totals, strict=True))

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        before = {"before_timestamp": cursor} if cursor else {}
        answer = self._notes(http, post, _Answer[_Notes], mode="likes", **before)
        likes = (
            Like(actor=note.blog_uuid, handle=note.blog_name, at=parse_epoch(note.timestamp))
            for note in answer.notes
            if note.type == "like"
        )
        return Page(likes=tuple(likes), cursor=_next_second(answer))

    def _notes(self, http: Http, post: Post, type_: type[_Answer[T]], **params: str) -> T:
        blog, _, post_id = post.native_id.partition("/")
        auth = QueryKey("api_key", needed(self.name, self._settings, "api_key"))
        answer = http.get(f"{self._api}/v2/blog/{blog}/notes", params={"id": post_id} | params, auth=auth)
        return decode(answer, type_).response


def _next_second(answer: _Notes) -> str | None:
    """Overlap the next page by a second, unless this page is that second alone: then its other likers are lost.

    The address that the platform names is not followed: only its second is taken.
    """
    if answer.links is None or answer.links.next is None:
        return None
    second = int(answer.links.next.query_params.before_timestamp)
    reaches_beyond = any(note.timestamp > second for note in answer.notes)
    return str(second + reaches_beyond)
