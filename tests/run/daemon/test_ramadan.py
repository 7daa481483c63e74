"""Contests across clock changes, with a daemon that dies all the time: everything scheduled is done once, and exact.

Time travels from one job to the next, nobody sleeps. A kill is an exception that nothing catches, raised between two
statements, before a request or after an answer; what the daemon knew is thrown away, and the next one, minutes or hours
later, has the database alone.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from cryptography.fernet import Fernet
from sqlalchemy import event
from sqlmodel import select

from harvester.books.audit import audit_campaign
from harvester.clock import time_zone, utc_now
from harvester.config import HttpSettings, ScheduleSettings, Settings
from harvester.contest.campaigns import NewCampaign, add_campaign, find_campaign
from harvester.contest.entries import NewEntry, add_posts
from harvester.contest.times import clock_changes, read_time
from harvester.rehearsal import Mastodon, SimulatedPlatform, SimulatedPost, Tiktok, World, arrival_times
from harvester.run.daemon.daemon import Daemon
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
from harvester.store.kinds import SweepOutcome
from harvester.store.models import Campaign, Entry, Night, Settlement, Sweep
from harvester.volume import Volume
from tests.run.daemon.stepped import SteppedScheduler

HOUR = timedelta(hours=1)
GRACE = 30 * HOUR
LIKERS = 100
RATE = Volume(10_000_000)
A_RETRY = timedelta(seconds=5)
A_NEW_SETTLEMENT = HOUR
"""One that was killed between its last reading and its booking looks like one that was refused: it is tried hourly."""


class Killed(BaseException):
    """The process is gone; not even a `finally` would have run, so nothing it does in one may matter."""


class Doom:
    """Ends a daemon after so many statements and looks at the clock: most are killed, some are told to stop."""

    def __init__(self, chance: random.Random, mean: int) -> None:
        self._chance, self._mean = chance, mean
        self.revive()

    def revive(self) -> None:
        self._left = self._chance.randint(1, 2 * self._mean)
        self._is_gentle = self._chance.random() < 0.25
        self.daemon: Daemon | None = None

    def tick(self, *_: Any) -> None:
        self._left -= 1
        if self._left <= 0 and self.daemon:
            if not self._is_gentle:
                raise Killed
            self.daemon.stop()


@dataclass
class Life:
    """From when until when a daemon was there."""

    begun_at: datetime
    ended_at: datetime = field(default_factory=utc_now)


class Season:
    """An installation, simulated platforms, and the daemons that come and go."""

    def __init__(self, folder: Path, clock: time_machine.Traveller, nightly: time, zone: ZoneInfo, seed: int) -> None:
        self.clock, self.chance = clock, random.Random(seed)
        self.zone = zone
        self.world = World(utc_now)
        self.platforms = {dialect.name: SimulatedPlatform(self.world, dialect) for dialect in (Mastodon(), Tiktok())}
        self.master = MasterKey(Fernet.generate_key().decode(), "the test")
        self.nightly = nightly
        self.doom = Doom(self.chance, mean=400)
        self.lives: list[Life] = []
        self.posts: dict[str, list[SimulatedPost]] = {}
        self.database = Database(f"sqlite:///{folder}/harvester.db")
        event.listen(self.database.engine, "connect", _without_waiting_for_the_disk)
        event.listen(self.database.engine, "before_cursor_execute", self.doom.tick)
        self.database.upgrade()

    def installation(self) -> Installation:
        """Open everything anew, but for what the engine knows of statements, which is slow to learn."""
        settings = Settings(
            http=HttpSettings(allow_private_hosts=True, attempts=1, longest_wait_seconds=0),
            schedule=ScheduleSettings(
                nightly=self.nightly,
                timezone=self.zone.key,
                shortest_interval_seconds=8 * 3600,
                longest_interval_seconds=12 * 3600,
                grace_hours=int(GRACE / HOUR),
            ),
            connectors={"tiktok": {"api": self.platforms["tiktok"].origin, "token": Tiktok().token}},
        )
        return Installation(database=self.database, settings=settings, master=self.master, now=self._now)

    def _now(self) -> datetime:
        self.doom.tick()
        return utc_now()

    def open(self, slug: str, starts_at: datetime, ends_at: datetime) -> None:
        """Begin a contest with two posts, whose likes are all scheduled; nobody likes while a closing may be late."""
        at = self.installation()
        new = NewCampaign(slug=slug, name=slug, starts_at=starts_at, ends_at=ends_at, zone=self.zone, rate=RATE)
        with at.database.writing() as session:
            add_campaign(session, self.master, new, author="the test", now=utc_now())
            facts = find_campaign(session, slug)
        self.clock.move_to(starts_at + HOUR)
        self.posts[slug] = [self._publish(dialect, ends_at) for dialect in (Mastodon(), Tiktok())]
        urls = [self.platforms[post.naming.name].url_of(post) for post in self.posts[slug]]
        added = add_posts(at, facts, [NewEntry(pasted_url=url) for url in urls])
        assert [one.reason for one in added] == [None, None]

    def _publish(self, dialect: Any, ends_at: datetime) -> SimulatedPost:
        post = self.world.publish(dialect)
        times = arrival_times(utc_now(), number=LIKERS, until=ends_at - HOUR / 10, seed=self.chance.randrange(1000))
        for number, at in enumerate(times):
            post.like(f"fan-{number}", at)
        if dialect == Mastodon():
            post.unlike("fan-0", max(times[0], utc_now()) + 20 * HOUR)
        for number in range(5):
            post.like(f"last-minute-{number}", ends_at - timedelta(seconds=20))
            post.like(f"too-late-{number}", ends_at + 14 * HOUR)
        return post

    def live(self, until: datetime) -> None:
        """Let daemons come and go until then; the last one is spared."""
        while utc_now() < until:
            self.doom.revive()
            self._live_once(until)
            self.clock.move_to(utc_now() + self.chance.choice([timedelta(seconds=1), HOUR / 4, HOUR, 3 * HOUR]))

    def _live_once(self, until: datetime) -> None:
        at, scheduler = self.installation(), SteppedScheduler()
        life = Life(begun_at=utc_now())
        self.lives.append(life)

        def wait(_: float) -> None:
            """Go to what is next; alerts, due every minute, are seen to on the way."""
            due = [job.next_run_time for job in scheduler.get_jobs() if job.id != "alerts"]
            self.clock.move_to(max(utc_now(), min([*due, until])))
            scheduler.step()
            if utc_now() >= until:
                daemon.stop()

        daemon = Daemon(at, report=lambda _: None, notify=lambda *_: True, scheduler=scheduler, wait=wait)
        self.doom.daemon = daemon
        try:
            with daemon:
                daemon.run()
        except Killed:
            pass
        finally:
            self.doom.daemon = None
            life.ended_at = utc_now()
            self.database.engine.dispose()

    # What is true in the end.

    def first_chances(self, due: datetime) -> list[datetime]:
        """Give the instants at which something due then may have begun: at once, or as soon as a daemon was there.

        A life that ended at the very instant at which it should have begun something may have been too short for it.
        """
        chances = []
        for life in self.lives:
            if life.ended_at >= due:
                chances.append(max(life.begun_at, due))
                if life.ended_at > chances[-1]:
                    break
        return chances

    def rows(self, table: Any, **wanted: Any) -> list[Any]:
        with self.database.reading() as session:
            return [*session.exec(select(table).filter_by(**wanted).order_by(table.id))]

    def full_sweeps(self, entry_id: int, since: datetime, until: datetime) -> list[datetime]:
        """Say when the complete sweeps of a whole list began in a stretch of time."""
        sweeps = self.rows(Sweep, entry_id=entry_id, is_full=True, outcome=SweepOutcome.COMPLETE)
        return [one.started_at for one in sweeps if since <= one.started_at < until]

    def problems(self, slug: str) -> Any:
        with self.database.reading() as session:
            return audit_campaign(session, slug)


def _without_waiting_for_the_disk(connection: Any, _: Any) -> None:
    """A killed process loses nothing that it gave the system; only a power cut would."""
    connection.execute("PRAGMA synchronous=OFF")


def check_nights(season: Season, nights: list[datetime]) -> None:
    """Every night that was due was done once, at once, and read every post of an open contest to its end."""
    done = [one.started_at for one in season.rows(Night)]
    for due, following in pairwise(nights):
        (night,) = (at for at in done if due <= at < following)
        assert night in season.first_chances(due)
        for entry in season.rows(Entry):
            (campaign,) = season.rows(Campaign, id=entry.campaign_id)
            if entry.added_at <= due < campaign.ends_at + GRACE:
                assert season.full_sweeps(entry.id, due, following), (entry.id, due)


def check_end(season: Season, slug: str) -> None:
    """The end was read on time, and so was the day after; what is settled is the truth."""
    (campaign,) = season.rows(Campaign, slug=slug)
    entries = season.rows(Entry, campaign_id=campaign.id)
    for edge in (campaign.ends_at, campaign.ends_at + 24 * HOUR):
        for entry in entries:
            first = season.full_sweeps(entry.id, edge, edge + 24 * HOUR)[0]
            assert any(chance <= first <= chance + A_RETRY for chance in season.first_chances(edge)), (slug, edge)
    (settlement,) = season.rows(Settlement, campaign_id=campaign.id)
    due = campaign.ends_at + GRACE
    assert any(chance <= settlement.settled_at <= chance + A_NEW_SETTLEMENT for chance in season.first_chances(due))
    truth = sum(len(post.likers(campaign.ends_at)) for post in season.posts[slug])
    assert truth == 2 * (LIKERS + 5)
    assert (settlement.likes, settlement.bytes, settlement.accepted_gap) == (truth, truth * RATE.bytes, None)
    assert season.problems(slug) == ()


@pytest.fixture
def make_season(tmp_path: Path) -> Iterator[Any]:
    with ExitStack() as stack:

        def make(begins_at: datetime, zone: ZoneInfo, nightly: time, seed: int) -> Season:
            clock = stack.enter_context(time_machine.travel(begins_at, tick=False))
            season = Season(tmp_path, clock, nightly, zone, seed)
            for platform in season.platforms.values():
                stack.enter_context(platform)
            stack.callback(season.database.engine.dispose)
            return season

        yield make


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def nights_between(
    first: date, last: date, nightly: time, zone: ZoneInfo, moved: dict[date, datetime]
) -> list[datetime]:
    """Give the night of each day, where it is not moved by a clock change."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [moved.get(day) or datetime.combine(day, nightly, zone).astimezone(UTC) for day in days]


CHANGES = [
    # zone, the change, the nightly hour that happens twice or never on that day, and when it is done then
    ("Africa/Casablanca", "2026-02-15T02:00", "02:30", "2026-02-15T01:30"),
    ("Africa/Casablanca", "2026-03-22T02:00", "02:30", "2026-03-22T02:00"),
    ("Africa/Casablanca", "2026-09-20T01:00", "01:30", "2026-09-20T00:30"),
    ("Africa/Cairo", "2027-04-29T22:00", "00:30", "2027-04-29T22:00"),
    ("Africa/Cairo", "2027-10-28T21:00", "23:30", "2027-10-28T20:30"),
]


@pytest.mark.parametrize(("zone_name", "change", "nightly", "moved_to"), CHANGES)
def test_contests_across_a_clock_change_end_exact(
    make_season: Any, zone_name: str, change: str, nightly: str, moved_to: str
) -> None:
    """One contest ends at midnight after the change, one at the instant of the change itself."""
    zone, changes_at, at_night = time_zone(zone_name), utc(change), time.fromisoformat(nightly)
    day = utc(moved_to).astimezone(zone).date()
    begins_at = read_time(f"{day - timedelta(days=2)}", zone)
    ends_at = read_time(f"{day + timedelta(days=1)}", zone)
    season = make_season(begins_at, zone, at_night, seed=changes_at.year + changes_at.month)
    season.open("midnight", begins_at, ends_at)
    season.open("instant", begins_at, changes_at)
    season.live(until=ends_at + GRACE + 4 * HOUR)
    assert len(season.lives) > 10
    moved = {day: utc(moved_to)}
    check_nights(season, nights_between(day - timedelta(days=1), day + timedelta(days=2), at_night, zone, moved))
    check_end(season, "midnight")
    check_end(season, "instant")


def test_a_whole_ramadan_with_both_its_clock_changes_ends_exact(make_season: Any) -> None:
    zone = time_zone("Africa/Casablanca")
    begins_at, ends_at = read_time("2026-02-14", zone), read_time("2026-03-23", zone)
    assert len(clock_changes(zone, begins_at, ends_at)) == 2
    season = make_season(begins_at, zone, time(3, 30), seed=1447)
    season.open("khatwat-khir", begins_at, ends_at)
    season.live(until=ends_at + GRACE + 4 * HOUR)
    assert len(season.lives) > 20
    check_nights(season, nights_between(date(2026, 2, 15), date(2026, 3, 24), time(3, 30), zone, {}))
    check_end(season, "khatwat-khir")


def test_the_clocks_of_a_contest_are_those_of_the_installed_rules_not_of_the_system(make_season: Any) -> None:
    """Morocco gave up its change for Ramadan: older zone files still have two in 2027, ours have none."""
    zone = time_zone("Africa/Casablanca")
    year = utc("2027-01-01"), utc("2028-01-01")
    assert clock_changes(zone, *year) == ()
    begins_at, ends_at = read_time("2027-02-06", zone), read_time("2027-02-09", zone)
    assert ends_at == utc("2027-02-09")
    season = make_season(begins_at, zone, time(2, 30), seed=1448)
    season.open("ramadan-2027", begins_at, ends_at)
    season.live(until=ends_at + GRACE + 4 * HOUR)
    check_nights(season, [utc(f"2027-02-{day:02}T02:30") for day in range(7, 12)])
    check_end(season, "ramadan-2027")
