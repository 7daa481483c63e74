"""`harvester run`: one daemon an installation, until it is told to stop. What it knows is in the database alone.

One thread looks at the database every few seconds and keeps the schedule like it; the work is done beside it. So
neither a job that fails nor a database that is away for a while ends the daemon.
"""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Self

from harvester.collect.sweep import Stopped
from harvester.errors import HarvesterError, StoreError
from harvester.run.alerts.attend import Notify
from harvester.run.daemon.duties import Duties
from harvester.run.daemon.schedule import REFRESH, Lane, Schedule, Task, new_scheduler
from harvester.run.daemon.timetable import Purpose, timetable
from harvester.run.night.nightly import WriteReport
from harvester.run.reader import Reader
from harvester.store.database import Database
from harvester.store.installation import Installation

_BETWEEN_ALERTS = timedelta(minutes=1)
_SECONDS_TO_END = 10
_SHORTEST_NAP, _LONGEST_NAP = 0.05, 0.5
log = logging.getLogger(__name__)


class AlreadyRunningError(HarvesterError):
    """Another daemon works on this database."""

    exit_code = 3


class Daemon:
    """Reads, closes and settles on time until `stop` is called, which any thread or signal may do.

    A context manager: while its block runs, it is the only daemon of the database. A rehearsal brings a scheduler of
    its own, and what to do instead of waiting for seconds.
    """

    def __init__(
        self,
        at: Installation,
        *,
        report: WriteReport,
        notify: Notify,
        author: str = "harvester",
        scheduler: Any = None,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        self._nap = at.sleep
        self.at = replace(at, sleep=self._sleep)
        self._place = _Place(at.database)
        self._wait = wait or self._wait_for_the_bell
        self._reader = Reader(self.at)
        self._duties = Duties(
            self.at, self._reader, report=report, notify=notify, author=author, should_stop=self._should_stop
        )
        self._schedule = Schedule(scheduler or new_scheduler(at.settings.sweep.threads), self._tasks, now=at.now)
        self._bell: SimpleQueue[None] = SimpleQueue()  # an Event may be locked by what a signal interrupts
        self._is_told_to_stop = False
        self._alerts_at = self.pulse = at.now()
        self._complaint = ""

    def __enter__(self) -> Self:
        if not self._place.take():
            raise AlreadyRunningError("another 'harvester run' works on this database already")
        return self

    def __exit__(self, *_: object) -> None:
        self._place.leave()

    def stop(self) -> None:
        """Let `run` come to its end."""
        self._is_told_to_stop = True
        self._bell.put(None)

    def run(self) -> bool:
        """Work until told to stop; tell whether everything ended in time, else something hangs in an answer.

        What hangs may be killed: it is left as a crash would leave it, to go on from there.
        """
        with self._reader:
            self._schedule.start()
            log.info("the daemon is at work")
            try:
                while not self._is_told_to_stop:
                    self.turn()
                    self._wait(REFRESH.total_seconds())
            finally:
                self._schedule.stop()
            return self._has_ended()

    def turn(self) -> None:
        """Look at the database once; `pulse` says when that last succeeded."""
        try:
            self._schedule.refresh()
            if self._complaint:
                self._come_back()
            self.pulse = self.at.now()
        except StoreError as error:
            self._complain(str(error))
        except Exception as error:
            if self._complain(f"{type(error).__name__}: {error}"):
                log.exception("what is due cannot be found out")

    def _come_back(self) -> None:
        """Take the lock again: PostgreSQL forgets it with the connection.

        Without it the daemon works on: two of them credit nothing twice, and none of them loses likes.
        """
        if self._place.take():
            self._complaint = ""
            log.info("the daemon is at work again")
        else:
            self._complain("another 'harvester run' works on this database too, or its end is not noticed yet")

    def _complain(self, what: str) -> bool:
        """Log a trouble when it is another one than the last time."""
        is_new = what != self._complaint
        if is_new:
            log.error("%s; tried again every %d s", what, REFRESH.total_seconds())
        self._complaint = what
        return is_new

    def _tasks(self) -> Iterator[Task]:
        self._alerts_at = min(self._alerts_at, self.at.now() + _BETWEEN_ALERTS)  # the clock may be set back
        yield Task(key="alerts", at=self._alerts_at, run=self._attend)
        for one in timetable(self.at, self._reader):
            lane = Lane.POLLS if one.purpose in (Purpose.POLL, Purpose.GLANCE) else Lane.DUTIES
            yield Task(key=one.key, at=one.at, run=partial(self._duties.keep, one), lane=lane)

    def _attend(self) -> None:
        try:
            self._duties.attend()
        finally:
            self._alerts_at = self.at.now() + _BETWEEN_ALERTS

    def _has_ended(self) -> bool:
        log.info("the daemon stops: what is being read is read to the end of its page")
        for _ in range(round(_SECONDS_TO_END / _SHORTEST_NAP)):
            if not self._schedule.running:
                break
            self._wait(_SHORTEST_NAP)
        left = sorted(self._schedule.running)
        log.info("the daemon has stopped%s", f" without waiting longer for {', '.join(left)}" if left else "")
        return not left

    def _should_stop(self) -> bool:
        return self._is_told_to_stop

    def _wait_for_the_bell(self, seconds: float) -> None:
        with suppress(Empty):
            self._bell.get(timeout=seconds)

    def _sleep(self, seconds: float) -> None:
        """Sleep as the client asks, but not through the end."""
        while seconds > 0:
            if self._is_told_to_stop:
                raise Stopped
            self._nap(min(seconds, _LONGEST_NAP))
            seconds -= _LONGEST_NAP


class _Place:
    """The lock of which there is one a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held = ExitStack()

    def take(self) -> bool:
        """Take the lock, or take it anew; tell whether it is ours."""
        self.leave()
        with ExitStack() as stack:
            is_ours = stack.enter_context(self._database.lock("daemon"))
            self._held = stack.pop_all()
        return is_ours

    def leave(self) -> None:
        """Let go of it."""
        with suppress(StoreError):  # a connection that is gone holds nothing
            self._held.close()


@contextmanager
def stopped_by_signals(daemon: Daemon) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C stop a daemon."""
    before = {number: signal.signal(number, lambda *_: daemon.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
