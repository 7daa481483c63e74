"""Flickr: who made a public photo a favourite, and when.

API: flickr.photos.getFavorites (flickr.com/services/api). What went wrong is `stat: "fail"` inside an answer of 200.
Pages are numbered and their order is not promised; a short link is the photo's id in base 58, read without a request.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from functools import reduce
from typing import Annotated, ClassVar

import httpx
import msgspec

from harvester.connector import (
    Budget,
    ContractBroken,
    Count,
    GrantLost,
    Http,
    Like,
    LikeTime,
    Missing,
    Need,
    Outcome,
    Page,
    Post,
    Provenance,
    QueryKey,
    Refused,
    Secret,
    Traits,
    Unstable,
    decode,
    needed,
    on_hosts,
    parse_epoch,
    server_address,
)

_DIGITS = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"  # of base 58: "1" is zero
_SHORT_PATH = re.compile(rf"/p/(?P<short>(?!1)[{_DIGITS}]{{1,11}})/?")
_PHOTO_PATH = re.compile(
    r"/photos/(?!tags/)[\w.@%-]+/(?P<id>[1-9][0-9]{0,18})(?:/(?:in|with|sizes)(?:/[\w@-]+)+)?/?", re.ASCII
)
_Number = int | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,12}$")]
_MEANINGS: dict[int, tuple[type[Outcome], str]] = {
    1: (Missing, "does not show this photo"),
    100: (GrantLost, "refuses the API key"),
    105: (Unstable, "is unavailable"),
    106: (Unstable, "failed"),
}


class FlickrSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`api` is the server that answers."""

    api_key: Annotated[
        Secret | None, Need("an API key; it has no scopes", "www.flickr.com/services/apps/create/apply")
    ] = None
    api: str = "https://api.flickr.com"


class _Failure(msgspec.Struct):
    stat: str
    code: int = 0


class _Person(msgspec.Struct):
    nsid: str
    favedate: _Number
    username: str | None = None


class _Favorites(msgspec.Struct):
    person: list[_Person]
    pages: _Number
    total: _Number


class _Answer(msgspec.Struct):
    photo: _Favorites


class Flickr:
    name: ClassVar[str] = "flickr"
    traits: ClassVar[Traits] = Traits(
        time=LikeTime.PLATFORM,
        page_max=50,
        budgets=(Budget(requests=3600, per=timedelta(hours=1)),),
        terms=("commercial use of the API needs Flickr's leave (flickr.com/services/developer/community)",),
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ("flickr.com", "flic.kr")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.flickr.com/photos/absentmindedprof/5227922370/",
        "https://flic.kr/p/8SPTwJ",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = FlickrSettings

    def __init__(self, settings: FlickrSettings) -> None:
        self._settings = settings
        self._api = server_address(settings.api, "api")
        self.origins: tuple[str, ...] = (self._api,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = on_hosts(url, cls.hosts)
        if parts is None:
            return None
        is_short = parts.hostname == "flic.kr"
        match = (_SHORT_PATH if is_short else _PHOTO_PATH).fullmatch(parts.path)
        if match is None:
            return None
        native_id = _from_base_58(match["short"]) if is_short else match["id"]
        return Post(platform=cls.name, native_id=native_id, realm=cls.name, url=url.strip())

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        totals = (self._favorites(http, post, page="1", size=1).total for post in posts)
        return tuple(Count(native_id=p.native_id, likes=int(total)) for p, total in zip(posts, totals, strict=True))

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        page = cursor or "1"
        answer = self._favorites(http, post, page=page, size=http.page_size)
        likes = (Like(actor=x.nsid, handle=x.username, at=parse_epoch(int(x.favedate))) for x in answer.person)
        return Page(likes=tuple(likes), cursor=str(int(page) + 1) if int(page) < int(answer.pages) else None)

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Read a `fail`; one that is not documented is left to the status, where that tells of an error."""
        try:
            answer = decode(response, _Failure)
        except ContractBroken:
            return None
        if answer.stat != "fail" or (response.is_error and answer.code not in _MEANINGS):
            return None
        kind, said = _MEANINGS.get(answer.code, (Refused, "refused"))
        return kind(f"Flickr {said} (error {answer.code})")

    def _favorites(self, http: Http, post: Post, *, page: str, size: int) -> _Favorites:
        params = {"method": "flickr.photos.getFavorites", "photo_id": post.native_id, "page": page}
        form = {"per_page": str(size), "format": "json", "nojsoncallback": "1"}
        auth = QueryKey("api_key", needed(self.name, self._settings, "api_key"))
        return decode(http.get(f"{self._api}/services/rest/", params=params | form, auth=auth), _Answer).photo


def _from_base_58(text: str) -> str:
    return str(reduce(lambda number, digit: number * 58 + _DIGITS.index(digit), text, 0))
