"""Simulates the YouTube Data API: GET /youtube/v3/videos, for any public video.

Its surprises: a count is a text of digits; it is left out where the owner hides it; and a video that is gone is left
out itself.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import msgspec

from harvester.rehearsal.dialect import Kind, digest, digits, written_in
from harvester.rehearsal.faults import Say
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Refusal, Request
from harvester.rehearsal.world import Place, SimulatedLike, SimulatedPost, World

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BATCH = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Youtube:
    """The API for who has the key `token`."""

    name: ClassVar[str] = "youtube"
    token: str = "simulated-token"  # noqa: S105 (no secret: the server is simulated)

    def actor_id(self, name: str) -> str:
        return f"UC{written_in(_LETTERS, int.from_bytes(digest('youtube channel', name, size=17)), 22)}"

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        return written_in(_LETTERS, int.from_bytes(digest("youtube video", author, str(number), size=9)), 11)

    def place(self, like: SimulatedLike) -> Place:
        return (like.number,)

    def url_of(self, post: SimulatedPost, _origin: str, /) -> str:
        return f"https://www.youtube.com/watch?v={post.native_id}"

    def kind_of(self, request: Request) -> Kind | None:
        return Kind.POST if (request.method, request.path) == ("GET", "/youtube/v3/videos") else None

    def admit(self, request: Request, tokens: Tokens) -> None:
        key = request.headers.get("x-goog-api-key") or request.asked("key")
        if not tokens.accepts(key):
            message = "API key not valid. Please pass a valid API key."
            raise Refusal(Answer(status=400, body=_error(400, "badRequest", message, cause="API_KEY_INVALID")))

    def answer(self, world: World, request: Request) -> Answer:
        ids = (request.asked("id") or "").split(",")
        parts = {"kind", "etag", "id", *(request.asked("part") or "").split(",")}
        if len(ids) > _BATCH:
            raise Refusal(Answer(status=400, body=_error(400, "invalidParameter", f"At most {_BATCH} ids")))
        found = (world.find(self, native_id) for native_id in ids)
        shown = [self._video(post) for post in found if post and post.is_visible]
        items = [{part: facts for part, facts in video.items() if part in parts} for video in shown]
        return Answer.json(
            {
                "kind": "youtube#videoListResponse",
                "etag": "simulated",
                "items": items,
                "pageInfo": {"totalResults": len(items), "resultsPerPage": len(items)},
            }
        )

    def _video(self, post: SimulatedPost) -> dict[str, object]:
        published = post.published_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        likes = {} if post.count_is_hidden else {"likeCount": str(post.displayed())}
        return {
            "kind": "youtube#video",
            "etag": "simulated",
            "id": post.native_id,
            "snippet": {"publishedAt": published, "channelTitle": post.author, "title": "A simulated contest post"},
            "statistics": {"viewCount": digits(post.native_id, length=4), **likes, "commentCount": "0"},
            "status": {"uploadStatus": "processed", "privacyStatus": "public", "publicStatsViewable": True},
        }


def _error(code: int, reason: str, message: str, *, domain: str = "global", cause: str = "") -> bytes:
    """Write the envelope of an error; `cause` is what all of Google's APIs call it."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": cause, "domain": "googleapis.com"}]
    told: dict[str, object] = {
        "code": code,
        "message": message,
        "errors": [{"message": message, "domain": domain, "reason": reason}],
    }
    return msgspec.json.encode({"error": told | ({"details": details} if cause else {})})


QUOTA_SPENT = Say(
    body=_error(
        403,
        "quotaExceeded",
        'The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">'
        "quota</a>.",
        domain="youtube.quota",
    ),
    status=403,
)
TOO_FAST = Say(body=_error(403, "rateLimitExceeded", "Rate Limit Exceeded", domain="usageLimits"), status=403)
