"""Instagram: how many likes a post of one's own professional account has; who liked is never said.

API: GET /{media-id}?fields=like_count (developers.facebook.com/docs/instagram-platform/reference/instagram-media).
Only the owner's own call tells a hidden count: read in any other way it is 0, so nothing else is asked. No endpoint
takes the shortcode of a link, and arithmetic on it gives another number: the account's own media are listed.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar

import httpx
import msgspec

from connectors._graph import NO_ENDORSEMENT, Server, Version, api_version, explain, find_own
from harvester.connector import (
    Budget,
    Count,
    GrantFacts,
    GrantSettings,
    Http,
    Need,
    OAuth,
    Outcome,
    Pkce,
    Post,
    Provenance,
    Secret,
    Traits,
    decode,
    on_hosts,
    parse_instant,
    server_address,
)

_PATH = re.compile(r"/(?:(?!share/)[\w.]+/)?(?:p|reels?|tv)/(?P<shortcode>[\w-]{5,64})/?", re.ASCII)


class InstagramSettings(GrantSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`account_id` is `me` for the account that granted the token."""

    token: Annotated[
        Secret | None,
        Need("a token of the professional account, with instagram_business_basic", "developers.facebook.com/apps"),
    ] = None
    account_id: Annotated[str, Need("the account's number, or me", "GET /me?fields=user_id with its token")] = "me"
    api: Server = "https://graph.instagram.com"
    version: Version = "v26.0"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"me|[0-9]{1,20}", self.account_id):
            raise ValueError("account_id is neither me nor the number of an account")


class _Media(msgspec.Struct):
    like_count: int | None = None
    timestamp: str | None = None


class _Account(msgspec.Struct):
    username: str


class Instagram:
    name: ClassVar[str] = "instagram"
    traits: ClassVar[Traits] = Traits(
        # 4,800 calls a day for every time anything of the account was seen: as if it was seen once
        budgets=(Budget(requests=4800, per=timedelta(days=1)),),
        terms=(
            NO_ENDORSEMENT,
            "Nobody may be asked to tag what is not in the picture "
            "(contestqueen.com/2024/conflicting-meta-promotional-guidelines).",
        ),
        proven_by=(Provenance.CAPTURED, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("instagram.com",)
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.instagram.com/p/CRyZpmrjYC4/",
        "https://www.instagram.com/reel/CRyZpmrjYC4/",
        "https://www.instagram.com/USER/p/CRyZpmrjYC4/",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = InstagramSettings
    oauth: ClassVar[OAuth] = OAuth(  # .../instagram-platform/instagram-api-with-instagram-login/business-login
        authorize_url="https://www.instagram.com/oauth/authorize",
        token_url="https://api.instagram.com/oauth/access_token",  # noqa: S106
        scopes=("instagram_business_basic",),
        scope_separator=",",
        pkce=Pkce.NONE,
        exchange_url="https://graph.instagram.com/access_token",
        exchange_grant="ig_exchange_token",
        renew_url="https://graph.instagram.com/refresh_access_token",
        renew_grant="ig_refresh_token",
    )

    def __init__(self, settings: InstagramSettings) -> None:
        api = server_address(settings.api, "api")
        self.version = api_version(settings.version)
        self.origins: tuple[str, ...] = (api,)
        self._root = f"{api}/{self.version.name}"
        self._settings = settings

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read a link's shortcode; the media's id is another until located."""
        parts = on_hosts(url, cls.hosts)
        match = _PATH.fullmatch(parts.path) if parts else None
        return Post(platform=cls.name, native_id=match["shortcode"], realm=cls.name, url=url.strip()) if match else None

    def locate(self, http: Http, post: Post) -> Post:
        media = find_own(
            http,
            f"{self._root}/{self._settings.account_id}/media",
            fields="id,shortcode,permalink",
            auth=http.bearer(self._settings.token),
            is_wanted=lambda own: own.is_known_as(post.native_id),
        )
        return replace(post, native_id=media.id)

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(self._count(http, post) for post in posts)

    def explain(self, response: httpx.Response) -> Outcome | None:
        return explain(response)

    def fetch_grant(self, http: Http) -> GrantFacts:
        """Ask whose token it is; what it allows, and until when, is not said without the token in a query."""
        answer = self._get(http, self._settings.account_id, "username")
        return GrantFacts(account=decode(answer, _Account).username)

    def _count(self, http: Http, post: Post) -> Count:
        media = decode(self._get(http, post.native_id, "id,like_count,timestamp"), _Media)
        published_at = parse_instant(media.timestamp) if media.timestamp else None
        return Count(native_id=post.native_id, likes=media.like_count, published_at=published_at)

    def _get(self, http: Http, node: str, fields: str) -> httpx.Response:
        return http.get(f"{self._root}/{node}", params={"fields": fields}, auth=http.bearer(self._settings.token))
