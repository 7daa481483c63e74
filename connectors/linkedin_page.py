"""LinkedIn: who reacted to a post of a company page, when and how many, for the page's administrators.

API: GET /rest/reactions/(entity:URN) (learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/
reactions-api). Every kind of reaction counts. Pages are offsets, which shift as people un-react: each page overlaps
the last by a fifth. One post has two names with two numbers, urn:li:activity:N and urn:li:share:M (or ugcPost), and
nothing here translates them: pasted under both it is two posts.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, ClassVar
from urllib.parse import quote, unquote

import httpx
import msgspec

from harvester.connector import (
    ApiVersion,
    Basis,
    ContractBroken,
    Count,
    Exhausted,
    GrantSettings,
    Http,
    Like,
    LikeTime,
    Need,
    OAuth,
    Outcome,
    Page,
    Pkce,
    Post,
    Provenance,
    Refused,
    Secret,
    Traits,
    answered_at,
    decode,
    follow,
    next_midnight,
    on_hosts,
    parse_epoch,
    server_address,
)

_APPS = "https://www.linkedin.com/developers/apps"
_HOST = re.compile(r"(?:(?:www|m|[a-z]{2})\.)?linkedin\.com")
_NUMBER = r"(?P<number>[1-9][0-9]{5,19})"
_UPDATE = re.compile(rf"/(?:embed/)?feed/update/urn:li:(?P<kind>activity|share|ugcPost):{_NUMBER}/?")
_POSTS = re.compile(rf"/posts/[^/]+[-_](?P<kind>activity|share|ugcPost)-{_NUMBER}(?:-[A-Za-z0-9_-]{{1,8}})?/?")
_SHORT = re.compile(r"/(?:p/)?[A-Za-z0-9_-]{4,20}/?")
_SUNSETS = {"202508": date(2026, 8, 17)}
_SUNSET_NOTE = "LinkedIn ends a version about a year after its release"


class LinkedinPageSettings(GrantSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`version` is the release of the API that is asked for, as YYYYMM."""

    token: Annotated[Secret | None, Need("a page administrator's token: r_organization_social_feed", _APPS)] = None
    api: str = "https://api.linkedin.com"
    version: str = "202609"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"20[0-9]{2}(?:0[1-9]|1[0-2])", self.version):
            raise ValueError("version is not a release such as 202609")


class _Created(msgspec.Struct):
    actor: str
    time: int  # epoch milliseconds


class _Reaction(msgspec.Struct):
    created: _Created


class _Paging(msgspec.Struct):
    total: int


class _Reactions(msgspec.Struct):
    elements: list[_Reaction]
    paging: _Paging


class _Failed(msgspec.Struct):
    message: str = ""


class LinkedinPage:
    name: ClassVar[str] = "linkedin_page"
    traits: ClassVar[Traits] = Traits(
        time=LikeTime.PLATFORM,
        page_max=100,  # not documented: a server that gives less is walked in its own steps
        basis=Basis.COUNT,
        terms=(
            "Members' data serves to manage the page alone and is neither exported nor transferred"
            " (https://learn.microsoft.com/en-us/linkedin/marketing/restricted-use-cases).",
            "Members' data may be kept for a short time only"
            " (https://learn.microsoft.com/en-us/linkedin/marketing/data-storage-requirements).",
        ),
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ("linkedin.com", "lnkd.in")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.linkedin.com/feed/update/urn:li:activity:7123456789012345678/",
        "https://www.linkedin.com/posts/company_words-of-the-post-activity-7123456789012345678-AbCd",
        "https://lnkd.in/p/dAbCdEfG",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = LinkedinPageSettings
    oauth: ClassVar[OAuth] = OAuth(
        authorize_url="https://www.linkedin.com/oauth/v2/authorization",
        token_url="https://www.linkedin.com/oauth/v2/accessToken",  # noqa: S106
        scopes=("r_organization_social_feed",),
        pkce=Pkce.NONE,
    )

    def __init__(self, settings: LinkedinPageSettings) -> None:
        self._api = server_address(settings.api, "api")
        self._token = settings.token
        self.origins: tuple[str, ...] = (self._api, "https://lnkd.in")
        sunset = _SUNSETS.get(settings.version)
        self.version = ApiVersion(name=settings.version, sunset=sunset, note="" if sunset else _SUNSET_NOTE)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read the URN a link carries, plain or percent-encoded, or keep a short link as it is."""
        parts = on_hosts(url, cls.hosts)
        if parts is None:
            return None
        path, native_id = unquote(parts.path), None
        if parts.hostname == "lnkd.in":
            native_id = f"https://lnkd.in{path.removesuffix('/')}" if _SHORT.fullmatch(path) else None
        elif _HOST.fullmatch(parts.hostname or ""):
            match = _UPDATE.fullmatch(path) or _POSTS.fullmatch(path)
            native_id = f"urn:li:{match['kind']}:{match['number']}" if match else None
        return Post(platform=cls.name, native_id=native_id, realm="linkedin", url=url.strip()) if native_id else None

    def locate(self, http: Http, post: Post) -> Post:
        return follow(http, self, post)

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        totals = ((post.native_id, self._reactions(http, post, start=0, size=1).paging.total) for post in posts)
        return tuple(Count(native_id=native_id, likes=total) for native_id, total in totals)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        start = int(cursor or 0)
        answer = self._reactions(http, post, start=start, size=http.page_size)
        listed = len(answer.elements)
        likes = tuple(
            Like(actor=one.created.actor, at=parse_epoch(one.created.time // 1000)) for one in answer.elements
        )
        is_last = not listed or start + listed >= answer.paging.total
        return Page(likes=likes, cursor=None if is_last else str(start + max(1, listed * 4 // 5)))

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Tell a version that has ended, and a day's limit from a passing one: LinkedIn's days begin at 00:00 UTC."""
        if response.status_code == httpx.codes.UPGRADE_REQUIRED:
            return Refused(f"LinkedIn no longer serves version {self.version.name}: set connectors.{self.name}.version")
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS and "DAY limit" in _message(response):
            return Exhausted(next_midnight(answered_at(response), "UTC"), "LinkedIn's limit of the day is spent")
        return None

    def _reactions(self, http: Http, post: Post, *, start: int, size: int) -> _Reactions:
        answer = http.get(
            f"{self._api}/rest/reactions/(entity:{quote(post.native_id, safe='')})",
            params={"q": "entity", "start": str(start), "count": str(size)},
            headers={"LinkedIn-Version": self.version.name, "X-Restli-Protocol-Version": "2.0.0"},
            auth=http.bearer(self._token),
        )
        return decode(answer, _Reactions)


def _message(response: httpx.Response) -> str:
    try:
        return decode(response, _Failed).message
    except ContractBroken:
        return ""
