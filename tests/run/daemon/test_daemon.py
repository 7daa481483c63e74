"""The daemon's life: alone on its database, not ended by what fails, and quick to stop."""

import logging
import re
import signal
import threading
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from harvester.collect.sweep import Stopped
from harvester.config import HttpSettings, Settings
from harvester.run.daemon.daemon import AlreadyRunningError, Daemon, stopped_by_signals
from harvester.run.night.summary import NightSummary
from harvester.store.installation import Installation
from tests.factories import Clock, Contest
from tests.run.daemon.stepped import SteppedScheduler


class Scene:
    """A daemon whose waits do what a test says, one after the other; then it is told to stop."""

    def __init__(self, contest: Contest) -> None:
        self.contest = contest
        self.scheduler = SteppedScheduler()
        self.acts: list[Callable[[], object]] = []
        settings = Settings(http=HttpSettings(allow_private_hosts=True))
        at = Installation(
            database=contest.database,
            settings=settings,
            master=contest.master,
            now=contest.clock,
            sleep=lambda seconds: contest.clock.forward(seconds=seconds),
        )
        self.daemon = Daemon(
            at, report=lambda _: None, notify=lambda *_: True, scheduler=self.scheduler, wait=self._wait
        )

    def _wait(self, seconds: float) -> None:
        self.contest.clock.forward(seconds=seconds)
        if self.acts:
            self.acts.pop(0)()
        else:
            self.daemon.stop()

    def run(self, *acts: Callable[[], object]) -> bool:
        self.acts = [*acts]
        with self.daemon:
            return self.daemon.run()


@pytest.fixture
def scene(contest: Contest) -> Scene:
    return Scene(contest)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "harvester.run.daemon.daemon"]


def test_a_daemon_runs_until_it_is_told_to_stop(scene: Scene, clock: Clock) -> None:
    assert scene.run(lambda: None, lambda: None) is True
    assert scene.daemon.pulse == clock() - timedelta(seconds=5)


def test_a_second_daemon_is_refused_while_the_first_one_lives(scene: Scene, contest: Contest) -> None:
    second = Scene(contest)

    def begin_another() -> None:
        with pytest.raises(AlreadyRunningError, match="another 'harvester run' works on this database already"):
            second.run()

    assert scene.run(begin_another)
    assert second.run()


def test_a_database_that_is_away_for_a_while_is_waited_for(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    away = Away(scene.contest)
    assert scene.run(away.go, lambda: None, lambda: None, away.come_back, lambda: None)
    begun, told, again, *_ = lines(caplog)
    assert (begun, again) == ("the daemon is at work", "the daemon is at work again")
    assert told.endswith("the server is gone; tried again every 5 s")


class Away:
    """Lets every statement fail as if the server were gone."""

    def __init__(self, contest: Contest) -> None:
        self._engine = contest.database.engine

    def go(self) -> None:
        event.listen(self._engine, "before_cursor_execute", self._fail)

    def come_back(self) -> None:
        event.remove(self._engine, "before_cursor_execute", self._fail)

    def _fail(self, *_: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("the server is gone"))


@pytest.fixture
def lost_connections(contest: Contest) -> Callable[[], None]:
    """End every connection to the server, as its restart does; SQLite has none."""

    def lose() -> None:
        if not contest.database.is_sqlite:
            with contest.database.writing() as session:
                session.connection().exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    return lose


def test_a_daemon_holds_its_lock_again_after_the_server_was_restarted(
    scene: Scene, contest: Contest, lost_connections: Callable[[], None]
) -> None:
    away = Away(contest)
    found: list[bool] = []

    def look() -> None:
        with contest.database.lock("daemon") as is_free:
            found.append(is_free)

    assert scene.run(lost_connections, away.go, lambda: None, away.come_back, lambda: None, look)
    assert found == [False]


def test_a_client_that_waits_is_woken_by_the_end(scene: Scene, clock: Clock) -> None:
    before = clock()
    scene.daemon.at.sleep(1.2)
    assert clock() - before == timedelta(seconds=1.2)
    scene.daemon.stop()
    with pytest.raises(Stopped):
        scene.daemon.at.sleep(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_daemon(scene: Scene, number: signal.Signals) -> None:
    handlers = signal.getsignal(number)
    with stopped_by_signals(scene.daemon):
        assert scene.run(lambda: signal.raise_signal(number), lambda: pytest.fail("it went on"))
    assert signal.getsignal(number) == handlers


def test_what_hangs_is_left_behind(contest: Contest, caplog: pytest.LogCaptureFixture) -> None:
    """The night's report hangs; on APScheduler's own threads, whose time to end is cut short."""
    caplog.set_level(logging.INFO)
    has_begun, goes_on = Event(), Event()

    def report(_: NightSummary) -> None:
        has_begun.set()
        goes_on.wait(60)

    def wait(_: float) -> None:
        has_begun.wait(60)
        daemon.stop()

    at = Installation(database=contest.database, settings=Settings(), master=contest.master)
    daemon = Daemon(at, report=report, notify=lambda *_: True, wait=wait)
    with daemon:
        assert daemon.run() is False
    assert re.fullmatch(r"the daemon has stopped without waiting longer for (alerts, )?nightly", lines(caplog)[-1])
    goes_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("duty"):
            thread.join(60)
