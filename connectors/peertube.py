"""PeerTube: how many people liked a public video, on any server.

API: GET /api/v1/videos/{id} (docs.joinpeertube.org/api-rest-reference.html). Nobody is told who liked. A federated copy
counts on its own: only the number of the account's own server is taken, whichever server the link names.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import httpx
import msgspec

from harvester.connector import (
    Budget,
    ContractBroken,
    Count,
    Http,
    Outcome,
    Post,
    Provenance,
    Refused,
    Traits,
    decode,
    origin_of,
    parse_instant,
    split_url,
)

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_SHORT = r"[1-9A-HJ-NP-Za-km-z]{22}"  # the UUID in base 58
# "/w/p/..." is a playlist; ";threadId=..." leads to a comment below the same video.
_VIDEO_PATH = re.compile(rf"/(?:w|videos/watch|videos/embed)/(?P<id>{_UUID}|{_SHORT})(?:;[^/]*)?/?")


class PeertubeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to set: only what a server shows to everybody is read."""


class _Account(msgspec.Struct):
    host: str


class _Video(msgspec.Struct, rename="camel"):
    uuid: str
    likes: int
    account: _Account
    published_at: str | None = None


class Peertube:
    name: ClassVar[str] = "peertube"
    traits: ClassVar[Traits] = Traits(
        budgets=(Budget(requests=50, per=timedelta(seconds=10)),),  # the limit a server comes with
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ()
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://peertube.example/w/9c9de5e8-0a1e-484a-b099-e80766180a6d",
        "https://peertube.example/w/kkGMgK9ZtnKfYAgnEtQxbv",
        "https://peertube.example/videos/watch/9c9de5e8-0a1e-484a-b099-e80766180a6d",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = PeertubeSettings

    def __init__(self, settings: PeertubeSettings) -> None:
        self.origins: tuple[str, ...] = ()

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read a video's link; the id is a UUID, or until located a short one."""
        parts = split_url(url)
        match = _VIDEO_PATH.fullmatch(parts.path) if parts else None
        if match is None:
            return None
        native_id = match["id"].lower() if "-" in match["id"] else match["id"]
        host = origin_of(url).partition("://")[2]
        return Post(platform=cls.name, native_id=native_id, realm=f"{cls.name}:{host}", url=url.strip())

    def locate(self, http: Http, post: Post) -> Post:
        """Find the video's UUID and the server where its account lives."""
        video = _video(http, post)
        home = self.recognise(f"https://{video.account.host}/videos/watch/{video.uuid}")
        if home is None or "-" not in home.native_id:
            raise ContractBroken(f"{post.origin} names no home that this video could have")
        return replace(post, native_id=home.native_id) if home.realm == post.realm else home

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(_count(_video(http, post), post) for post in posts)

    def explain(self, response: httpx.Response) -> Outcome | None:
        if response.status_code in (401, 403):  # no credential of ours was refused: we have none
            return Refused(f"{response.request.url.host} does not show this video to everybody")
        return None


def _video(http: Http, post: Post) -> _Video:
    return decode(http.get(f"{post.origin}/api/v1/videos/{post.native_id}"), _Video)


def _count(video: _Video, post: Post) -> Count:
    if video.uuid.lower() != post.native_id:  # two names of one video would be credited twice
        raise ContractBroken(f"{post.origin} knows {post.native_id} as {video.uuid[:40]!r}")
    published_at = parse_instant(video.published_at) if video.published_at else None
    return Count(native_id=post.native_id, likes=video.likes, published_at=published_at)
