"""Simulates the Graph API of Facebook Pages: /reactions, posts with their counts, and the list of a Page's own posts.

Its surprises: for anybody but the Page itself a post has a count and no likers; hidden likers are cut out of a page
after it was read, so pages are short; a post's address says a `pfbid` that the API does not know; and of several posts
asked at once, one that is gone fails them all.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import ClassVar

from harvester.rehearsal import meta
from harvester.rehearsal.dialect import Kind, ListPage, digest, digits, millis, visible
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Request
from harvester.rehearsal.world import Place, SimulatedLike, SimulatedPost, World

_PATH = re.compile(rf"{meta.VERSION}(?:/(?P<node>[\w.]*))?(?:/(?P<edge>reactions|posts|feed|published_posts))?/?")
_REACTIONS = ("LIKE", "LIKE", "LIKE", "LIKE", "LIKE", "LIKE", "LOVE", "LOVE", "CARE", "WOW")


@dataclass(frozen=True, slots=True, kw_only=True)
class FacebookPage:
    """The API as the Page of `account` sees it with its `token`; `foreign_token` is another Page's."""

    name: ClassVar[str] = "facebook_page"
    account: str = "contest"
    token: str = "simulated-token"  # noqa: S105 (no secret: the server is simulated)
    foreign_token: str = "token-of-another-page"  # noqa: S105 (as above)
    has_pfbids: bool = True

    def page_id(self, author: str) -> str:
        """Give the number of an author's Page, as the connector's settings want it."""
        return digits("facebook page", author, length=15)

    def actor_id(self, name: str) -> str:
        return digits("facebook profile", name, length=17)

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        return f"{self.page_id(author)}_{(millis(at) << 16) + number % 2**16}"

    def place(self, like: SimulatedLike) -> Place:
        return (like.number,)

    def url_of(self, post: SimulatedPost, _origin: str, /) -> str:
        """Give the address on the real site; without pfbids, it says both ids."""
        page, _, story = post.native_id.partition("_")
        if not self.has_pfbids:
            return f"https://www.facebook.com/permalink.php?story_fbid={story}&id={page}"
        return f"https://www.facebook.com/{post.author}/posts/pfbid0{digest(post.native_id, size=30).hex()}"

    def reaction_of(self, actor: str) -> str:
        """Say how a liker reacts, by the platform's id: six in ten with the thumb."""
        return _REACTIONS[int(actor[-1])]

    def kind_of(self, request: Request) -> Kind | None:
        matched = _PATH.fullmatch(request.path) if request.method == "GET" else None
        if matched is None:
            return None
        if matched["edge"]:
            return Kind.LIKES if matched["edge"] == "reactions" else Kind.IDENTITY
        return Kind.GRANT if matched["node"] == "me" else Kind.POST

    def admit(self, request: Request, tokens: Tokens) -> None:
        if meta.token_of(request) != self.foreign_token:
            meta.admit(request, tokens)

    def answer(self, world: World, request: Request) -> Answer:
        answers: dict[Kind | None, Callable[[World, Request], Answer]] = {
            Kind.LIKES: self._reactions,
            Kind.IDENTITY: self._own_posts,
            Kind.POST: self._counts,
            Kind.GRANT: self._owner,
        }
        return answers[self.kind_of(request)](world, request)

    def cursor_of(self, request: Request) -> str | None:
        return request.asked("after")

    def read_page(self, world: World, request: Request, cursor: str | None) -> ListPage:
        post, limit = self._asked_post(world, request), meta.limit_of(request)
        place = meta.opened(cursor)
        if not limit or not self._is_own(post, request):
            return ListPage(likes=(), cursor=None)
        with world.lock:
            before = (int(place),) if place is not None and place.isdecimal() else None
            rows = tuple(islice(self._of_kind(post, request.asked("type"), before), limit + 1))
            likes = tuple(visible(post, rows[:limit]))
        return ListPage(likes=likes, cursor=meta.sealed(str(rows[limit - 1].number)) if len(rows) > limit else None)

    def write_page(self, world: World, request: Request, page: ListPage) -> Answer:
        rows = [
            meta.node(request, profile) if request.asked("fields") else profile
            for like in page.likes
            for profile in ({"id": like.actor, "name": like.name, "type": self.reaction_of(like.actor)},)
        ]
        places = [str(like.number) for like in page.likes]
        after = meta.opened(page.cursor) or next(reversed(places), None)
        ends = (next(iter(places), after), after) if after else None
        written = meta.envelope(request, rows, ends=ends, has_more=page.cursor is not None)
        if request.asked("summary"):
            written["summary"] = self._summary(self._asked_post(world, request), request.asked("type"))
        return Answer.json(written)

    def invented_cursor(self, number: int) -> str:
        return meta.sealed(str(2**62 + number))

    def _reactions(self, world: World, request: Request) -> Answer:
        return self.write_page(world, request, self.read_page(world, request, self.cursor_of(request)))

    def _own_posts(self, world: World, request: Request) -> Answer:
        page = _node(request)
        shown = world.newest_posts(self)
        of_page = [post for post in shown if page in self._names_of(post.author)]
        return meta.posts(request, of_page, lambda post: meta.node(request, self._view(post, request)))

    def _counts(self, world: World, request: Request) -> Answer:
        ids = request.asked("ids")
        if not ids:
            return Answer.json(meta.node(request, self._view(self._asked_post(world, request), request)))
        found = (self._find(world, native_id) for native_id in ids.split(","))
        return Answer.json({post.native_id: meta.node(request, self._view(post, request)) for post in found})

    def _owner(self, _world: World, request: Request) -> Answer:
        owner = "another-page" if meta.token_of(request) == self.foreign_token else self.account
        return Answer.json(meta.node(request, {"id": self.page_id(owner), "name": owner}))

    def _view(self, post: SimulatedPost, request: Request) -> dict[str, object]:
        asked = meta.fields_of(request).get("reactions", {})
        return {
            "id": post.native_id,
            "created_time": meta.written(post.published_at),
            "permalink_url": self.url_of(post, ""),
            "message": "A simulated contest post",
            "reactions": {"data": [], "summary": self._summary(post, asked.get("type"))},
        }

    def _summary(self, post: SimulatedPost, kind: str | None) -> dict[str, object]:
        """Count all reactions, or those of a kind: what the world lets the number drift by are thumbs."""
        total = post.displayed()
        if kind:
            with post.world.lock:
                of_kind = sum(1 for _ in self._of_kind(post, kind, None))
                drift = total - sum(1 for _ in post.newest())
            total = of_kind + (drift if kind == "LIKE" else 0)
        return {"total_count": max(0, total), "viewer_reaction": "NONE"}

    def _of_kind(self, post: SimulatedPost, kind: str | None, before: Place | None) -> Iterator[SimulatedLike]:
        return (like for like in post.newest(before) if kind in (None, self.reaction_of(like.actor)))

    def _is_own(self, post: SimulatedPost, request: Request) -> bool:
        return post.author == self.account and meta.token_of(request) != self.foreign_token

    def _names_of(self, author: str) -> tuple[str, ...]:
        return (author, self.page_id(author), *(("me",) if author == self.account else ()))

    def _asked_post(self, world: World, request: Request) -> SimulatedPost:
        return self._find(world, _node(request))

    def _find(self, world: World, native_id: str) -> SimulatedPost:
        post = world.find(self, native_id)
        if post is None or not post.is_visible:
            raise meta.missing(native_id)
        return post


def _node(request: Request) -> str:
    matched = _PATH.fullmatch(request.path)
    return (matched["node"] or "") if matched else ""
