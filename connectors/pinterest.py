"""Pinterest: how many reacted to a pin of an account that granted access; nobody is told who.

API: GET /v5/pins/:id with pin_metrics (developers.pinterest.com/docs/api/v5/pins-get). The number is kept for the
pin's lifetime; it is missing, which is not zero, for another account's pin and for most that are older than 20 March
2023.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

import httpx
import msgspec

from harvester.connector import (
    Budget,
    ContractBroken,
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
    Refused,
    Secret,
    Traits,
    decode,
    follow,
    on_hosts,
    parse_instant,
    server_address,
)

_APPS = "https://developers.pinterest.com/apps/"
_COUNTRIES = "at|ca|ch|cl|co.kr|co.uk|com|com.au|com.mx|de|dk|es|fr|ie|it|jp|nz|ph|pt|se"
_PIN = re.compile(r"(?:[a-z]{2,3}\.)?pinterest\.[a-z.]+/pin/(?:[^/]*--)?(?P<id>[1-9][0-9]{0,19})(?:/sent)?/?", re.ASCII)
_SHORT = re.compile(r"pin\.it/(?P<short>[A-Za-z0-9]{5,20})/?")
_HOP = re.compile(r"api\.pinterest\.com/url_shortener/(?P<hop>[A-Za-z0-9]{5,20})/redirect/?")
_SHORT_ORIGINS = ("https://pin.it", "https://api.pinterest.com")


class PinterestSettings(GrantSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    token: Annotated[
        Secret | None, Need("a token of the account: boards:read, pins:read, user_accounts:read", _APPS)
    ] = None
    api: str = "https://api.pinterest.com"


class _Lifetime(msgspec.Struct):
    reaction: int | None = None


class _Metrics(msgspec.Struct):
    lifetime_metrics: _Lifetime | None = None


class _Pin(msgspec.Struct):
    id: str
    pin_metrics: _Metrics | None = None
    created_at: str | None = None


class _Account(msgspec.Struct):
    username: str


class _Failed(msgspec.Struct):
    code: int


class Pinterest:
    name: ClassVar[str] = "pinterest"
    traits: ClassVar[Traits] = Traits(
        # Trial access, for the whole app; standard access allows far more: connectors.pinterest.budget says so.
        budgets=(Budget(requests=1000, per=timedelta(days=1)),),
        terms=(
            "A contest allows one entry a person, wants no specific image pinned and does not imply that Pinterest"
            " endorses it (https://www.adlawbyrequest.com/2016/08/articles/social-media/"
            "pinterest-updates-its-promotion-guidelines).",
        ),
        proven_by=(Provenance.OFFICIAL, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = (*(f"pinterest.{country}" for country in _COUNTRIES.split("|")), "pin.it")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.pinterest.com/pin/813744226420795884/",
        "https://pin.it/4vwU5dJ",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = PinterestSettings
    oauth: ClassVar[OAuth] = OAuth(
        authorize_url="https://www.pinterest.com/oauth/",
        token_url="https://api.pinterest.com/v5/oauth/token",  # noqa: S106
        scopes=("boards:read", "pins:read", "user_accounts:read"),
        scope_separator=",",
        names_client_in_header=True,
        pkce=Pkce.NONE,
    )

    def __init__(self, settings: PinterestSettings) -> None:
        self._api = server_address(settings.api, "api")
        self._token = settings.token
        self.origins: tuple[str, ...] = (self._api, *_SHORT_ORIGINS)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = on_hosts(url, cls.hosts)
        where = f"{parts.hostname}{parts.path}" if parts else ""
        match = _PIN.fullmatch(where) or _SHORT.fullmatch(where) or _HOP.fullmatch(where)
        if match is None:
            return None
        native_id = match["id"] if "id" in match.groupdict() else f"https://{where.removesuffix('/')}"
        return Post(platform=cls.name, native_id=native_id, realm=cls.name, url=url.strip())

    def locate(self, http: Http, post: Post) -> Post:
        return follow(http, self, post)

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(self._count(http, post) for post in posts)

    def fetch_grant(self, http: Http) -> GrantFacts:
        answer = http.get(f"{self._api}/v5/user_account", auth=http.bearer(self._token))
        return GrantFacts(account=decode(answer, _Account).username)

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Tell a pin that this account may not see from a token that no longer works: both are 401."""
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return None
        try:
            is_about_pin = decode(response, _Failed).code == 7
        except ContractBroken:
            return None
        return Refused("Pinterest does not show this pin to this account") if is_about_pin else None

    def _count(self, http: Http, post: Post) -> Count:
        url = f"{self._api}/v5/pins/{post.native_id}"
        pin = decode(http.get(url, params={"pin_metrics": "true"}, auth=http.bearer(self._token)), _Pin)
        if pin.id != post.native_id:  # two names of one pin would be credited twice
            raise ContractBroken(f"Pinterest knows {post.native_id} as {pin.id[:40]!r}: use that pin's URL")
        lifetime = pin.pin_metrics.lifetime_metrics if pin.pin_metrics else None
        published_at = _instant(pin.created_at) if pin.created_at else None
        return Count(native_id=pin.id, likes=lifetime.reaction if lifetime else None, published_at=published_at)


def _instant(text: str) -> datetime:
    """Read a time; Pinterest also writes UTC without saying so (2026-05-20T08:30:00)."""
    return parse_instant(text if re.search(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})$", text) else f"{text}Z")
