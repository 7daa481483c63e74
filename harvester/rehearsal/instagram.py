"""Simulates the Instagram API of one professional account: the counts of its own media, and the list of them.

Its surprises: an address says a shortcode that no endpoint takes, so the media are listed and matched; and a hidden
count is true when the media itself is asked, but 0 in a list.
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

_PATH = re.compile(rf"{meta.VERSION}/(?P<node>me|[0-9]+)(?P<media>/media)?/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instagram:
    """The API as `account` sees it with its `token`."""

    name: ClassVar[str] = "instagram"
    account: str = "contest"
    token: str = "simulated-token"  # noqa: S105 (no secret: the server is simulated)

    def account_id(self) -> str:
        return digits("instagram account", self.account, length=17)

    def actor_id(self, name: str) -> str:
        return digits("instagram profile", name, length=17)

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        return "179" + digits("instagram media", author, str(number), length=14)

    def place(self, like: SimulatedLike) -> Place:
        return (like.number,)

    def shortcode_of(self, post: SimulatedPost) -> str:
        number = int.from_bytes(digest("instagram shortcode", post.native_id, size=8))
        return f"D{written_in(meta.SHORTCODE_LETTERS, number, 10)}"

    def url_of(self, post: SimulatedPost, _origin: str, /) -> str:
        return f"https://www.instagram.com/p/{self.shortcode_of(post)}/"

    def kind_of(self, request: Request) -> Kind | None:
        matched = _PATH.fullmatch(request.path) if request.method == "GET" else None
        if matched is None:
            return None
        if matched["media"]:
            return Kind.IDENTITY
        return Kind.GRANT if matched["node"] in ("me", self.account_id()) else Kind.POST

    def admit(self, request: Request, tokens: Tokens) -> None:
        meta.admit(request, tokens)

    def answer(self, world: World, request: Request) -> Answer:
        answers: dict[Kind | None, Callable[[World, Request], Answer]] = {
            Kind.POST: self._media,
            Kind.IDENTITY: self._own_media,
            Kind.GRANT: self._owner,
        }
        return answers[self.kind_of(request)](world, request)

    def _media(self, world: World, request: Request) -> Answer:
        native_id = _node(request)
        post = world.find(self, native_id)
        if post is None or not post.is_visible or post.author != self.account:
            raise meta.missing(native_id, "IGApiException")
        return Answer.json(meta.node(request, self._view(post, post.displayed())))

    def _own_media(self, world: World, request: Request) -> Answer:
        if _node(request) not in ("me", self.account_id()):
            raise meta.missing(_node(request), "IGApiException")
        own = [post for post in world.newest_posts(self) if post.author == self.account]
        return meta.posts(request, own, lambda post: meta.node(request, self._view(post, _shown_in_a_list(post))))

    def _owner(self, _world: World, request: Request) -> Answer:
        known = {"id": self.account_id(), "user_id": self.account_id(), "username": self.account}
        return Answer.json(meta.node(request, known))

    def _view(self, post: SimulatedPost, likes: int) -> dict[str, object]:
        return {
            "id": post.native_id,
            "shortcode": self.shortcode_of(post),
            "permalink": self.url_of(post, ""),
            "timestamp": meta.written(post.published_at),
            "username": post.author,
            "caption": "A simulated contest post",
            "media_type": "IMAGE",
            "like_count": likes,
            "comments_count": 0,
        }


def _shown_in_a_list(post: SimulatedPost) -> int:
    return 0 if post.count_is_hidden else post.displayed()


def _node(request: Request) -> str:
    matched = _PATH.fullmatch(request.path)
    return matched["node"] if matched else ""
