"""YouTube: how many like a public video; nobody is told who.

API: GET /youtube/v3/videos (developers.google.com/youtube/v3/docs/videos/list), with an API key. The number is a text
of digits, and is left out where the owner hides it: that is not zero. A video that is gone is left out itself.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar
from urllib.parse import parse_qs

import httpx
import msgspec

from harvester.connector import (
    Budget,
    ContractBroken,
    Count,
    Exhausted,
    GrantLost,
    HeaderKey,
    Http,
    Need,
    Outcome,
    Post,
    Provenance,
    Secret,
    Throttled,
    Traits,
    answered_at,
    decode,
    needed,
    next_midnight,
    on_hosts,
    parse_instant,
    server_address,
)

_KEYS = "https://console.cloud.google.com/apis/credentials"
_HOST = re.compile(r"(?:(?:www\.|m\.|music\.)?youtube\.com|(?:www\.)?youtube-nocookie\.com)")
_ID = re.compile(r"(?!videoseries|live_stream)[A-Za-z0-9_-]{11}")  # these two embed a list and a channel
_PATH = re.compile(r"/(?:shorts|live|embed|v)/(?P<id>[^/]+)/?")
_QUOTA = {"quotaExceeded", "dailyLimitExceeded"}
_PACE = {"rateLimitExceeded", "userRateLimitExceeded"}
_KEY = {
    *("keyInvalid", "keyExpired", "accessNotConfigured", "ipRefererBlocked"),
    # What all of Google's APIs say now (google/api/error_reason.proto), beside a reason that means nothing.
    *("API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "API_KEY_IP_ADDRESS_BLOCKED", "SERVICE_DISABLED"),
}


class YoutubeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    api_key: Annotated[Secret | None, Need("an API key of a project with YouTube Data API v3", _KEYS)] = None
    api: str = "https://www.googleapis.com"


class _Statistics(msgspec.Struct, rename="camel"):
    like_count: str | None = None


class _Snippet(msgspec.Struct, rename="camel"):
    published_at: str | None = None


class _Video(msgspec.Struct):
    id: str
    statistics: _Statistics
    snippet: _Snippet | None = None


class _Videos(msgspec.Struct):
    items: list[_Video]


class _Reason(msgspec.Struct):
    reason: str = ""


class _Error(msgspec.Struct):
    errors: list[_Reason] = []
    details: list[_Reason] = []


class _Failed(msgspec.Struct):
    error: _Error


class Youtube:
    name: ClassVar[str] = "youtube"
    traits: ClassVar[Traits] = Traits(
        batch_max=50,
        budgets=(Budget(requests=10_000, per=timedelta(days=1)),),
        terms=(
            "A contest is free to enter, has official rules of its own with privacy terms, does not imply that YouTube"
            " endorses it and does not manipulate likes (https://support.google.com/youtube/answer/1620498).",
            "API data is refreshed or deleted after 30 days"
            " (https://developers.google.com/youtube/terms/developer-policies).",
        ),
        proven_by=(Provenance.RECORDED, Provenance.CAPTURED, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("youtube.com", "youtu.be", "youtube-nocookie.com")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.youtube.com/watch?v=9bZkp7q19f0",
        "https://youtu.be/9bZkp7q19f0",
        "https://www.youtube.com/shorts/9bZkp7q19f0",
        "https://www.youtube.com/live/9bZkp7q19f0",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = YoutubeSettings

    def __init__(self, settings: YoutubeSettings) -> None:
        self._api = server_address(settings.api, "api")
        self._settings = settings
        self.origins: tuple[str, ...] = (self._api,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        native_id = _video_in(url)
        if native_id is None or not _ID.fullmatch(native_id):
            return None
        return Post(platform=cls.name, native_id=native_id, realm=cls.name, url=url.strip())

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        ids = [post.native_id for post in posts]
        params = {"part": "snippet,statistics", "id": ",".join(ids)}
        auth = HeaderKey("X-Goog-Api-Key", needed(self.name, self._settings, "api_key"))
        answer = http.get(f"{self._api}/youtube/v3/videos", params=params, auth=auth)
        shown = {video.id: video for video in decode(answer, _Videos).items}
        return tuple(_count(shown[native_id]) for native_id in ids if native_id in shown)

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Tell by its reason what a refusal means: quotas, keys and videos all answer 400 or 403."""
        reasons = _reasons(response)
        if reasons & _QUOTA:
            midnight = next_midnight(answered_at(response), "America/Los_Angeles")
            return Exhausted(midnight, "YouTube's daily quota is spent")
        if reasons & _PACE:
            return Throttled(answered_at(response) + timedelta(minutes=1), "YouTube asked for a slower pace")
        if reasons & _KEY:
            return GrantLost("YouTube does not accept the API key, or its project may not use YouTube Data API v3")
        return None


def _video_in(url: str) -> str | None:
    parts = on_hosts(url, Youtube.hosts)
    if parts is None:
        return None
    if parts.hostname in ("youtu.be", "www.youtu.be"):
        return parts.path[1:].removesuffix("/")
    if not _HOST.fullmatch(parts.hostname or ""):
        return None
    if parts.path in ("/watch", "/watch/"):
        named = parse_qs(parts.query).get("v", [])
        return named[0] if len(named) == 1 else None
    match = _PATH.fullmatch(parts.path)
    return match["id"] if match else None


def _reasons(response: httpx.Response) -> set[str]:
    """Name the reasons a failure gives; its status speaks for one that is no JSON."""
    if response.is_success:
        return set()
    try:
        error = decode(response, _Failed).error
    except ContractBroken:
        return set()
    return {one.reason for one in (*error.errors, *error.details)}


def _count(video: _Video) -> Count:
    likes = video.statistics.like_count
    published_at = video.snippet.published_at if video.snippet else None
    if likes is not None and not re.fullmatch(r"[0-9]{1,19}", likes):
        raise ContractBroken(f"{likes[:40]!r} is not a number of likes")
    return Count(
        native_id=video.id,
        likes=None if likes is None else int(likes),
        published_at=parse_instant(published_at) if published_at else None,
    )
