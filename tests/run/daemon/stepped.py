"""A scheduler that a test turns by hand: it begins what is due now, and nothing happens by itself."""

from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.base import BaseScheduler

from harvester.run.daemon.schedule import Lane


class _Collected(BaseExecutor):
    """Begins nothing: it hands over what the scheduler would have begun, while there is a thread for it."""

    def __init__(self, begun: list[Any]) -> None:
        super().__init__()
        self._begun = begun
        self.has_threads = True

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        if not self.has_threads:
            raise RuntimeError("can't start new thread")
        self._begun.append(job)


class SteppedScheduler(BaseScheduler):
    """Everything of APScheduler but its thread and its waiting; an error of a job reaches the test, as a kill must."""

    def __init__(self) -> None:
        self._begun: list[Any] = []
        self._collected = {lane: _Collected(self._begun) for lane in Lane}
        super().__init__(executors=self._collected, timezone=UTC)

    def shutdown(self, wait: bool = True) -> None:
        super().shutdown(wait)

    def wakeup(self) -> None:
        """Nobody waits."""

    def lose_threads(self, *, lost: bool = True) -> None:
        """Let the system refuse to start a thread, or start them again."""
        for executor in self._collected.values():
            executor.has_threads = not lost

    def begin(self) -> list[Any]:
        """Take the jobs that are due now out of the store, as begun."""
        self._process_jobs()
        begun = [*self._begun]
        self._begun.clear()
        return begun

    def finish(self, job: Any) -> None:
        """Do what was begun."""
        job.func(*job.args)
        self._lookup_executor(job.executor)._run_job_success(job.id, [])

    def step(self) -> list[str]:
        """Begin and finish what is due now; give the keys."""
        begun = self.begin()
        for job in begun:
            self.finish(job)
        return [job.id for job in begun]

    @property
    def next_at(self) -> datetime | None:
        """When the next job is due."""
        return min((job.next_run_time for job in self.get_jobs()), default=None)
