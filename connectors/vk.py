"""VK: who liked a public post, photo or video.

API: likes.getList, wall.getById and users.get (dev.vk.com/method). What went wrong is an `error` inside an answer of
200. VK does not say when someone liked, nor in which order it lists: pages overlap by a fifth, because an un-like
between two pages moves the rest of the list forward.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Generic, TypeVar
from urllib.parse import parse_qs

import httpx
import msgspec

from harvester.connector import (
    ApiVersion,
    Bearer,
    Budget,
    ContractBroken,
    Count,
    GrantFacts,
    GrantLost,
    Http,
    Like,
    Missing,
    Need,
    Outcome,
    Page,
    Post,
    Provenance,
    Refused,
    Secret,
    Throttled,
    Traits,
    Unstable,
    answered_at,
    decode,
    needed,
    on_hosts,
    parse_epoch,
    server_address,
)

T = TypeVar("T")

_ITEM = re.compile(r"(wall|photo|video|clip)(-?[1-9][0-9]{0,18})_([1-9][0-9]{0,18})")
# Too many in one second; then a flood and a method's quota, of which VK names no end: a quota is asked after hourly.
_PAUSES = {6: timedelta(seconds=1), 9: timedelta(minutes=5), 29: timedelta(hours=1)}
_MEANINGS: dict[int, tuple[type[Outcome], str]] = {
    1: (Unstable, "failed"),
    5: (GrantLost, "refuses the token: it is wrong, expired or bound to another address"),
    10: (Unstable, "failed"),
    14: (Refused, "wants a person to solve a captcha: log in there as the token's owner, or poll less often"),
    17: (GrantLost, "wants the token's owner to confirm the account in a browser"),
    18: (Missing, "says the post's owner is deleted or banned"),
    27: (GrantLost, "refuses the community's token"),
    28: (GrantLost, "refuses the app's token"),
    30: (Refused, "says this profile is private"),
    100: (Refused, "does not accept the post's id: deleted, perhaps, or the link is mistyped"),
}


class VkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`api` is the server that answers, `version` the one asked for."""

    token: Annotated[
        Secret | None,
        Need("a service key of your VK app, or a user's token; public posts need no scope", "id.vk.com/business/go"),
    ] = None
    api: str = "https://api.vk.com"
    version: str = "5.199"


class _Error(msgspec.Struct):
    error_code: int


class _Failure(msgspec.Struct):
    error: _Error | None = None


class _Answer(msgspec.Struct, Generic[T]):
    response: T


class _Count(msgspec.Struct):
    count: int


class _Likers(_Count):
    items: list[int]


class _WallPost(msgspec.Struct):
    id: int
    owner_id: int
    date: int | None = None
    likes: _Count | None = None
    is_deleted: bool = False


class _Wall(msgspec.Struct):
    items: list[_WallPost]


class _User(msgspec.Struct):
    id: int


class Vk:
    name: ClassVar[str] = "vk"
    traits: ClassVar[Traits] = Traits(
        page_max=1000,
        budgets=(Budget(requests=3, per=timedelta(seconds=1)),),
        proven_by=(Provenance.CAPTURED, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("vk.com", "vk.ru")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://vk.com/wall-1_340364",
        "https://vk.com/feed?w=wall-1_340364",
        "https://vk.com/album-1_00?z=photo-1_456239017%2Falbum-1_00",
        "https://vk.com/video-1_456239018",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = VkSettings

    def __init__(self, settings: VkSettings) -> None:
        self._settings = settings
        self._api = server_address(settings.api, "api")
        self.origins: tuple[str, ...] = (self._api,)
        self.version = ApiVersion(name=settings.version, note="VK names no day on which a version ends")

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read a link to an item, or to a page that shows one on top (`w=`, `z=`); a clip is a video."""
        parts = on_hosts(url, cls.hosts)
        if parts is None:
            return None
        query = parse_qs(parts.query)
        shown = [value.partition("/")[0] for value in query.get("w", []) + query.get("z", [])]
        match = _ITEM.fullmatch(shown[0] if shown else parts.path.strip("/"))
        if match is None or "reply" in query or len(shown) > 1:
            return None
        native_id = match[0].replace("clip", "video")
        return Post(platform=cls.name, native_id=native_id, realm=cls.name, url=url.strip())

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(count for post in posts if (count := self._count(http, post)))

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        offset, size = int(cursor or 0), http.page_size
        listed = self._likers(http, post, offset, size)
        is_last = not listed.items or offset + len(listed.items) >= listed.count
        likes = tuple(Like(actor=str(liker)) for liker in listed.items)
        return Page(likes=likes, cursor=None if is_last else str(offset + max(1, size * 4 // 5)))

    def fetch_grant(self, http: Http) -> GrantFacts:
        """Ask who the token's user is; a service key has none."""
        users = decode(self._call(http, "users.get"), _Answer[list[_User]]).response
        return GrantFacts(account=f"id{users[0].id}" if users else "a service key")

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Read the `error` of an answer; one that is not VK's is left to the status or to whoever decodes it."""
        try:
            error = decode(response, _Failure).error
        except ContractBroken:
            return None
        if error is None or (response.is_error and error.error_code not in {**_PAUSES, **_MEANINGS}):
            return None
        return _outcome(error.error_code, answered_at(response))

    def _count(self, http: Http, post: Post) -> Count | None:
        """Read a number of likes; only of a post on a wall VK says when it was published and that it is gone."""
        if not post.native_id.startswith("wall"):
            return Count(native_id=post.native_id, likes=self._likers(http, post, 0, 1).count)
        answer = self._call(http, "wall.getById", posts=post.native_id.removeprefix("wall"))
        for shown in decode(answer, _Answer[_Wall]).response.items:
            if f"wall{shown.owner_id}_{shown.id}" == post.native_id and not shown.is_deleted:
                likes = shown.likes.count if shown.likes else None
                published_at = None if shown.date is None else parse_epoch(shown.date)
                return Count(native_id=post.native_id, likes=likes, published_at=published_at)
        return None

    def _likers(self, http: Http, post: Post, offset: int, count: int) -> _Likers:
        kind, owner, item = _ITEM.findall(post.native_id)[0]
        params = {"type": "post" if kind == "wall" else kind, "owner_id": owner, "item_id": item, "filter": "likes"}
        answer = self._call(http, "likes.getList", **params, offset=str(offset), count=str(count))
        return decode(answer, _Answer[_Likers]).response

    def _call(self, http: Http, method: str, **params: str) -> httpx.Response:
        auth = Bearer(needed(self.name, self._settings, "token"))
        return http.get(f"{self._api}/method/{method}", params=params | {"v": self.version.name}, auth=auth)


def _outcome(code: int, at: datetime) -> Outcome:
    if code in _PAUSES:
        return Throttled(at + _PAUSES[code], f"VK asked for a pause (error {code})")
    kind, said = _MEANINGS.get(code, (Refused, "refused"))
    return kind(f"VK {said} (error {code})")
