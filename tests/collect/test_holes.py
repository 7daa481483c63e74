"""A platform that lists only its newest likers: polled often enough nobody is lost, else the hole is stated.

Polls come when the cadence says, on a clock turned by hand, beside as many likes a minute as a test wants.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count, pairwise

import pytest

from harvester.books.audit import audit_campaign
from harvester.collect.cadence import Arrivals, Limits, NextPoll, Watched, next_polls
from harvester.collect.sweep import sweep_entry
from harvester.connector import Basis, Budget, Unstable
from harvester.store.models import Hole, Sweep
from tests.factories import COMPLETE, HIDDEN, KICK_OFF, Contest, CountingPlatform, FakePlatform

MakeContest = Callable[..., Contest]
WINDOW, MINUTE = 100, timedelta(minutes=1)
LIMITS = Limits(shortest=MINUTE, longest=timedelta(hours=6))
BUDGETS = (Budget(requests=300, per=timedelta(minutes=15)),)


@dataclass
class Crowd:
    """So many likes a minute on a post whose list shows the newest hundred, added when it is a minute old.

    It is polled as the cadence says that knows of a `window`, beside two hundred busy posts that share its budget.
    """

    contest: Contest
    a_minute: int
    window: int | None = WINDOW
    platform: FakePlatform = field(default_factory=lambda: FakePlatform(page_max=40, depth_limit=WINDOW))
    names: "count[int]" = field(default_factory=count)
    looks: list[Arrivals] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entry = self.contest.add_entry(published_at=KICK_OFF)
        self.contest.clock.forward(minutes=1)

    def watch(self, minutes: int) -> list[NextPoll]:
        """Poll until the post is so many minutes old; give what the cadence said before each poll."""
        polls = []
        while (poll := self.next_poll()).at < KICK_OFF + minutes * MINUTE:
            self.like_until(poll)
            assert sweep_entry(self.contest.job(self.entry, self.platform), wants_full=False).outcome == "complete"
            (*_, sweep) = self.contest.rows(Sweep, entry_id=self.entry)
            since = self.looks[-1].until if self.looks else KICK_OFF
            self.looks.append(Arrivals(since=since, until=self.contest.clock(), likes=sweep.new))
            polls.append(poll)
        return polls

    def next_poll(self) -> NextPoll:
        now = self.contest.clock()
        last_poll_at = self.looks[-1].until if self.looks else None
        watched = Watched(
            entry_ids=(self.entry,),
            arrivals=tuple(self.looks),
            born_at=KICK_OFF,
            last_poll_at=last_poll_at,
            requests=3,
            window=self.window,
            not_before=None,
        )
        busy = (Arrivals(since=now - MINUTE, until=now, likes=10),)
        others = [
            replace(watched, entry_ids=(1_000 + number,), arrivals=busy, last_poll_at=now, requests=1, window=None)
            for number in range(200)
        ]
        return next_polls([watched, *others], BUDGETS, now=now, limits=LIMITS)[0]

    def like_until(self, poll: NextPoll) -> None:
        due = round((poll.at - KICK_OFF) / MINUTE * self.a_minute) - len(self.platform.standing)
        self.platform.like(*(f"fan-{next(self.names)}" for _ in range(due)))
        self.contest.clock.at = poll.at


def test_at_forty_likes_a_minute_nobody_is_lost(contest: Contest) -> None:
    crowd = Crowd(contest, 40)
    assert len(crowd.watch(minutes=30)) < 30
    assert contest.status.likes.credited == contest.entry(crowd.entry).held == len(crowd.platform.standing) > 1_000
    assert contest.rows(Hole) == []


def test_a_cadence_that_knows_of_no_window_would_lose_some_of_them(contest: Contest) -> None:
    Crowd(contest, 40, window=None).watch(minutes=30)
    assert contest.rows(Hole) != []


def test_at_four_hundred_likes_a_minute_the_hole_is_stated(make_contest: MakeContest) -> None:
    named, counted = make_contest(), make_contest()
    crowd = Crowd(named, 400)
    polls = crowd.watch(minutes=5)
    total = len(crowd.platform.standing)
    assert named.status.likes.credited == WINDOW * len(polls)
    holes, times = named.rows(Hole), [KICK_OFF, *(poll.at for poll in polls)]
    assert [(hole.since, hole.found_at) for hole in holes] == list(pairwise(times))
    assert sum(hole.unseen for hole in holes) == total - named.status.likes.credited
    other = counted.add_entry(basis=Basis.COUNT)
    counted.read([other], CountingPlatform({"1": total}))
    assert counted.status.likes.credited == total


def test_the_books_agree_about_a_post_with_holes(contest: Contest) -> None:
    Crowd(contest, 400).watch(minutes=5)
    with contest.database.reading() as session:
        assert audit_campaign(session, contest.slug) == ()


def fans(first: int, last: int) -> list[str]:
    """Name likers by number, newest first."""
    return [f"fan-{number}" for number in range(last, first - 1, -1)]


@pytest.fixture
def capped(contest: Contest) -> tuple[int, FakePlatform]:
    """A post whose list shows the newest four in pages of two, swept once: fan-1 to fan-4."""
    entry, platform = contest.add_entry(), FakePlatform(fans(1, 4), depth_limit=4, page_max=2)
    contest.sweep(entry, platform)
    return entry, platform


def unseen(contest: Contest) -> list[int | None]:
    return [hole.unseen for hole in contest.rows(Hole)]


def test_a_first_sweep_that_names_everybody_has_no_hole(contest: Contest, capped: tuple[int, FakePlatform]) -> None:
    assert unseen(contest) == []


def test_a_first_sweep_that_cannot_name_everybody_has_one(contest: Contest) -> None:
    contest.sweep(contest.add_entry(), FakePlatform(fans(1, 6), depth_limit=4))
    (hole,) = contest.rows(Hole)
    assert (hole.since, hole.unseen) == (contest.facts.rules.starts_at, 2)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(("last", "expected"), [(7, []), (8, [0]), (9, [1]), (11, [3])])
def test_a_list_that_shows_nobody_known_has_a_hole(
    contest: Contest, capped: tuple[int, FakePlatform], full: bool, last: int, expected: list[int]
) -> None:
    """At eight likes the list begins just after the last one known: nobody is missing, and nothing proves it."""
    entry, platform = capped
    platform.like(*reversed(fans(5, last)))
    contest.sweep(entry, platform, full=full)
    assert unseen(contest) == expected


def test_a_second_hole_does_not_count_the_first_one_again(contest: Contest, capped: tuple[int, FakePlatform]) -> None:
    entry, platform = capped
    for first in (5, 15):
        platform.like(*reversed(fans(first, first + 9)))
        contest.sweep(entry, platform)
    assert unseen(contest) == [6, 6]


def test_without_a_number_a_hole_is_stated_all_the_same(contest: Contest, capped: tuple[int, FakePlatform]) -> None:
    entry, platform = capped
    platform.displayed = HIDDEN
    platform.like(*reversed(fans(5, 9)))
    contest.sweep(entry, platform)
    assert unseen(contest) == [None]


def test_whom_a_broken_sweep_met_does_not_hide_a_hole(contest: Contest, capped: tuple[int, FakePlatform]) -> None:
    entry, platform = capped
    platform.like(*reversed(fans(5, 10)))
    platform.before = {len(platform.asked) + 2: Unstable("broke off")}
    contest.sweep(entry, platform)
    contest.clock.forward(days=1)
    platform.like("fan-11")
    assert contest.sweep(entry, platform).outcome == COMPLETE.outcome
    assert [sweep.new for sweep in contest.rows(Sweep)] == [4, 2, 2]
    assert unseen(contest) == [3]
