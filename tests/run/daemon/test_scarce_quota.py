"""With a tenth of the requests that full sweeps would take: nothing is asked in excess, no post is left behind.

On every run with a few posts; `HARVESTER_SCARCE_POSTS=500` takes minutes.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise, takewhile
from operator import attrgetter

import pytest

from harvester.collect.cadence import Watched, fair_bound
from harvester.config import HttpSettings, ScheduleSettings, Settings, SweepSettings
from harvester.connector import Budget
from harvester.contest.entries import NewEntry, add_posts
from harvester.rehearsal import Mastodon, SimulatedPlatform, World
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Refusal, Request
from harvester.run.daemon.timetable import Appointment, Purpose, limits_of, timetable
from harvester.run.poll import read_all
from harvester.run.reader import Reader, open_work
from harvester.store.installation import Installation
from harvester.store.kinds import SweepOutcome
from harvester.store.models import Night, Sweep
from tests.factories import KICK_OFF, Clock, Contest

POSTS, LIKERS = int(os.environ.get("HARVESTER_SCARCE_POSTS", "15")), 100
FULL_SWEEP = 4  # two counts and two pages
QUOTA = Budget(requests=POSTS * FULL_SWEEP // 10, per=timedelta(hours=1))
LASTS = timedelta(hours=20)
PAUSE = timedelta(minutes=30)
PAUSES_AFTER = [timedelta(hours=hours) for hours in (9, 13, 17, 22, 46)]


@dataclass
class Ledger:
    """What a server with a quota remembers; `excess` are the requests that it should never have been sent."""

    clock: Clock
    pauses: list[datetime]
    sent: list[datetime] = field(default_factory=list)
    excess: list[datetime] = field(default_factory=list)
    closed_until: datetime = KICK_OFF

    def admit(self) -> None:
        now = self.clock()
        lately = [at for at in self.sent if at > now - QUOTA.per]
        self.sent.append(now)
        if now < self.closed_until or len(lately) >= QUOTA.requests:
            self.excess.append(now)
            raise _too_many(QUOTA.per)
        if self.pauses and now >= self.pauses[0]:
            self.pauses.pop(0)
            self.closed_until = now + PAUSE
            raise _too_many(PAUSE)


def _too_many(wait: timedelta) -> Refusal:
    headers = {"Retry-After": str(int(wait.total_seconds()))}
    return Refusal(Answer.json({"error": "Too many requests"}, status=429, headers=headers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scarce(Mastodon):
    """A server that counts what it is asked."""

    ledger: Ledger

    def admit(self, request: Request, tokens: Tokens) -> None:
        self.ledger.admit()


@pytest.fixture
def contest(clock: Clock, make_contest_on: object, sqlite_url: str) -> Contest:
    made = make_contest_on(sqlite_url, starts_at=KICK_OFF, ends_at=KICK_OFF + LASTS)  # type: ignore[operator]
    assert isinstance(made, Contest)
    return made


@pytest.fixture
def at(contest: Contest) -> Installation:
    settings = Settings(
        http=HttpSettings(allow_private_hosts=True, attempts=1, longest_wait_seconds=0),
        sweep=SweepSettings(threads=1),
        schedule=ScheduleSettings(longest_interval_seconds=3600),
        connectors={"mastodon": {"budget": str(QUOTA)}},
    )
    return Installation(
        database=contest.database, settings=settings, master=contest.master, now=contest.clock, sleep=lambda _: None
    )


@pytest.fixture
def ledger(contest: Contest) -> Ledger:
    return Ledger(contest.clock, [KICK_OFF + after for after in PAUSES_AFTER])


@pytest.fixture
def posts(contest: Contest, at: Installation, ledger: Ledger) -> Iterator[None]:
    """A contest of posts on such a server, liked before anybody looks and a little ever after."""
    world, dialect = World(contest.clock), Scarce(ledger=ledger)
    with SimulatedPlatform(world, dialect) as platform:
        made = [world.publish(dialect, author=f"author-{number}", at=KICK_OFF) for number in range(POSTS)]
        for post in made:
            for number in range(LIKERS):
                post.like(f"fan-{number}")
        add_posts(at, contest.facts, [NewEntry(pasted_url=platform.url_of(post)) for post in made])
        ledger.sent.clear()
        yield


def keep(at: Installation, reader: Reader, appointment: Appointment, contest: Contest) -> None:
    """Do what the daemon would, without nights, whose full sweeps would be a day's quota."""
    if appointment.purpose is Purpose.NIGHTLY:
        with at.database.writing() as session:
            now = at.now()
            session.add(Night(started_at=now, ended_at=now, outcome=SweepOutcome.COMPLETE, summary="{}"))
        return
    with at.database.reading() as session:
        work = [one for one in open_work(session, contest.facts) if one.entry_id in appointment.entry_ids]
    read_all(at, reader, work, wants_full=appointment.purpose is not Purpose.POLL)


def live_until_the_settlement(at: Installation, reader: Reader, contest: Contest) -> int:
    """Keep one appointment after the other, the earliest first; time moves to the next one and no further.

    The timetable is asked anew after each, but for a few polls in a row where there are many posts.
    """
    for asked in range(2_000):
        first, *others = sorted(timetable(at, reader), key=attrgetter("at"))
        polls = takewhile(is_poll, others[: POSTS // 15 - 1]) if is_poll(first) else ()
        for next_one in (first, *polls):
            contest.clock.at = max(contest.clock.at, next_one.at)
            if next_one.purpose is Purpose.SETTLEMENT:
                return asked
            keep(at, reader, next_one, contest)
    raise AssertionError(f"at {contest.clock()} the same is still due: {first}")


def is_poll(appointment: Appointment) -> bool:
    return appointment.purpose is Purpose.POLL


def test_a_tenth_of_the_quota_is_enough_to_leave_no_post_behind(
    contest: Contest, at: Installation, ledger: Ledger, posts: None
) -> None:
    with Reader(at) as reader:
        assert live_until_the_settlement(at, reader, contest)
    bound = bound_of_full_sweeps(at.settings)
    assert ledger.excess == []
    assert ledger.pauses == []
    assert oldest_look(contest) <= bound + QUOTA.per + PAUSE * len(PAUSES_AFTER)
    for edge in (KICK_OFF + LASTS, KICK_OFF + LASTS + timedelta(days=1)):
        assert len(closed_since(contest, edge)) == POSTS


def bound_of_full_sweeps(settings: Settings) -> timedelta:
    """Give how old a post may become while every look is a sweep of the whole list, as the first ones are."""
    post = Watched(
        entry_ids=(1,),
        arrivals=(),
        born_at=KICK_OFF,
        last_poll_at=None,
        requests=FULL_SWEEP,
        window=None,
        not_before=None,
    )
    return fair_bound([post] * POSTS, [QUOTA], limits_of(settings.schedule))


def oldest_look(contest: Contest) -> timedelta:
    """Give how long at most, in the contest, a post was not looked at."""
    end = KICK_OFF + LASTS
    looks: dict[int, list[datetime]] = {}
    for sweep in contest.rows(Sweep, outcome=SweepOutcome.COMPLETE):
        looks.setdefault(sweep.entry_id, [KICK_OFF]).append(min(sweep.touched_at, end))
    assert len(looks) == POSTS
    return max(after - before for one in looks.values() for before, after in pairwise([*one, end]))


def closed_since(contest: Contest, edge: datetime) -> set[int]:
    complete = contest.rows(Sweep, outcome=SweepOutcome.COMPLETE, is_full=True)
    return {sweep.entry_id for sweep in complete if sweep.started_at >= edge}
