"""Reading what was planned a while ago, side by side with others: nobody is read against the facts of now."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest

from harvester.config import HttpSettings, Settings, SweepSettings
from harvester.connector import Basis
from harvester.contest.entries import NewEntry, add_posts
from harvester.errors import ConfigError
from harvester.rehearsal import Mastodon, SimulatedPlatform, World
from harvester.run.poll import poll, read_all
from harvester.run.reader import EntryResult, Reader, Work, open_work
from harvester.run.work import work_of
from harvester.store.installation import Installation
from harvester.store.kinds import EntryState, SweepOutcome
from harvester.store.models import Entry, Sweep
from tests.factories import Clock, Contest

COMPLETE, FAILED = SweepOutcome.COMPLETE, SweepOutcome.FAILED
LIKERS = 3


class Scene:
    """A contest of two posts, planned to be read; what happens before that is up to the test."""

    def __init__(self, contest: Contest, at: Installation, reader: Reader) -> None:
        self.contest, self.at, self.reader = contest, at, reader

    @property
    def planned(self) -> list[Work]:
        with self.at.database.reading() as session:
            return [*open_work(session, self.contest.facts)]

    def read(self, work: list[Work]) -> tuple[EntryResult, ...]:
        return read_all(self.at, self.reader, work, wants_full=True)

    def add(self, connector: str, **stated: Any) -> int:
        """Put a post into the contest without asking its connector."""
        entry_id = self.contest.add_entry(**stated)
        with self.contest.writing() as session:
            session.get_one(Entry, entry_id).connector = connector
        return entry_id

    def take_out(self, entry_id: int) -> None:
        with self.contest.writing() as session:
            session.get_one(Entry, entry_id).state = EntryState.REMOVED


@pytest.fixture
def scene(contest: Contest, clock: Clock) -> Iterator[Scene]:
    world = World(clock)
    posts = [world.publish(Mastodon(), author=f"author-{number}") for number in range(2)]
    for post in posts:
        for number in range(LIKERS):
            post.like(f"fan-{number}")
    settings = Settings(
        http=HttpSettings(allow_private_hosts=True, attempts=1),
        sweep=SweepSettings(threads=1),
        connectors={"tumblr": {"budget": "nonsense"}},
    )
    at = Installation(database=contest.database, settings=settings, master=contest.master, now=clock)
    with SimulatedPlatform(world, Mastodon()) as platform, Reader(at) as reader:
        add_posts(at, contest.facts, [NewEntry(pasted_url=platform.url_of(post)) for post in posts])
        yield Scene(contest, at, reader)


def test_a_post_that_was_taken_out_meanwhile_is_not_read(scene: Scene) -> None:
    planned = scene.planned
    scene.take_out(planned[0].entry_id)
    first, second = scene.read(planned)
    assert (first.outcome, first.reason, first.credited) == (COMPLETE, "taken out of the contest", 0)
    assert (second.outcome, second.credited) == (COMPLETE, LIKERS)
    assert [one.entry_id for one in scene.contest.rows(Sweep)] == [planned[1].entry_id]


def test_a_rate_that_changed_meanwhile_is_used(scene: Scene, clock: Clock) -> None:
    planned = scene.planned
    clock.forward(minutes=1)
    scene.contest.change_rate(70, clock())
    scene.read(planned)
    assert scene.contest.status.bytes.credited == 2 * LIKERS * 70


@pytest.mark.parametrize("basis", list(Basis))
def test_a_connector_with_wrong_settings_fails_its_own_posts_and_stops_no_other(scene: Scene, basis: Basis) -> None:
    scene.add("tumblr", basis=basis)
    *read, unread = scene.read(scene.planned)
    assert [one.outcome for one in read] == [COMPLETE] * 2
    assert (unread.outcome, unread.cause, unread.pages) == (FAILED, None, 0)
    assert "connectors.tumblr.budget" in str(unread.reason)


def test_a_poll_for_which_no_connector_opens_is_refused(scene: Scene) -> None:
    for one in scene.planned:
        scene.take_out(one.entry_id)
    scene.add("tumblr")
    with pytest.raises(ConfigError, match=r"connectors\.tumblr\.budget"):
        poll(scene.at, [scene.contest.facts], wants_full=True)


def test_posts_are_found_by_their_ids_and_say_whether_they_are_still_read(scene: Scene) -> None:
    first, second = (one.entry_id for one in scene.planned)
    scene.take_out(first)
    with scene.at.database.reading() as session:
        found = work_of(session, [second, first])
    assert [(one.entry_id, one.is_open) for one in found] == [(first, False), (second, True)]


def test_the_servers_take_turns(scene: Scene) -> None:
    for number in range(3):
        scene.add("misskey", native_id=f"m{number}")
    connectors = [batch[0].entry.connector for batch in scene.reader.batches(scene.planned)]
    assert connectors == ["mastodon", "misskey"] * 2 + ["misskey"]


def test_however_many_read_at_once_there_is_a_bound(scene: Scene) -> None:
    """Sixteen beside the one thread of the polls; each waits in its seat until all seats are taken."""
    seats, at_work, most, lock = Barrier(17), 0, 0, Lock()

    def stop() -> bool:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        seats.wait(timeout=30)
        with lock:
            at_work -= 1
        return True

    def read(_: int) -> object:
        return scene.reader.read(scene.planned[:1], wants_full=False, should_stop=stop)

    with ThreadPoolExecutor(34) as threads:
        list(threads.map(read, range(34)))
    assert most == 17
