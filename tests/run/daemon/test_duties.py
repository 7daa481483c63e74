"""What the daemon does at an appointment, on simulated platforms: for each purpose, the rows that tell of it."""

import json
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from harvester.config import HttpSettings, Settings, SweepSettings
from harvester.contest.entries import NewEntry, add_posts
from harvester.rehearsal import Bluesky, Kind, Mastodon, SimulatedPlatform, World
from harvester.rehearsal.faults import Meanwhile
from harvester.run.daemon.duties import Duties
from harvester.run.daemon.timetable import Appointment, Purpose
from harvester.run.reader import Reader
from harvester.store.installation import Installation
from harvester.store.models import Night, Settlement, Sweep
from tests.factories import Clock, Contest

POSTS, LIKERS = 2, 150


class Scene:
    """A contest of two posts, and the duties of a daemon."""

    def __init__(self, contest: Contest, platform: SimulatedPlatform, at: Installation, reader: Reader) -> None:
        self.contest = contest
        self.platform = platform
        self.is_over = False
        self.duties = Duties(
            at,
            reader,
            report=lambda _: None,
            notify=lambda *_: True,
            author="the test",
            should_stop=lambda: self.is_over,
        )

    def keep(self, purpose: Purpose, *only: int) -> None:
        entry_ids, slug = only or tuple(range(1, POSTS + 1)), self.contest.slug
        self.duties.keep(Appointment(purpose=purpose, at=self.contest.clock(), entry_ids=entry_ids, campaign=slug))

    @property
    def sweeps(self) -> list[tuple[bool, str | None]]:
        return [(one.is_full, one.outcome) for one in self.contest.rows(Sweep)]


@pytest.fixture
def dialect() -> Any:
    return Mastodon()


@pytest.fixture
def scene(contest: Contest, clock: Clock, dialect: Any) -> Iterator[Scene]:
    world = World(clock)
    posts = [world.publish(dialect, author=f"author-{number}") for number in range(POSTS)]
    for post in posts:
        for number in range(LIKERS):
            post.like(f"fan-{number}")
    with SimulatedPlatform(world, dialect) as platform:
        settings = Settings(
            http=HttpSettings(allow_private_hosts=True, attempts=1, longest_wait_seconds=0),
            sweep=SweepSettings(threads=1),
            connectors={"bluesky": {"appview": platform.origin}},
        )
        at = Installation(database=contest.database, settings=settings, master=contest.master, now=clock)
        add_posts(at, contest.facts, [NewEntry(pasted_url=platform.url_of(post)) for post in posts])
        with Reader(at) as reader:
            yield Scene(contest, platform, at, reader)


def test_a_poll_stops_where_nothing_is_new_and_a_closing_never_does(scene: Scene, clock: Clock) -> None:
    for purpose in (Purpose.POLL, Purpose.POLL, Purpose.CLOSING, Purpose.LATE_CLOSING):
        scene.keep(purpose)
        clock.forward(minutes=10)
    kinds = [is_full for is_full, _ in scene.sweeps[POSTS:]]
    assert kinds == [False] * POSTS + [True] * POSTS * 2
    assert scene.contest.status.likes.credited == POSTS * LIKERS


@pytest.mark.parametrize("dialect", [Bluesky()])
def test_a_glance_shows_the_numbers_and_credits_nothing(scene: Scene) -> None:
    scene.keep(Purpose.GLANCE)
    status = scene.contest.status
    assert [one.displayed for one in status.entries] == [LIKERS] * POSTS
    assert (scene.sweeps, status.likes.credited) == ([], 0)


def test_the_night_is_kept(scene: Scene) -> None:
    scene.keep(Purpose.NIGHTLY)
    assert len(scene.contest.rows(Night)) == 1
    assert scene.sweeps == [(True, "complete")] * POSTS


def test_a_poll_under_way_makes_room_for_the_night(scene: Scene) -> None:
    """The night begins while the poll asks for its second page, and has half a second to find the post taken."""
    night = Thread(target=lambda: scene.keep(Purpose.NIGHTLY))

    def begin_the_night() -> None:
        night.start()
        night.join(0.5)

    scene.platform.faults.inject(Meanwhile(happen=begin_the_night), on=Kind.LIKES, nth=2)
    scene.keep(Purpose.POLL)
    night.join(60)
    (row,) = scene.contest.rows(Night)
    assert json.loads(row.summary)["remaining"] == []
    assert scene.contest.status.likes.credited == POSTS * LIKERS


def test_the_night_keeps_polls_off_the_post_that_it_reads_and_off_no_other(scene: Scene, clock: Clock) -> None:
    """One post after the other: while it reads the first, the second is polled."""
    scene.keep(Purpose.POLL)
    clock.forward(minutes=10)
    polls = Thread(target=lambda: [scene.keep(Purpose.POLL, entry_id) for entry_id in (1, 2)])

    def poll() -> None:
        polls.start()
        polls.join(60)

    scene.platform.faults.inject(Meanwhile(happen=poll), on=Kind.LIKES, nth=1)
    scene.keep(Purpose.NIGHTLY)
    kinds = [[one.is_full for one in scene.contest.rows(Sweep, entry_id=entry_id)] for entry_id in (1, 2)]
    assert kinds == [[True, True], [True, False, True]]


def test_a_contest_is_settled(scene: Scene, clock: Clock) -> None:
    scene.keep(Purpose.POLL)
    clock.at = scene.contest.facts.rules.ends_at
    scene.keep(Purpose.SETTLEMENT)
    (settlement,) = scene.contest.rows(Settlement)
    assert (settlement.likes, settlement.author) == (POSTS * LIKERS, "the test")


def test_a_settled_contest_is_not_polled(scene: Scene, clock: Clock) -> None:
    clock.at = scene.contest.facts.rules.ends_at
    scene.keep(Purpose.SETTLEMENT)
    before = scene.sweeps
    for purpose in (Purpose.POLL, Purpose.GLANCE, Purpose.LATE_CLOSING, Purpose.SETTLEMENT):
        scene.keep(purpose)
    assert scene.sweeps == before


@pytest.mark.parametrize("purpose", list(Purpose))
def test_nothing_is_begun_when_all_is_to_end(scene: Scene, purpose: Purpose) -> None:
    scene.is_over = True
    scene.keep(purpose)
    assert (scene.sweeps, scene.contest.rows(Night)) == ([], [])
