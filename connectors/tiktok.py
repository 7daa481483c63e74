"""TikTok: how many like a video of an account that granted access; nobody is told who.

API: POST /v2/video/query/ (developers.tiktok.com/doc/tiktok-api-v2-video-query). An answer carries an `error` even when
all is well, then with the code "ok"; a video that is gone, or is another account's, is left out.
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
    GrantFacts,
    GrantLost,
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
    Throttled,
    Traits,
    Unstable,
    answered_at,
    decode,
    follow,
    on_hosts,
    parse_epoch,
    server_address,
)

_APPS = "https://developers.tiktok.com/apps"
_ID = r"(?P<id>[1-9][0-9]{14,19})"
_SITE = re.compile(
    rf"(?:(?:www|m)\.)?tiktok\.com/(?:@[\w.-]*/(?:video|photo)/{_ID}|t/(?P<short>[A-Za-z0-9]{{5,20}}))/?"
)
_MOBILE = re.compile(rf"m\.tiktok\.com/v/{_ID}\.html")
_SHORT = re.compile(r"(?P<host>v[mt]\.tiktok\.com)/(?P<short>[A-Za-z0-9]{5,20})/?")
_MEANT: dict[str, type[Outcome]] = {
    "access_token_invalid": GrantLost,
    "scope_not_authorized": GrantLost,
    "scope_permission_missed": GrantLost,
    "internal_error": Unstable,
    "invalid_params": ContractBroken,
}
_SHORT_ORIGINS = ("https://www.tiktok.com", "https://vm.tiktok.com", "https://vt.tiktok.com")


class TiktokSettings(GrantSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    token: Annotated[Secret | None, Need("a token of the account: user.info.basic, video.list", _APPS)] = None
    api: str = "https://open.tiktokapis.com"


class _Error(msgspec.Struct):
    code: str


class _Answer(msgspec.Struct):
    error: _Error


class _Video(msgspec.Struct):
    id: str
    like_count: int
    create_time: int | None = None


class _Videos(msgspec.Struct):
    videos: list[_Video]


class _Queried(_Answer):
    data: _Videos


class _User(msgspec.Struct):
    display_name: str


class _Owner(msgspec.Struct):
    user: _User


class _Identified(_Answer):
    data: _Owner


class Tiktok:
    name: ClassVar[str] = "tiktok"
    traits: ClassVar[Traits] = Traits(
        batch_max=20,
        budgets=(Budget(requests=600, per=timedelta(minutes=1)),),
        terms=(
            "A promotion keeps local law, does not imply that TikTok endorses it and does not buy engagement"
            " (https://promoveritas.com/tiktok-promotions).",
        ),
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ("tiktok.com",)
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.tiktok.com/@user/video/7234567890123456789",
        "https://www.tiktok.com/@user/photo/7234567890123456789",
        "https://vm.tiktok.com/ZMabcdefg/",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = TiktokSettings
    oauth: ClassVar[OAuth] = OAuth(
        authorize_url="https://www.tiktok.com/v2/auth/authorize/",
        token_url="https://open.tiktokapis.com/v2/oauth/token/",  # noqa: S106
        scopes=("user.info.basic", "video.list"),
        scope_separator=",",
        client_id_field="client_key",
        pkce=Pkce.HEX,
    )

    def __init__(self, settings: TiktokSettings) -> None:
        self._api = server_address(settings.api, "api")
        self._token = settings.token
        self.origins: tuple[str, ...] = (self._api, *_SHORT_ORIGINS)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = on_hosts(url, cls.hosts)
        where = f"{parts.hostname}{parts.path}" if parts else ""
        match = _SITE.fullmatch(where) or _MOBILE.fullmatch(where) or _SHORT.fullmatch(where)
        if match is None:
            return None
        found = match.groupdict()
        short = f"{found['host']}/" if "host" in found else "www.tiktok.com/t/"
        native_id = found.get("id") or f"https://{short}{found['short']}/"
        return Post(platform=cls.name, native_id=native_id, realm=cls.name, url=url.strip())

    def locate(self, http: Http, post: Post) -> Post:
        return follow(http, self, post)

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        ids = [post.native_id for post in posts]
        answer = http.post(
            f"{self._api}/v2/video/query/",
            params={"fields": "id,like_count,create_time"},
            json={"filters": {"video_ids": ids}},
            auth=http.bearer(self._token),
        )
        shown = {video.id: video for video in decode(answer, _Queried).data.videos}
        return tuple(_count(shown[native_id]) for native_id in ids if native_id in shown)

    def fetch_grant(self, http: Http) -> GrantFacts:
        url = f"{self._api}/v2/user/info/"
        answer = http.get(url, params={"fields": "open_id,display_name"}, auth=http.bearer(self._token))
        return GrantFacts(account=decode(answer, _Identified).data.user.display_name)

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Read the code that every answer carries (developers.tiktok.com/doc/tiktok-api-v2-error-handling)."""
        try:
            code = decode(response, _Answer).error.code
        except ContractBroken:
            return None
        if code == "rate_limit_exceeded":  # counted over a sliding minute
            return Throttled(answered_at(response) + timedelta(minutes=1), "TikTok asked for a pause")
        if code == "ok" or (code not in _MEANT and response.is_error):
            return None
        return _MEANT.get(code, Refused)(f"TikTok says {code[:40]!r}")


def _count(video: _Video) -> Count:
    published_at = None if video.create_time is None else parse_epoch(video.create_time)
    return Count(native_id=video.id, likes=video.like_count, published_at=published_at)
