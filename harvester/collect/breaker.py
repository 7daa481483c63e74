"""Leaves a server alone that does not answer, so that it does not keep the threads that others need."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

from harvester.clock import Now
from harvester.connector import Unstable

_MOST_IN_A_ROW = 3
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(minutes=15)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silence:
    """How many requests in a row came to nothing; and since that are too many, for how long nobody asks, until when."""

    requests: int = 0
    pause: timedelta = timedelta(0)
    since: datetime | None = None
    until: datetime | None = None


class Breaker:
    """Shared by the threads of a process; each origin by itself.

    After three requests in a row that were given up, an origin is not asked for a minute, then for two, up to fifteen;
    between the pauses one request tries whether it is back. Any answer ends that.
    """

    def __init__(self, now: Now) -> None:
        self._now = now
        self._lock = Lock()
        self._silences: dict[str, _Silence] = {}

    @contextmanager
    def request(self, origin: str) -> Iterator[None]:
        """Let a request be made in this block, and learn from how it ends; `Unstable` at once when nobody may ask."""
        begun_at = self._begin(origin)
        try:
            yield
        except Unstable:
            self._give_up(origin, begun_at)
            raise

    def is_left_alone(self, origin: str) -> bool:
        """Tell whether a request that comes to nothing is not worth another attempt now."""
        with self._lock:
            until = self._silences.get(origin, _Silence()).until
            return until is not None and self._now() < until

    def answered(self, origin: str) -> None:
        """Note that an origin is there."""
        with self._lock:
            silence = self._silences.pop(origin, None)
        if silence and silence.until:
            log.info("%s answers again", origin, extra={"server": origin})

    def _begin(self, origin: str) -> datetime:
        """Let one request alone through when a pause is over: until it has ended the others go on waiting."""
        with self._lock:
            now, silence = self._now(), self._silences.get(origin, _Silence())
            if silence.since and silence.until:
                until = min(silence.until, now + silence.pause)  # the clock may have been set back
                is_over = until <= now
                silence = replace(
                    silence, since=min(silence.since, now), until=now + silence.pause if is_over else until
                )
                self._silences[origin] = silence
                if not is_over:
                    raise _left_alone(origin, until)
            return now

    def _give_up(self, origin: str, begun_at: datetime) -> None:
        """Count a request that came to nothing; those that were under way when the pause began say nothing new."""
        with self._lock:
            silence = self._silences.get(origin, _Silence())
            if silence.since and begun_at <= silence.since:
                return
            requests, now = silence.requests + 1, self._now()
            if requests < _MOST_IN_A_ROW:
                self._silences[origin] = _Silence(requests=requests)
                return
            pause = min(max(2 * silence.pause, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._silences[origin] = _Silence(requests=requests, pause=pause, since=now, until=now + pause)
        fields = {"server": origin, "until": (now + pause).isoformat()}
        log.warning("%s did not answer %s requests in a row: left alone for %s", origin, requests, pause, extra=fields)


def _left_alone(origin: str, until: datetime) -> Unstable:
    host = origin.partition("://")[2]
    return Unstable(f"{host} did not answer the last requests: it is asked again from {until:%H:%M:%S} UTC on")
