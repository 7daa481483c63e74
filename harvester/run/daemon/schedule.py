"""What is to happen when, as jobs of APScheduler: asked for anew all the time, so there is nothing to lose.

Nothing waits longer than `REFRESH` without looking again: clocks that measure a wait stand still while a machine is
suspended, other commands change what is wanted, and somebody may set the time. A job that is late is run, once.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import Any

from apscheduler.events import EVENT_JOB_SUBMITTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

from harvester.clock import Now
from harvester.errors import HarvesterError

REFRESH = timedelta(seconds=5)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=5), timedelta(hours=1)
_MOST_DUTIES = 32
_WORTH_A_WORD = timedelta(minutes=1)
log = logging.getLogger(__name__)


class Lane(StrEnum):
    """Where a task queues: what must begin on time never stands behind ordinary polls."""

    POLLS = "polls"
    DUTIES = "duties"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to do at an instant; `key` is unique among what is wanted and stays the same while it is."""

    key: str
    at: datetime
    run: Callable[[], None]
    lane: Lane = Lane.DUTIES


@dataclass(frozen=True, slots=True)
class _Tries:
    """How often a task was begun for one instant, and for how long, until when, it is not begun again."""

    at: datetime
    number: int
    pause: timedelta
    not_before: datetime

    def as_of(self, now: datetime) -> "_Tries":
        """Wait no longer than the pause, whatever the clock was set back by."""
        return replace(self, not_before=min(self.not_before, now + self.pause))


@dataclass(frozen=True, slots=True)
class _Job:
    """A task, and when it is to begin: later than it is wanted while its tries came to nothing."""

    task: Task
    begins_at: datetime


def new_scheduler(poll_threads: int) -> Any:
    """Make the scheduler that `harvester run` works with; its jobs live in memory alone."""
    executors = {
        Lane.POLLS: ThreadPoolExecutor(poll_threads, {"thread_name_prefix": "poll"}),
        Lane.DUTIES: ThreadPoolExecutor(_MOST_DUTIES, {"thread_name_prefix": "duty"}),
    }
    return BackgroundScheduler(executors=executors, timezone=UTC)


class Schedule:
    """Keeps the jobs of a scheduler equal to the tasks that are wanted; a task that runs is neither moved nor doubled.

    `wanted` is asked at every refresh. Whatever a task raises is logged. One that ends and is still wanted for the same
    instant, because it failed or could not be done, is tried again after growing pauses.
    """

    def __init__(self, scheduler: Any, wanted: Callable[[], Iterable[Task]], *, now: Now) -> None:
        self._scheduler = scheduler
        self._wanted = wanted
        self._now = now
        self._lock = Lock()
        self._planned: dict[str, _Job] = {}
        self._submitted: set[str] = set()
        self._lost: set[str] = set()
        self._running: set[str] = set()
        self._ended: set[str] = set()
        self._tries: dict[str, _Tries] = {}

    @property
    def running(self) -> frozenset[str]:
        """Give the keys of the tasks that are being done now."""
        with self._lock:
            return frozenset(self._running)

    def start(self) -> None:
        """Let the scheduler work."""
        self._scheduler.add_listener(self._note_submitted, EVENT_JOB_SUBMITTED)
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for nothing; the scheduler must be between two looks when it ends."""
        self._scheduler.pause()
        self._scheduler.remove_all_jobs()
        self._scheduler.shutdown(wait=False)

    def refresh(self) -> None:
        """Ask what is wanted, change the jobs accordingly, and let the scheduler look at the clock, which may jump."""
        with self._lock:
            self._ended.clear()
        tasks = {task.key: task for task in self._wanted()}
        with self._lock:
            now = self._now()
            self._forget_lost_jobs()
            for key in self._planned.keys() - tasks.keys():
                self._withdraw(key)
            self._tries = {key: tries.as_of(now) for key, tries in self._tries.items() if key in tasks}
            for task in tasks.values():
                self._plan(task)
        self._scheduler.wakeup()

    def _plan(self, task: Task) -> None:
        """Add or move one job; what ended while the tasks were being listed may be listed as it was before."""
        planned, job = self._planned.get(task.key), _Job(task, self._begins_at(task))
        if task.key in self._ended:
            return
        if planned and planned.begins_at == job.begins_at:
            self._planned[task.key] = job
        elif planned is None or self._withdraw(task.key):
            self._planned[task.key] = job
            self._scheduler.add_job(
                self._do,
                DateTrigger(job.begins_at, timezone=UTC),
                args=(task.key,),
                id=task.key,
                executor=task.lane,
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
            )

    def _withdraw(self, key: str) -> bool:
        """Take back a job; tell whether that was still possible."""
        try:
            self._scheduler.remove_job(key)
        except JobLookupError:
            return False
        del self._planned[key]
        return True

    def _note_submitted(self, event: Any) -> None:
        with self._lock:
            if event.job_id in self._planned:  # else it has ended already
                self._submitted.add(event.job_id)

    def _forget_lost_jobs(self) -> None:
        """Forget a job that the scheduler dropped, as it does when no thread can be started: it is planned anew.

        One that is gone from its store and never arrives was missing the last time too: else it is just being begun.
        """
        waiting = {job.id for job in self._scheduler.get_jobs()}
        missing = self._planned.keys() - waiting - self._submitted
        for key in missing & self._lost:
            log.error("%s was dropped by the scheduler, and is planned anew", key, extra={"task": key})
            del self._planned[key]
        self._lost = missing

    def _begins_at(self, task: Task) -> datetime:
        tries = self._tries.get(task.key)
        return max(task.at, tries.not_before) if tries and tries.at == task.at else task.at

    def _do(self, key: str) -> None:
        with self._lock:
            task = self._planned[key].task
            self._submitted.add(key)
            self._running.add(key)
        _log_lateness(task, self._now())
        try:
            task.run()
        except HarvesterError as error:
            log.error("%s: %s", key, error, extra={"task": key})
        except Exception:
            log.exception("%s broke off", key, extra={"task": key})
        finally:
            with self._lock:
                self._end(task)

    def _end(self, task: Task) -> None:
        last = self._tries.get(task.key)
        number = last.number + 1 if last and last.at == task.at else 1
        pause = min(_FIRST_PAUSE * 2 ** min(number - 1, 16), _LONGEST_PAUSE)
        self._tries[task.key] = _Tries(task.at, number, pause, self._now() + pause)
        self._ended.add(task.key)
        self._running.discard(task.key)
        self._submitted.discard(task.key)
        del self._planned[task.key]


def _log_lateness(task: Task, now: datetime) -> None:
    """Say that what must be on time is not: the machine was off, or a try came to nothing."""
    late = now - task.at
    if task.lane is Lane.DUTIES and late > _WORTH_A_WORD:
        log.info("%s begins %s late", task.key, late, extra={"task": task.key, "due_at": task.at.isoformat()})
