"""A real `harvester run`, told to stop or killed at any instant, begun again each time: nothing lost, nothing twice.

Its platform is slow, so that most ends meet a sweep: a poll, or one of the night that is due from the first second on.
"""

import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Lock
from time import monotonic

import pytest
from sqlmodel import col, select

from harvester.books.audit import audit_campaign
from harvester.clock import utc_now
from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, World
from harvester.rehearsal.faults import Meanwhile
from harvester.store.kinds import SweepOutcome
from harvester.store.models import Night, Sweep
from tests.collect.test_crash import Nursery, Scene

pytestmark = pytest.mark.crash

POSTS, LIKERS, ENDS = 2, 4_000, 12
SECONDS_A_PAGE, SECONDS_TO_STOP = 0.02, 5
_NEVER = Event()


@dataclass
class Assassin:
    """Ends the newest process of a nursery while the platform answers one of the next pages it asks for."""

    nursery: Nursery | None = None
    pages: int = 0
    by: signal.Signals = signal.SIGKILL
    struck_at: float = 0
    lock: Lock = field(default_factory=Lock)

    def meet(self) -> None:
        """Take the time that this platform takes; perhaps strike."""
        _NEVER.wait(SECONDS_A_PAGE)
        with self.lock:
            self.pages -= 1
            if self.pages == 0 and self.nursery:
                self.struck_at = monotonic()
                os.kill(self.nursery.victim, self.by)


@pytest.fixture
def assassin() -> Assassin:
    return Assassin()


@pytest.fixture
def urls(assassin: Assassin) -> Iterator[list[str]]:
    """Two posts on a platform that takes its time for every page."""
    world = World()
    posts = [world.publish(Mastodon()) for _ in range(POSTS)]
    for post in posts:
        for number in range(LIKERS):
            post.like(f"fan-{number}")
    with SimulatedPlatform(world, Mastodon()) as platform:
        platform.faults.inject(Meanwhile(happen=assassin.meet), on=Kind.LIKES, times=None)
        yield [platform.url_of(post) for post in posts]


class DaemonScene(Scene):
    """A contest over these posts, polled as often as can be, and what its daemons leave behind."""

    def __init__(self, folder: Path, url: str, urls: list[str]) -> None:
        super().__init__(folder, url, {})
        self.urls = urls
        self.environment |= {
            "HARVESTER_DAEMON__LISTEN": "",
            "HARVESTER_SCHEDULE__SHORTEST_INTERVAL_SECONDS": "1",
            "HARVESTER_SCHEDULE__LONGEST_INTERVAL_SECONDS": "2",
        }

    def set_up(self, nursery: Nursery) -> None:
        window = ("--start", "2020-01-01", "--end", "2100-01-01")
        assert nursery.run("init") == 0, nursery.said()
        assert nursery.run("campaign", "add", "cup", "--name", "The cup", *window) == 0, nursery.said()
        assert nursery.run("post", "add", "cup", *self.urls) == 0, nursery.said()

    def leases(self) -> list[str]:
        """Give what is still held."""
        names = ["daemon", "nightly", *(f"entry-{number}" for number in range(1, POSTS + 1))]
        held = []
        for name in names:
            with self.database.lock(name) as is_free:
                held += [] if is_free else [name]
        return held

    def open_sweeps(self, since: datetime) -> int:
        """Count the sweeps that went on since then and were not ended."""
        is_open = col(Sweep.outcome).is_(None), col(Sweep.touched_at) >= since
        with self.database.reading() as session:
            return len(session.exec(select(Sweep).where(*is_open)).all())

    @property
    def credited(self) -> tuple[int, int]:
        status = self.status
        return status.likes.credited, status.bytes.credited

    @property
    def is_all_done(self) -> bool:
        with self.database.reading() as session:
            complete = session.exec(select(Sweep.entry_id).where(Sweep.outcome == SweepOutcome.COMPLETE)).all()
            return len(set(complete)) == POSTS and session.exec(select(Night)).first() is not None


@pytest.fixture
def scene(tmp_path: Path, database_url: str, urls: list[str]) -> Iterator[DaemonScene]:
    scene = DaemonScene(tmp_path, database_url, urls)
    yield scene
    scene.database.engine.dispose()


def test_a_daemon_ended_at_any_instant_loses_nothing_and_books_nothing_twice(
    scene: DaemonScene, assassin: Assassin
) -> None:
    chance, seen = random.Random(447), []
    with closing(Nursery(scene.environment, scene.folder)) as nursery:
        scene.set_up(nursery)
        assassin.nursery = nursery
        for number in range(ENDS):
            most = 2 if scene.is_all_done else 12  # with nothing left to read, pages come seconds apart
            assassin.pages, assassin.by = chance.randint(1, most), (signal.SIGKILL, signal.SIGTERM)[number % 2]
            begun_at = utc_now()
            code = nursery.run("run", kill_after=60)
            assert code == (0 if assassin.by is signal.SIGTERM else -signal.SIGKILL), nursery.said()
            if assassin.by is signal.SIGTERM:
                assert monotonic() - assassin.struck_at < SECONDS_TO_STOP
                assert (scene.leases(), scene.open_sweeps(begun_at)) == ([], 0), nursery.said()
            likes, volume = scene.credited
            assert likes * 10_000_000 == volume
            seen.append(likes)
        assert len(set(seen)) > ENDS // 2, f"the ends missed the work: {seen}"
        assassin.nursery = None
    finish(scene)
    assert scene.credited == (POSTS * LIKERS, POSTS * LIKERS * 10_000_000)
    with scene.database.reading() as session:
        assert audit_campaign(session, "cup") == ()
        night = session.exec(select(Night)).one()
    assert json.loads(night.summary)["remaining"] == [], "a poll took a post from the night"


def finish(scene: DaemonScene) -> None:
    """Let a last daemon come to the end of everything; a second one beside it is refused."""
    begun_at, last = utc_now(), scene.start("run")
    deadline = monotonic() + 60
    while not scene.is_all_done and last.poll() is None and monotonic() < deadline:
        _NEVER.wait(0.2)
    assert scene.is_all_done
    assert scene.start("run").wait(timeout=30) == 3
    last.send_signal(signal.SIGTERM)
    assert last.wait(timeout=SECONDS_TO_STOP) == 0
    assert (scene.leases(), scene.open_sweeps(begun_at)) == ([], 0)
