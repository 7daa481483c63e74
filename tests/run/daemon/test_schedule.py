"""The jobs follow what is wanted: added, moved and withdrawn at each look; late ones run once, running ones alone."""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, timedelta
from queue import SimpleQueue
from threading import Event
from typing import Any

import pytest
import time_machine
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from harvester.clock import utc_now
from harvester.errors import StoreError
from harvester.run.daemon.schedule import Lane, Schedule, Task, new_scheduler
from tests.factories import KICK_OFF
from tests.run.daemon.stepped import SteppedScheduler

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


class Scene:
    """A schedule on a clock turned by hand; `wanted` says what is wanted, `done` what was done when."""

    def __init__(self, clock: time_machine.Traveller) -> None:
        self.clock = clock
        self.scheduler = SteppedScheduler()
        self.wanted: dict[str, Task] = {}
        self.schedule = Schedule(self.scheduler, self._list, now=utc_now)
        self.while_listed: Callable[[], object] = lambda: None
        self.done: list[tuple[str, timedelta]] = []
        self.schedule.start()

    def _list(self) -> Iterable[Task]:
        tasks = [*self.wanted.values()]
        self.while_listed()
        return tasks

    def want(self, key: str, at: timedelta, act: Callable[[], None] = lambda: None) -> None:
        """Want something so long after the beginning."""

        def run() -> None:
            self.done.append((key, utc_now() - KICK_OFF))
            act()

        self.wanted[key] = Task(key=key, at=KICK_OFF + at, run=run)

    def look(self, at: timedelta) -> list[str]:
        """Let it be so long after the beginning: look at what is wanted, and do what is due."""
        self.clock.move_to(KICK_OFF + at)
        self.schedule.refresh()
        return self.scheduler.step()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with time_machine.travel(KICK_OFF, tick=False) as clock:
        yield Scene(clock)


def test_a_task_is_begun_at_its_instant_and_not_before(scene: Scene) -> None:
    scene.want("closing:cup", 10 * MINUTE)
    scene.schedule.refresh()
    assert scene.scheduler.next_at == KICK_OFF + 10 * MINUTE
    assert (scene.look(10 * MINUTE - timedelta(microseconds=1)), scene.look(10 * MINUTE)) == ([], ["closing:cup"])


def test_a_task_that_is_no_longer_wanted_is_withdrawn(scene: Scene) -> None:
    scene.want("poll:1", MINUTE)
    scene.want("poll:2", MINUTE)
    scene.schedule.refresh()
    del scene.wanted["poll:1"]
    assert scene.look(MINUTE) == ["poll:2"]


@pytest.mark.parametrize("moved_to", [MINUTE, 20 * MINUTE])
def test_a_task_follows_when_its_instant_moves(scene: Scene, moved_to: timedelta) -> None:
    scene.want("poll:1", 10 * MINUTE)
    scene.schedule.refresh()
    scene.want("poll:1", moved_to)
    scene.schedule.refresh()
    assert scene.scheduler.next_at == KICK_OFF + moved_to


def test_what_is_done_is_what_was_wanted_last(scene: Scene) -> None:
    newer: list[str] = []
    scene.want("closing:cup", MINUTE)
    scene.schedule.refresh()
    scene.want("closing:cup", MINUTE, lambda: newer.append("with a post added meanwhile"))
    scene.look(MINUTE)
    assert newer == ["with a post added meanwhile"]


def test_a_machine_that_slept_for_hours_does_once_what_it_missed(scene: Scene) -> None:
    for number in range(3):
        scene.want(f"poll:{number}", (number + 1) * MINUTE, lambda number=number: scene.wanted.pop(f"poll:{number}"))
    scene.schedule.refresh()
    assert scene.look(timedelta(hours=9)) == ["poll:0", "poll:1", "poll:2"]
    assert scene.look(timedelta(hours=9, seconds=5)) == []


def test_a_clock_that_is_set_back_holds_up_nothing(scene: Scene) -> None:
    scene.want("poll:1", timedelta(hours=2))
    scene.look(timedelta(hours=1))
    scene.want("poll:1", timedelta(minutes=-10))
    assert scene.look(timedelta(hours=-3)) == []
    assert scene.look(timedelta(minutes=-10)) == ["poll:1"]


def test_a_clock_that_is_set_back_does_not_lengthen_a_pause(scene: Scene) -> None:
    scene.want("closing:cup", timedelta(days=-2))
    scene.look(timedelta(0))
    scene.look(5 * SECOND)
    assert scene.look(timedelta(days=-1)) == []
    assert scene.look(timedelta(days=-1, seconds=10)) == ["closing:cup"]


class _Waiting(BackgroundScheduler):
    """APScheduler's own thread; it says for how many seconds it will wait."""

    def __init__(self) -> None:
        self._waits: SimpleQueue[float] = SimpleQueue()
        super().__init__(executors={Lane.DUTIES: ThreadPoolExecutor(1)}, timezone=UTC)

    def _process_jobs(self) -> float:
        seconds: float = super()._process_jobs()
        self._waits.put(seconds)
        return seconds

    def has_to_wait(self, seconds: float) -> None:
        """Come back when it has begun to wait for so long, and nobody has woken it."""
        while self._waits.get(timeout=10) != seconds or self._event.is_set():
            pass


def test_a_clock_that_jumps_forward_is_noticed_at_the_next_look() -> None:
    closed = Event()
    with time_machine.travel(KICK_OFF, tick=False) as clock:
        closing = Task(key="closing:cup", at=KICK_OFF + timedelta(hours=1), run=closed.set)
        scheduler = _Waiting()
        schedule = Schedule(scheduler, lambda: [closing], now=utc_now)
        schedule.start()
        try:
            schedule.refresh()
            scheduler.has_to_wait(3600)
            clock.shift(timedelta(hours=1))
            schedule.refresh()
            assert closed.wait(10)
        finally:
            schedule.stop()


def test_a_task_that_the_scheduler_drops_is_planned_anew(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.want("closing:cup", timedelta(0))
    scene.scheduler.lose_threads()
    assert scene.look(timedelta(0)) == []
    scene.scheduler.lose_threads(lost=False)
    assert [scene.look(number * 5 * SECOND) for number in (1, 2)] == [[], ["closing:cup"]]
    assert "closing:cup was dropped by the scheduler, and is planned anew" in caplog.messages


def test_what_begins_late_says_so(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    scene.want("closing:cup", timedelta(0))
    scene.look(9 * MINUTE)
    assert "closing:cup begins 0:09:00 late" in caplog.messages


def test_a_running_task_is_neither_doubled_nor_moved_nor_withdrawn(scene: Scene) -> None:
    scene.want("nightly", timedelta(0))
    scene.schedule.refresh()
    (running,) = scene.scheduler.begin()
    assert scene.look(5 * SECOND) == []
    scene.want("nightly", 6 * SECOND)
    assert scene.look(10 * SECOND) == []
    del scene.wanted["nightly"]
    assert scene.look(15 * SECOND) == []
    scene.scheduler.finish(running)
    assert scene.done == [("nightly", 15 * SECOND)]


def test_a_task_that_ended_while_the_tasks_were_listed_is_not_done_again(scene: Scene) -> None:
    """The list was made before its end, and knows nothing of it."""
    scene.want("poll:1", timedelta(0))
    scene.schedule.refresh()
    (running,) = scene.scheduler.begin()
    scene.while_listed = lambda: scene.scheduler.finish(running)
    scene.schedule.refresh()
    assert scene.scheduler.get_jobs() == []


def test_a_task_that_comes_to_nothing_is_tried_again_after_growing_pauses(scene: Scene) -> None:
    scene.want("settlement:cup", timedelta(0))
    for second in range(0, 3 * 3600, 5):
        scene.look(second * SECOND)
    begun = [int(at.total_seconds()) for _, at in scene.done]
    assert begun == [0, 5, 15, 35, 75, 155, 315, 635, 1275, 2555, 5115, 8715]


def test_a_task_wanted_for_another_instant_has_nothing_to_wait_for(scene: Scene) -> None:
    scene.want("poll:1", timedelta(0), lambda: scene.want("poll:1", MINUTE))
    scene.look(timedelta(0))
    assert scene.look(MINUTE) == ["poll:1"]


def test_a_task_that_raises_is_logged_and_stops_no_other(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    def fail(error: Exception) -> None:
        raise error

    scene.want("poll:1", timedelta(0), lambda: fail(ValueError("a defect")))
    scene.want("poll:2", timedelta(0), lambda: fail(StoreError("the database is away")))
    scene.want("poll:3", timedelta(0))
    assert scene.look(timedelta(0)) == ["poll:1", "poll:2", "poll:3"]
    assert [
        (one.getMessage(), bool(one.exc_info)) for one in caplog.records if one.name == "harvester.run.daemon.schedule"
    ] == [
        ("poll:1 broke off", True),
        ("poll:2: the database is away", False),
    ]


def test_what_must_be_on_time_does_not_wait_behind_polls_and_is_done_however_late() -> None:
    """On APScheduler's own threads: one poll at a time, and that one hangs."""
    scheduler: Any = new_scheduler(1)
    hangs, closed = Event(), Event()
    tasks = [
        Task(key="poll:1", at=utc_now(), run=lambda: hangs.wait(60) and None, lane=Lane.POLLS),
        Task(key="poll:2", at=utc_now(), run=lambda: None, lane=Lane.POLLS),
        Task(key="closing:cup", at=utc_now() - timedelta(hours=9), run=closed.set),
    ]
    schedule = Schedule(scheduler, lambda: tasks, now=utc_now)
    schedule.start()
    try:
        schedule.refresh()
        assert closed.wait(10)
        assert "poll:2" not in schedule.running
    finally:
        schedule.stop()
        hangs.set()
