"""Simulates Mastodon's API and the family that speaks it, newest favourite first, paged only by the Link header.

GET /api/v1/statuses/:id and /api/v1/statuses/:id/favourited_by. A page that is exactly full names a `next`, so the last
page can be empty. The other servers of the family differ in data, not in code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import islice, takewhile
from typing import ClassVar
from urllib.parse import urlencode
from uuid import UUID

import msgspec

from harvester.rehearsal.dialect import Kind, ListPage, digest, iso_micros, iso_millis, millis, visible, written_in
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Refusal, Request
from harvester.rehearsal.world import Place, SimulatedLike, SimulatedPost, World

_PATH = re.compile(r"/api/v1/statuses/(?P<id>[^/]+)(?P<likers>/favourited_by)?/?")
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_REQUESTS, _WINDOW = 300, timedelta(minutes=5)


class Ids(StrEnum):
    """The shape of a server's ids."""

    DIGITS = "digits"
    ULID = "ulid"
    UUID = "uuid"


class _Account(msgspec.Struct):
    """An account as a list of favourites shows it."""

    id: str
    username: str
    acct: str
    display_name: str
    url: str
    uri: str
    locked: bool = False
    bot: bool = False
    discoverable: bool | None = None
    group: bool = False
    created_at: str = "2022-11-05T00:00:00.000Z"
    note: str = ""
    avatar: str = "https://cdn.example.invalid/avatar.png"
    avatar_static: str = "https://cdn.example.invalid/avatar.png"
    header: str = "https://cdn.example.invalid/header.png"
    followers_count: int = 0
    following_count: int = 0
    statuses_count: int = 0
    last_status_at: str | None = None
    emojis: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


class _Status(msgspec.Struct):
    id: str
    created_at: str
    url: str
    uri: str
    account: _Account
    favourites_count: int
    visibility: str = "public"
    sensitive: bool = False
    spoiler_text: str = ""
    language: str = "fr"
    content: str = "<p>A simulated contest post</p>"
    reblogs_count: int = 0
    replies_count: int = 0
    edited_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mastodon:
    """One server of the family: `depth` is how many likers its list reaches, `token` one that it accepts, None all."""

    name: ClassVar[str] = "mastodon"
    ids: Ids = Ids.DIGITS
    paged: bool = True
    depth: int | None = None
    token: str | None = None

    def actor_id(self, name: str) -> str:
        return self._id(digest("account", name, size=16), _number(digest("account", name, size=7)) + 10**17)

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        return self._id(digest(author, str(number), size=16), (millis(at) << 16) + number % 2**16)

    def place(self, like: SimulatedLike) -> Place:
        """Newest favourite first; a list without pages comes in no order at all."""
        return (like.number,) if self.paged else (like.actor,)

    def url_of(self, post: SimulatedPost, origin: str, /) -> str:
        return f"{origin}/@{post.author}/{post.native_id}"

    def kind_of(self, request: Request) -> Kind | None:
        matched = _PATH.fullmatch(request.path)
        if matched is None or request.method != "GET":
            return None
        return Kind.LIKES if matched["likers"] else Kind.POST

    def admit(self, request: Request, tokens: Tokens) -> None:
        if self.token is not None and not tokens.accepts(request.bearer):
            raise Refusal(Answer.json({"error": "The access token is invalid"}, status=401))

    def answer(self, world: World, request: Request) -> Answer:
        post = self._find(world, request)
        if self.kind_of(request) is Kind.LIKES:
            likes = partial(self._honest_page, world, request)
            answer = post.remembered((request.origin, request.target), likes)
        else:
            answer = Answer.json(self._status(post, request))
        return answer.with_headers(_limits(world.now()))

    def cursor_of(self, request: Request) -> str | None:
        return request.asked("max_id")

    def read_page(self, world: World, request: Request, cursor: str | None) -> ListPage:
        post = self._find(world, request)
        limit, since = min(request.whole_number("limit", 40), 80), request.whole_number("since_id", 0)
        with world.lock:
            reachable = self._reachable(post, _before(cursor))
            if not self.paged:
                return ListPage(likes=tuple(reachable), cursor=None)
            page = tuple(islice(takewhile(lambda like: like.number > since, reachable), limit))
        return ListPage(
            likes=page,
            cursor=str(page[-1].number) if page and len(page) == limit else None,
            previous=str(page[0].number) if page else None,
        )

    def write_page(self, _world: World, request: Request, page: ListPage) -> Answer:
        links = [
            f'<{_turned(request, **{parameter: cursor})}>; rel="{rel}"'
            for rel, parameter, cursor in (("next", "max_id", page.cursor), ("prev", "since_id", page.previous))
            if cursor is not None
        ]
        accounts = [_account(like.actor, like.name, request.origin) for like in page.likes]
        return Answer.json(accounts, headers={"Link": ", ".join(links)} if links else {})

    def invented_cursor(self, number: int) -> str:
        return str(2**62 + number)

    def _honest_page(self, world: World, request: Request) -> Answer:
        return self.write_page(world, request, self.read_page(world, request, self.cursor_of(request)))

    def _reachable(self, post: SimulatedPost, before: Place | None) -> Iterator[SimulatedLike]:
        if self.depth is None:
            return visible(post, post.newest(before))
        top = islice(visible(post, post.newest()), self.depth)
        return (like for like in top if before is None or (like.number,) < before)

    def _id(self, random: bytes, digits: int) -> str:
        if self.ids is Ids.ULID:
            return "01" + written_in(_CROCKFORD, _number(random), 24)
        return str(UUID(bytes=random, version=4)) if self.ids is Ids.UUID else str(digits)

    def _find(self, world: World, request: Request) -> SimulatedPost:
        matched = _PATH.fullmatch(request.path)
        post = world.find(self, matched["id"]) if matched else None
        if post is None or not post.is_visible:
            raise Refusal(Answer.json({"error": "Record not found"}, status=404))
        return post

    def _status(self, post: SimulatedPost, request: Request) -> _Status:
        return _Status(
            id=post.native_id,
            created_at=iso_millis(post.published_at),
            url=self.url_of(post, request.origin),
            uri=f"{request.origin}/users/{post.author}/statuses/{post.native_id}",
            account=_account(self.actor_id(post.author), post.author, request.origin),
            favourites_count=post.displayed(),
        )


GOTOSOCIAL = Mastodon(ids=Ids.ULID, paged=False, token="simulated-token")  # noqa: S106 (no secret: the server is simulated)
"""The whole list in one unordered answer, and only for a token."""
HOLLO = Mastodon(ids=Ids.UUID, paged=False, token="simulated-token")  # noqa: S106 (no secret: the server is simulated)
"""As GoToSocial, with other ids."""
TAKAHE = Mastodon(depth=40)
"""Gives 40 of 335 and then ends as if that were all."""
SHARKEY = Mastodon(depth=10)
"""Gives 10, always."""


def _account(actor: str, name: str, origin: str) -> _Account:
    return _Account(
        id=actor, username=name, acct=name, display_name=name, url=f"{origin}/@{name}", uri=f"{origin}/users/{name}"
    )


def _number(random: bytes) -> int:
    return int.from_bytes(random)


def _before(cursor: str | None) -> Place | None:
    return (int(cursor),) if cursor and cursor.isascii() and cursor.isdigit() else None


def _turned(request: Request, **cursor: str) -> str:
    """Name another page of the same list, on the host the client asked."""
    limit = request.asked("limit")
    kept = {"limit": limit} if limit else {}
    return f"{request.origin}{request.path}?{urlencode(kept | cursor)}"


def _limits(now: datetime) -> dict[str, str]:
    """Promise a full allowance until the next five minutes."""
    window = _WINDOW.total_seconds()
    reset = datetime.fromtimestamp((now.timestamp() // window + 1) * window, UTC)
    return {
        "X-RateLimit-Limit": str(_REQUESTS),
        "X-RateLimit-Remaining": str(_REQUESTS - 1),
        "X-RateLimit-Reset": iso_micros(reset),
    }
