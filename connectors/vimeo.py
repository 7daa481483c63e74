"""Vimeo: who liked a video, the earliest first.

API: GET /videos/:id/likes and /videos/:id (developer.vimeo.com/api/reference). Pages are numbered; oldest first, a new
like moves nobody. An unlisted video answers to `id:hash` alone: the hash stays in the link, because a video has one id
with it and without.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from harvester.connector import (
    ApiVersion,
    Bearer,
    Budget,
    ContractBroken,
    Count,
    GrantFacts,
    Http,
    Like,
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
    parse_epoch,
    parse_instant,
    server_address,
)

_PATH = re.compile(
    r"/(?:video/|channels/[\w-]+/|groups/[\w-]+/videos/|(?:showcase|album)/[\w-]+/video/)?"
    r"(?P<id>[1-9][0-9]{0,14})(?:/(?P<hash>[0-9a-f]{6,32}))?/?",
    re.ASCII,
)
_SITES = ("vimeo.com", "www.vimeo.com", "player.vimeo.com")
_VERSION = "3.4"


class VimeoSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`api` is the server that answers."""

    token: Annotated[
        Secret | None,
        Need("an access token, scope public (and private for one's own videos)", "developer.vimeo.com/apps"),
    ] = None
    api: str = "https://api.vimeo.com"


class _User(msgspec.Struct):
    uri: Annotated[str, msgspec.Meta(pattern=r"^/users/[1-9][0-9]*$")]
    name: str | None = None


class _Paging(msgspec.Struct):
    next: str | None = None


class _Likers(msgspec.Struct):
    data: list[_User]
    paging: _Paging


class _Likes(msgspec.Struct):
    total: int | None = None


class _Connections(msgspec.Struct):
    likes: _Likes | None = None


class _Metadata(msgspec.Struct):
    connections: _Connections | None = None


class _Video(msgspec.Struct):
    created_time: str
    release_time: str | None = None
    metadata: _Metadata | None = None


class _Named(msgspec.Struct):
    name: str


class _Token(msgspec.Struct):
    scope: str
    app: _Named
    user: _Named | None = None
    expires_on: int | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}$")] | None = None


class Vimeo:
    name: ClassVar[str] = "vimeo"
    traits: ClassVar[Traits] = Traits(
        order=Order.ASC,
        page_max=100,
        budgets=(Budget(requests=25, per=timedelta(minutes=1)),),  # the plan decides: headers tell of more or less
        proven_by=(Provenance.CAPTURED, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("vimeo.com",)
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://vimeo.com/29433509",
        "https://vimeo.com/29433509/0123456789",
        "https://player.vimeo.com/video/29433509",
        "https://vimeo.com/channels/staffpicks/29433509",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = VimeoSettings
    version: ClassVar[ApiVersion] = ApiVersion(name=_VERSION, note="Vimeo names no day on which it ends")

    def __init__(self, settings: VimeoSettings) -> None:
        self._settings = settings
        self._api = server_address(settings.api, "api")
        self.origins: tuple[str, ...] = (self._api,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = on_hosts(url, cls.hosts)
        match = _PATH.fullmatch(parts.path) if parts and parts.hostname in _SITES else None
        if match is None:
            return None
        return Post(platform=cls.name, native_id=match["id"], realm=cls.name, url=url.strip())

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        fields = "created_time,release_time,metadata.connections.likes.total"
        videos = (decode(self._get(http, _path(post), fields=fields), _Video) for post in posts)
        return tuple(_count(post, video) for post, video in zip(posts, videos, strict=True))

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        params = {"sort": "date", "direction": "asc", "page": cursor or "1", "per_page": str(http.page_size)}
        answer = decode(self._get(http, f"{_path(post)}/likes", fields="uri,name", **params), _Likers)
        likes = (Like(actor=user.uri.removeprefix("/users/"), handle=user.name) for user in answer.data)
        return Page(likes=tuple(likes), cursor=_page_number(answer.paging.next))

    def fetch_grant(self, http: Http) -> GrantFacts:
        token = decode(self._get(http, "/oauth/verify"), _Token)
        expires_at = None if token.expires_on is None else parse_epoch(int(token.expires_on))
        account = (token.user or token.app).name
        return GrantFacts(account=account, scopes=frozenset(token.scope.split()), expires_at=expires_at)

    def _get(self, http: Http, path: str, **params: str) -> httpx.Response:
        auth = Bearer(needed(self.name, self._settings, "token"))
        accept = {"accept": f"application/vnd.vimeo.*+json;version={_VERSION}"}
        return http.get(f"{self._api}{path}", params=params, headers=accept, auth=auth)


def _path(post: Post) -> str:
    """Name the video to the API, with the hash that its link carries when it is unlisted."""
    parts = urlsplit(post.url)
    match = _PATH.fullmatch(parts.path)
    found = re.fullmatch(r"[0-9a-f]{6,32}", (match and match["hash"]) or parse_qs(parts.query).get("h", [""])[0])
    return f"/videos/{post.native_id}:{found[0]}" if found else f"/videos/{post.native_id}"


def _count(post: Post, video: _Video) -> Count:
    connections = video.metadata.connections if video.metadata else None
    likes = connections.likes if connections else None
    published_at = parse_instant(video.release_time or video.created_time)
    return Count(native_id=post.native_id, likes=likes.total if likes else None, published_at=published_at)


def _page_number(link: str | None) -> str | None:
    """Take the number of the page that a link names; where it leads is not followed."""
    if link is None:
        return None
    number = re.search(r"[?&]page=([1-9][0-9]{0,8})(?:&|$)", link)
    if number is None:
        raise ContractBroken("the next page has no number")
    return number[1]
