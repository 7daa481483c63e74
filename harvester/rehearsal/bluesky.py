"""Simulates Bluesky's AppView with its open data plane: XRPC, sorted by min(claimed, real) time, (time, CID) cursors.

Its surprises: hidden likers are cut out of a page after it was read, so a page can be empty and still have a cursor; an
unknown post is an empty list; a deleted one still lists its likes; an address with a handle in it is a 500.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import ClassVar

from harvester.rehearsal.dialect import Kind, ListPage, digest, iso_millis, millis, visible, written_in
from harvester.rehearsal.wire import Answer, Refusal, Request
from harvester.rehearsal.world import Place, SimulatedLike, SimulatedPost, World

_BASE32_LETTERS = str.maketrans("0189", "ghij")
_SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"
_KINDS = {
    "/xrpc/app.bsky.feed.getLikes": Kind.LIKES,
    "/xrpc/app.bsky.feed.getPosts": Kind.POST,
    "/xrpc/com.atproto.identity.resolveHandle": Kind.IDENTITY,
}
_BATCH = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Bluesky:
    """`shared_cids`: likes claimed at one instant share a CID, as in reality, and a cursor between them loses some."""

    name: ClassVar[str] = "bluesky"
    shared_cids: bool = False

    def actor_id(self, name: str) -> str:
        return f"did:plc:{_base32(digest('actor', name, size=12))}"

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        rkey = written_in(_SORTABLE, (millis(at) * 1_000 << 10) + number % 2**10, 13)
        return f"at://{self.actor_id(author)}/app.bsky.feed.post/{rkey}"

    def place(self, like: SimulatedLike) -> Place:
        words = iso_millis(like.claimed) if self.shared_cids else str(like.number)
        return (iso_millis(min(like.claimed, like.at)), _cid(words), like.number)

    def url_of(self, post: SimulatedPost, _origin: str, /) -> str:
        """Give the address on the real site: its readers ask an AppView, here the simulated one."""
        return f"https://bsky.app/profile/{handle_of(post.author)}/post/{post.native_id.rsplit('/', 1)[1]}"

    def kind_of(self, request: Request) -> Kind | None:
        return _KINDS.get(request.path) if request.method == "GET" else None

    def answer(self, world: World, request: Request) -> Answer:
        answers: dict[Kind | None, Callable[[World, Request], Answer]] = {
            Kind.LIKES: self._likes,
            Kind.POST: self._posts,
            Kind.IDENTITY: self._identity,
        }
        return answers[self.kind_of(request)](world, request)

    def cursor_of(self, request: Request) -> str | None:
        return request.asked("cursor")

    def read_page(self, world: World, request: Request, cursor: str | None) -> ListPage:
        limit = request.whole_number("limit", 50)
        if not 1 <= limit <= 100:
            raise _refused(400, "InvalidRequest", "Error: limit must be an integer from 1 to 100")
        post = world.find(self, _addressed(request.asked("uri")))
        before = _before(cursor)
        if post is None or before == ():
            return ListPage(likes=(), cursor=None)
        with world.lock:
            rows = tuple(islice(post.newest(before), limit))
            full = len(rows) == limit
            return ListPage(likes=tuple(visible(post, rows)), cursor=self._cursor_after(rows[-1]) if full else None)

    def write_page(self, _world: World, request: Request, page: ListPage) -> Answer:
        likes = [
            {"indexedAt": at, "createdAt": iso_millis(like.claimed), "actor": _profile(like.actor, like.name)}
            for like in page.likes
            for at in (iso_millis(min(like.claimed, like.at)),)
        ]
        following = {} if page.cursor is None else {"cursor": page.cursor}
        return Answer.json({"uri": request.asked("uri"), "likes": likes, **following})

    def invented_cursor(self, number: int) -> str:
        return f"9999-12-31T23:59:59.999Z::{_cid(str(number))}"

    def _cursor_after(self, like: SimulatedLike) -> str:
        time, cid, _ = self.place(like)
        return f"{time}::{cid}"

    def _likes(self, world: World, request: Request) -> Answer:
        read = partial(self.read_page, world, request, self.cursor_of(request))
        post = world.find(self, _addressed(request.asked("uri")))
        if post is None:
            return self.write_page(world, request, read())
        return post.remembered((request.origin, request.target), lambda: self.write_page(world, request, read()))

    def _posts(self, world: World, request: Request) -> Answer:
        uris = [_addressed(uri) for uri in request.query.get("uris", [])]
        if not 1 <= len(uris) <= _BATCH:
            raise _refused(400, "InvalidRequest", f"Error: uris must have 1 to {_BATCH} items")
        found = (world.find(self, uri) for uri in uris)
        return Answer.json({"posts": [self._view(post) for post in found if post and post.is_visible]})

    def _identity(self, world: World, request: Request) -> Answer:
        known = {handle_of(author): self.actor_id(author) for author in world.authors(self)}
        did = known.get(request.asked("handle") or "")
        if did is None:
            raise _refused(400, "InvalidRequest", "Unable to resolve handle")
        return Answer.json({"did": did})

    def _view(self, post: SimulatedPost) -> dict[str, object]:
        published = iso_millis(post.published_at)
        return {
            "uri": post.native_id,
            "cid": _cid(post.native_id),
            "author": _profile(self.actor_id(post.author), post.author),
            "record": {"$type": "app.bsky.feed.post", "createdAt": published, "text": "A simulated contest post"},
            "replyCount": 0,
            "repostCount": 0,
            "likeCount": post.displayed(),
            "indexedAt": published,
            "labels": [],
        }


def handle_of(name: str) -> str:
    """Give the handle of an actor: `amal` is amal.simulated.test."""
    return f"{name}.simulated.test"


def _base32(random: bytes) -> str:
    """Write bytes in letters that base32 has; not in base32, which is five times slower."""
    return random.hex().translate(_BASE32_LETTERS)


def _cid(words: str) -> str:
    return f"bafyrei{_base32(digest(words, size=26))}"


def _profile(did: str, name: str) -> dict[str, object]:
    return {
        "did": did,
        "handle": handle_of(name),
        "displayName": name,
        "avatar": "https://cdn.example.invalid/avatar.jpg",
        "viewer": {"muted": False, "blockedBy": False},
        "labels": [],
        "createdAt": "2024-11-14T01:04:19.819Z",
        "indexedAt": "2024-11-14T01:04:19.819Z",
    }


def _addressed(uri: str | None) -> str:
    """Check an AT-URI as the real one does: missing is the caller's mistake, a handle in it is a crash."""
    if not uri:
        raise _refused(400, "InvalidRequest", 'Error: Params must have the property "uri"')
    if not uri.startswith("at://did:"):
        raise _refused(500, "InternalServerError", "Internal Server Error")
    return uri


def _before(cursor: str | None) -> Place | None:
    """Read a cursor; an empty place means "understood, and nothing follows", which is the answer to half a cursor."""
    if cursor is None:
        return None
    if cursor.startswith("did:"):
        raise _refused(400, "InvalidRequest", "Malformed cursor")
    time, separator, cid = cursor.partition("::")
    if time and separator and cid:
        return (time, cid)
    if cursor == "::" or _is_time(cursor):
        return ()
    raise _refused(500, "InternalServerError", "Internal Server Error")


def _is_time(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def _refused(status: int, error: str, message: str) -> Refusal:
    return Refusal(Answer.json({"error": error, "message": message}, status=status))
