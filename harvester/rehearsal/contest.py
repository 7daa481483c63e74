"""A contest of two weeks on simulated platforms, scheduled up front, with the truth of who liked.

Likes come in the shape of a real trace. Some likers are blocked by the author (counted, never listed), some take their
like back, some date it wrongly, and some come too late: what a contest meets.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

from harvester.clock import time_zone
from harvester.rehearsal.arrivals import arrival_times
from harvester.rehearsal.bluesky import Bluesky
from harvester.rehearsal.dialect import Dialect, Kind
from harvester.rehearsal.faults import Reset, Throttle
from harvester.rehearsal.mastodon import Mastodon
from harvester.rehearsal.server import SimulatedPlatform
from harvester.rehearsal.tiktok import Tiktok
from harvester.rehearsal.world import SimulatedPost, World

STARTS_AT = datetime(2027, 6, 19, tzinfo=time_zone("Africa/Casablanca")).astimezone(UTC)
"""Midnight in Casablanca, by whatever rules its clocks have by then."""
ENDS_AT = STARTS_AT + timedelta(days=14)


class SimulatedClock:
    """A clock that goes forward when told, or when somebody would have slept."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        self._at += by

    def advance_to(self, instant: datetime) -> None:
        self._at = max(self._at, instant)

    def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContestPost:
    """A post of the contest, its link and whose it is; `blocked` are likers its author blocked from the start.

    Where nobody is named, the highest number shown counts, and that has the blocked in it: there are none then.
    """

    post: SimulatedPost
    url: str
    entrant: str
    blocked: frozenset[str]

    def creditable(self) -> frozenset[str]:
        """Everyone who truly liked inside the window and can be named: what must be credited."""
        return self.post.likers(ENDS_AT - timedelta(microseconds=1)) - self.blocked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    dialect: Dialect
    author: str
    entrant: str
    likes: int
    blocked: int = 0
    taken_back: int = 0
    back_dated: int = 0
    purged: int = 0


_PLANS = (
    _Plan(dialect=Mastodon(), author="yasmine", entrant="Yasmine", likes=1240, taken_back=12),
    _Plan(dialect=Mastodon(), author="amine", entrant="Amine", likes=655),
    _Plan(dialect=Bluesky(), author="yasmine", entrant="Yasmine", likes=480, blocked=6, back_dated=9),
    _Plan(dialect=Bluesky(), author="amine", entrant="Amine", likes=310),
    _Plan(dialect=Tiktok(), author="contest", entrant="Amine", likes=720, purged=40),
)
_SECRET = "simulated.token"  # noqa: S105 (a file's name)


class RehearsedContest:
    """The contest on three simulated platforms; it is served until the block ends. `posts` are published one by one."""

    def __init__(self) -> None:
        self.clock = SimulatedClock(STARTS_AT - timedelta(days=1))
        world = World(self.clock.now)
        dialects: tuple[Dialect, ...] = (Mastodon(), Bluesky(), Tiktok())
        self._platforms = {dialect: SimulatedPlatform(world, dialect) for dialect in dialects}
        morning = STARTS_AT + timedelta(hours=9)
        self.posts = tuple(
            _schedule(world, plan, morning + timedelta(minutes=5 * place), self._platforms[plan.dialect])
            for place, plan in enumerate(_PLANS)
        )

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        for platform in self._platforms.values():
            self._stack.enter_context(platform)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def config(self) -> str:
        """Give the settings that lead the connectors to the simulated platforms (TOML)."""
        appview, videos = self._platforms[Bluesky()].origin, self._platforms[Tiktok()].origin
        return (
            "[http]\nallow_private_hosts = true\n\n"
            f'[connectors.bluesky]\nappview = "{appview}"\n\n'
            f'[connectors.tiktok]\napi = "{videos}"\ntoken_file = "{_SECRET}"\n'
        )

    @property
    def secrets(self) -> Mapping[str, str]:
        """Give the files beside the settings that hold what nobody writes into them."""
        return {_SECRET: Tiktok().token}

    def ask_for_a_pause(self, pause: timedelta, *, at_page: int) -> None:
        """Let the first post's platform answer one of the next pages with 429 and a time to come back."""
        throttle, about = Throttle(reset=Reset.X_ISO, pause=pause), self.posts[0].post.native_id
        self._platforms[Mastodon()].faults.inject(throttle, on=Kind.LIKES, about=about, nth=at_page)


def _schedule(world: World, plan: _Plan, published_at: datetime, platform: SimulatedPlatform) -> ContestPost:
    """Publish a post and let its likes come, until a day after the contest's end."""
    post = world.publish(plan.dialect, author=plan.author, at=published_at)
    names = [f"{plan.author}-fan-{number}" for number in range(plan.likes)]
    times = arrival_times(published_at, number=plan.likes, until=ENDS_AT - timedelta(minutes=10), seed=plan.likes)
    for number, (name, at) in enumerate(zip(names, times, strict=True)):
        post.like(name, at, claimed=datetime(2023, 1, 1, tzinfo=UTC) if number < plan.back_dated else None)
    if plan.purged:  # false accounts, taken for a week: the number falls, and comes back
        post.drift(-plan.purged, STARTS_AT + timedelta(days=5))
        post.drift(plan.purged, STARTS_AT + timedelta(days=12))
    for name in names[: plan.taken_back]:
        post.unlike(name, STARTS_AT + timedelta(days=9))
    for number in range(3):
        post.like(f"{plan.author}-last-minute-{number}", ENDS_AT - timedelta(minutes=2))
        post.like(f"{plan.author}-too-late-{number}", ENDS_AT + timedelta(hours=1))
    blocked = names[len(names) // 2 :][: plan.blocked]
    for name in blocked:
        post.hide(name, published_at)
    return ContestPost(
        post=post,
        url=platform.url_of(post),
        entrant=plan.entrant,
        blocked=frozenset(plan.dialect.actor_id(name) for name in blocked),
    )
