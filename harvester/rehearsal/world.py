"""The truth a simulated platform serves: who liked what and when, whatever its API then shows.

The whole of a contest can be scheduled up front: nothing after `now()` is visible yet, and the clock only goes forward.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from heapq import heappop, heappush
from itertools import count
from threading import RLock
from typing import ClassVar, NamedTuple, Protocol

from harvester.rehearsal.wire import Answer

Place = tuple[int | str, ...]
"""Where a like stands in a list, lowest last; a shorter place means everything that begins with it."""

MOST_PAGES_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedLike:
    """One like record: `number` grows with every like on the platform, `claimed` is the time its client wrote."""

    number: int
    actor: str
    name: str
    at: datetime
    claimed: datetime


class Naming(Protocol):
    """What the world needs of a dialect: its ids and the order of its lists."""

    name: ClassVar[str]

    def actor_id(self, name: str) -> str: ...

    def post_id(self, *, author: str, number: int, at: datetime) -> str: ...

    def place(self, like: SimulatedLike) -> Place:
        """Say where a like is listed; unique, highest first."""


class _Act(StrEnum):
    LIKE = "like"
    UNLIKE = "unlike"
    HIDE = "hide"
    SHOW = "show"
    HIDE_COUNT = "hide_count"
    SHOW_COUNT = "show_count"
    DRIFT = "drift"


class _Event(NamedTuple):
    """Ordered by time, then by the order of scheduling."""

    at: datetime
    number: int
    act: _Act
    name: str = ""
    claimed: datetime | None = None
    by: int = 0


class _Likers:
    """Who liked, who still does and who is hidden, after some events; `apply` says whether anything changed.

    `drift` is what the displayed number has been off by since then, and `are_uncounted` whether it is hidden.
    """

    def __init__(self) -> None:
        self.ever: set[str] = set()
        self.standing: set[str] = set()
        self.hidden: set[str] = set()
        self.drift = 0
        self.are_uncounted = False

    def apply(self, event: _Event) -> bool:
        match event.act:
            case _Act.DRIFT:
                self.drift += event.by
                return True
            case _Act.HIDE_COUNT | _Act.SHOW_COUNT:
                self.are_uncounted = event.act is _Act.HIDE_COUNT
                return True
            case _:
                return self._apply_to_liker(event)

    def _apply_to_liker(self, event: _Event) -> bool:
        among = self.standing if event.act in (_Act.LIKE, _Act.UNLIKE) else self.hidden
        adds = event.act in (_Act.LIKE, _Act.HIDE)
        if (event.name in among) is adds:
            return False
        if adds:
            among.add(event.name)
        else:
            among.remove(event.name)
        if event.act is _Act.LIKE:
            self.ever.add(event.name)
        return True


class SimulatedPost:
    """A post and its likers. `like("amal")` uses the world's names; the sets it tells are the platform's own ids."""

    def __init__(self, world: "World", naming: Naming, *, author: str, at: datetime, number: int) -> None:
        self.world = world
        self.naming = naming
        self.author = author
        self.published_at = at
        self.native_id = naming.post_id(author=author, number=number, at=at)
        self.miscount = 0
        """What the displayed count is off by, always: origin-claimed counters."""
        self._gone_at: datetime | None = None
        self._events: list[_Event] = []
        self._coming: list[_Event] = []
        self._now = _Likers()
        self._rows: list[tuple[Place, SimulatedLike]] = []
        self._places: dict[str, Place] = {}
        self._pages: dict[tuple[str, str], Answer] = {}

    # What happens to it: `at` defaults to now, and may be in the future.

    def like(self, name: str, at: datetime | None = None, *, claimed: datetime | None = None) -> None:
        """Like once; a second like of the same actor changes nothing. `claimed` is the time the client writes."""
        self._schedule(_Act.LIKE, at, name=name, claimed=claimed)

    def unlike(self, name: str, at: datetime | None = None) -> None:
        self._schedule(_Act.UNLIKE, at, name=name)

    def hide(self, name: str, at: datetime | None = None) -> None:
        """Block or suspend a liker: still counted, no longer listed."""
        self._schedule(_Act.HIDE, at, name=name)

    def show(self, name: str, at: datetime | None = None) -> None:
        """Undo `hide`."""
        self._schedule(_Act.SHOW, at, name=name)

    def hide_count(self, at: datetime | None = None) -> None:
        """Stop showing the number, where the platform has such a switch: YouTube and Instagram do."""
        self._schedule(_Act.HIDE_COUNT, at)

    def show_count(self, at: datetime | None = None) -> None:
        """Undo `hide_count`."""
        self._schedule(_Act.SHOW_COUNT, at)

    def drift(self, by: int, at: datetime | None = None) -> None:
        """Let the displayed number be off from then on: -40 is a purge of likes, +40 later their return."""
        self._schedule(_Act.DRIFT, at, by=by)

    def remove(self, at: datetime | None = None) -> None:
        """Delete the post or take it down: to the outside it is the same."""
        self._gone_at = at or self.world.now()

    def restore(self) -> None:
        """Undo `remove`: a 404 need not be for ever."""
        self._gone_at = None

    # The truth, as of an instant (default now).

    def likers(self, at: datetime | None = None) -> frozenset[str]:
        """Everyone who ever liked by then."""
        return self._ids(self._as_of(at).ever)

    def standing(self, at: datetime | None = None) -> frozenset[str]:
        """Everyone who liked and has not taken it back."""
        return self._ids(self._as_of(at).standing)

    def listed(self, at: datetime | None = None) -> frozenset[str]:
        """Everyone a complete list names: standing and not hidden."""
        likers = self._as_of(at)
        return self._ids(likers.standing - likers.hidden)

    def displayed(self, at: datetime | None = None) -> int:
        """The number the platform shows, hidden likers included."""
        likers = self._advanced() if at is None else self._as_of(at)
        return max(0, len(likers.standing) + likers.drift + self.miscount)

    @property
    def count_is_hidden(self) -> bool:
        return self._advanced().are_uncounted

    @property
    def is_visible(self) -> bool:
        now = self.world.now()
        return self.published_at <= now and (self._gone_at is None or now < self._gone_at)

    # What a dialect reads.

    def newest(self, before: Place | None = None) -> Iterator[SimulatedLike]:
        """Walk the list downwards from `before`, hidden likers included; hold the world's lock meanwhile."""
        self._advanced()
        end = len(self._rows) if before is None else bisect_left(self._rows, (before,))
        return (self._rows[index][1] for index in range(end - 1, -1, -1))

    def is_hidden(self, like: SimulatedLike) -> bool:
        return like.name in self._now.hidden

    def remembered(self, key: tuple[str, str], make: Callable[[], Answer]) -> Answer:
        """Make a page once while nothing changes."""
        with self.world.lock:
            self._advanced()
            page = self._pages.get(key) or make()
            if len(self._pages) < MOST_PAGES_KEPT:
                self._pages[key] = page
            return page

    def _schedule(
        self, act: _Act, at: datetime | None, *, name: str = "", claimed: datetime | None = None, by: int = 0
    ) -> None:
        with self.world.lock:
            event = _Event(at or self.world.now(), self.world.next_number(), act, name, claimed, by)
            self._events.append(event)
            heappush(self._coming, event)

    def _as_of(self, at: datetime | None) -> _Likers:
        until = at or self.world.now()
        likers = _Likers()
        with self.world.lock:
            for event in sorted(event for event in self._events if event.at <= until):
                likers.apply(event)
        return likers

    def _advanced(self) -> _Likers:
        now = self.world.now()
        with self.world.lock:
            while self._coming and self._coming[0].at <= now:
                event = heappop(self._coming)
                if self._now.apply(event):
                    self._pages.clear()
                    self._relist(event)
            return self._now

    def _relist(self, event: _Event) -> None:
        if event.act is _Act.LIKE:
            like = self._record(event)
            place = self._places[event.name] = self.naming.place(like)
            insort(self._rows, (place, like))
        elif event.act is _Act.UNLIKE:
            del self._rows[bisect_left(self._rows, (self._places.pop(event.name),))]

    def _record(self, event: _Event) -> SimulatedLike:
        return SimulatedLike(
            number=self.world.next_number(),
            actor=self.naming.actor_id(event.name),
            name=event.name,
            at=event.at,
            claimed=event.claimed or event.at,
        )

    def _ids(self, names: set[str]) -> frozenset[str]:
        return frozenset(map(self.naming.actor_id, names))


class World:
    """Every post on the simulated platforms, as of `now()`; safe to use from many threads."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.lock = RLock()
        self._numbers = count(1)
        self._posts: dict[str, SimulatedPost] = {}

    def publish(self, naming: Naming, *, author: str = "contest", at: datetime | None = None) -> SimulatedPost:
        """Publish a post on the platform that speaks this dialect; it is visible from `at` (default now)."""
        with self.lock:
            post = SimulatedPost(self, naming, author=author, at=at or self.now(), number=self.next_number())
            self._posts[post.native_id] = post
            return post

    def find(self, naming: Naming, native_id: str) -> SimulatedPost | None:
        """Find a post of this platform, gone or not; None before it is published."""
        post = self._posts.get(native_id)
        return post if post and post.naming == naming and post.published_at <= self.now() else None

    def newest_posts(self, naming: Naming) -> tuple[SimulatedPost, ...]:
        """List the posts of this platform that anybody can see now, newest first."""
        with self.lock:
            shown = (post for post in self._posts.values() if post.naming == naming and post.is_visible)
            return tuple(sorted(shown, key=lambda post: (post.published_at, post.native_id), reverse=True))

    def authors(self, naming: Naming) -> frozenset[str]:
        with self.lock:
            return frozenset(post.author for post in self._posts.values() if post.naming == naming)

    def next_number(self) -> int:
        return next(self._numbers)
