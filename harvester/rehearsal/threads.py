"""Simulates the Threads API of one account: the insights of its own posts, and the list of them.

Its surprises: a post carries no count, only its insights do, and those carry no time; an address says a shortcode that
no endpoint takes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from harvester.rehearsal import meta
from harvester.rehearsal.dialect import Kind, digest, digits, written_in
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Request
from harvester.rehearsal.world import Place, SimulatedLike, SimulatedPost, World

_PATH = re.compile(rf"{meta.VERSION}/(?:(?P<owner>me)(?P<list>/threads)?|(?P<id>[0-9]+)(?P<insights>/insights)?)/?")
_METRICS = ("views", "likes", "replies", "reposts", "quotes", "shares")


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads:
    """The API as `account` sees it with its `token`."""

    name: ClassVar[str] = "threads"
    account: str = "contest"
    token: str = "simulated-token"  # noqa: S105 (no secret: the server is simulated)

    def actor_id(self, name: str) -> str:
        return digits("threads profile", name, length=17)

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        return "180" + digits("threads media", author, str(number), length=14)

    def place(self, like: SimulatedLike) -> Place:
        return (like.number,)

    def shortcode_of(self, post: SimulatedPost) -> str:
        number = int.from_bytes(digest("threads shortcode", post.native_id, size=8))
        return f"D{written_in(meta.SHORTCODE_LETTERS, number, 10)}"

    def url_of(self, post: SimulatedPost, _origin: str, /) -> str:
        return f"https://www.threads.com/@{post.author}/post/{self.shortcode_of(post)}"

    def kind_of(self, request: Request) -> Kind | None:
        matched = _PATH.fullmatch(request.path) if request.method == "GET" else None
        if matched is None:
            return None
        if matched["owner"]:
            return Kind.IDENTITY if matched["list"] else Kind.GRANT
        return Kind.POST

    def admit(self, request: Request, tokens: Tokens) -> None:
        meta.admit(request, tokens)

    def answer(self, world: World, request: Request) -> Answer:
        answers: dict[Kind | None, Callable[[World, Request], Answer]] = {
            Kind.POST: self._post,
            Kind.IDENTITY: self._own_posts,
            Kind.GRANT: self._owner,
        }
        return answers[self.kind_of(request)](world, request)

    def _post(self, world: World, request: Request) -> Answer:
        matched = _PATH.fullmatch(request.path)
        native_id = matched["id"] if matched else ""
        post = world.find(self, native_id)
        if post is None or not post.is_visible or post.author != self.account:
            raise meta.missing(native_id, "THApiException")
        if matched and matched["insights"]:
            return Answer.json({"data": [_metric(post, name) for name in _asked_metrics(request)]})
        return Answer.json(meta.node(request, self._view(post)))

    def _own_posts(self, world: World, request: Request) -> Answer:
        own = [post for post in world.newest_posts(self) if post.author == self.account]
        return meta.posts(request, own, lambda post: meta.node(request, self._view(post)))

    def _owner(self, _world: World, request: Request) -> Answer:
        known = {"id": digits("threads account", self.account, length=17), "username": self.account}
        return Answer.json(meta.node(request, known))

    def _view(self, post: SimulatedPost) -> dict[str, object]:
        return {
            "id": post.native_id,
            "shortcode": self.shortcode_of(post),
            "permalink": self.url_of(post, ""),
            "timestamp": meta.written(post.published_at),
            "username": post.author,
            "text": "A simulated contest post",
            "media_type": "TEXT_POST",
        }


def _asked_metrics(request: Request) -> list[str]:
    asked = (request.asked("metric") or "").split(",")
    unknown = next((name for name in asked if name not in _METRICS), None)
    if unknown is not None:
        raise meta.refused(100, f"(#100) metric must be one of {', '.join(_METRICS)}", kind="THApiException")
    return asked


def _metric(post: SimulatedPost, name: str) -> dict[str, object]:
    return {
        "name": name,
        "period": "lifetime",
        "values": [{"value": post.displayed() if name == "likes" else 0}],
        "title": name.capitalize(),
        "id": f"{post.native_id}/insights/{name}/lifetime",
    }
