"""Simulates TikTok's API of one account: POST /v2/video/query/ and GET /v2/user/info/.

Its surprises: an answer carries an `error` even when all is well, then with the code "ok"; ids are texts of digits
beyond 2**53; and a video that is gone, or is another account's, is left out.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import msgspec

from harvester.rehearsal.dialect import Kind, digest, digits
from harvester.rehearsal.faults import Say
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Refusal, Request
from harvester.rehearsal.world import Place, SimulatedLike, SimulatedPost, World

_KINDS = {
    ("POST", "/v2/video/query/"): Kind.POST,
    ("GET", "/v2/user/info/"): Kind.GRANT,
}
_BATCH = 20
_VIDEO_FIELDS = (
    *("id", "create_time", "share_url", "title"),
    *("like_count", "comment_count", "share_count", "view_count"),
)
_USER_FIELDS = ("open_id", "display_name")


class _Filters(msgspec.Struct):
    video_ids: list[str]


class _Query(msgspec.Struct):
    filters: _Filters


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiktok:
    """The API as `account` sees it with its `token`."""

    name: ClassVar[str] = "tiktok"
    account: str = "contest"
    token: str = "simulated-token"  # noqa: S105 (no secret: the server is simulated)

    def actor_id(self, name: str) -> str:
        return digits("tiktok user", name, length=19)

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        """Write seconds and 32 more bits as one number, of 19 digits."""
        return str((int(at.timestamp()) << 32) + int.from_bytes(digest("tiktok video", author, str(number), size=4)))

    def place(self, like: SimulatedLike) -> Place:
        return (like.number,)

    def url_of(self, post: SimulatedPost, _origin: str, /) -> str:
        return f"https://www.tiktok.com/@{post.author}/video/{post.native_id}"

    def kind_of(self, request: Request) -> Kind | None:
        return _KINDS.get((request.method, request.path))

    def admit(self, request: Request, tokens: Tokens) -> None:
        if not tokens.accepts(request.bearer):
            raise _refused(401, "access_token_invalid", "The access token is invalid or not found in the request.")

    def answer(self, world: World, request: Request) -> Answer:
        return self._videos(world, request) if self.kind_of(request) is Kind.POST else self._user(request)

    def _videos(self, world: World, request: Request) -> Answer:
        ids, fields = _asked_ids(request), _asked_fields(request, _VIDEO_FIELDS)
        found = (world.find(self, native_id) for native_id in ids)
        own = (post for post in found if post and post.is_visible and post.author == self.account)
        videos = [self._video(post) for post in own]
        return _told({"data": {"videos": [{name: video[name] for name in fields} for video in videos]}})

    def _user(self, request: Request) -> Answer:
        user = {"open_id": digits("tiktok open id", self.account, length=36), "display_name": self.account}
        return _told({"data": {"user": {name: user[name] for name in _asked_fields(request, _USER_FIELDS)}}})

    def _video(self, post: SimulatedPost) -> dict[str, object]:
        return {
            "id": post.native_id,
            "create_time": int(post.published_at.timestamp()),
            "share_url": self.url_of(post, ""),
            "title": "A simulated contest post",
            "like_count": post.displayed(),
            "comment_count": 0,
            "share_count": 0,
            "view_count": 0,
        }


def _error(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message, "log_id": "20270121200000SIMULATED"}}


THROTTLED = Say(body=msgspec.json.encode(_error("rate_limit_exceeded", "The API rate limit was exceeded.")), status=429)
FAILED_WITHIN = Say(body=msgspec.json.encode(_error("internal_error", "Something is wrong.")), status=500)
SCOPE_LOST = Say(
    body=msgspec.json.encode(_error("scope_not_authorized", "The user did not authorize the scope.")), status=401
)


def _told(facts: dict[str, object]) -> Answer:
    return Answer.json(facts | _error("ok", ""))


def _refused(status: int, code: str, message: str) -> Refusal:
    return Refusal(Answer.json({"data": {}} | _error(code, message), status=status))


def _asked_ids(request: Request) -> list[str]:
    try:
        ids = msgspec.json.decode(request.body, type=_Query).filters.video_ids
    except msgspec.DecodeError as error:
        raise _refused(400, "invalid_params", "The request body is not understood.") from error
    if not 1 <= len(ids) <= _BATCH:
        raise _refused(400, "invalid_params", f"video_ids must have 1 to {_BATCH} items.")
    return ids


def _asked_fields(request: Request, known: Collection[str]) -> list[str]:
    """Read the fields that are wanted: no other is given."""
    asked = (request.asked("fields") or "").split(",")
    if unknown := [name for name in asked if name not in known]:
        raise _refused(400, "invalid_params", f"Fields {unknown} are invalid.")
    return asked
