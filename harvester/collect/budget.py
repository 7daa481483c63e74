"""How many requests a credential may still make: what the platform documents, corrected by what its headers say."""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import repeat
from threading import Lock

from harvester.clock import Now
from harvester.connector import Budget

Sent = tuple[datetime, int]
"""So many requests, all dated by the newest."""


class BudgetKeeper:
    """Counts the requests of each origin; shared by the threads of a process, told what other processes sent."""

    def __init__(self, budgets: Sequence[Budget], now: Now) -> None:
        self._budgets = budgets
        self._now = now
        self._lock = Lock()
        self._longest_memory = max((budget.requests for budget in budgets), default=0)
        self._own: defaultdict[str, deque[datetime]] = defaultdict(self._memory)
        self._all: defaultdict[str, deque[datetime]] = defaultdict(self._memory)
        self._blocked_until: dict[str, datetime] = {}

    def take(self, origin: str) -> timedelta:
        """Take one request and give zero, or take none and say how long to wait."""
        with self._lock:
            now = self._now()
            self._forget_the_future(origin, now)
            sent = self._all[origin]
            wait = max((self._wait_for(budget, sent, now) for budget in self._budgets), default=timedelta(0))
            wait = max(wait, self._blocked_until.get(origin, now) - now)
            if wait <= timedelta(0):
                self._count(origin, [now])
            return max(wait, timedelta(0))

    def remember(self, origin: str, at: datetime, requests: int) -> None:
        """Count requests that were sent before this process began; the oldest are told first."""
        with self._lock:
            self._count(origin, repeat(at, min(requests, self._longest_memory)))

    def recount(self, others: Mapping[str, Iterable[Sent]]) -> None:
        """Put what other processes sent meanwhile, as it is known now, beside what is remembered here."""
        with self._lock:
            for origin in {*others, *self._all}:
                times = [
                    at for at, requests in others.get(origin, ()) for _ in range(min(requests, self._longest_memory))
                ]
                self._all[origin] = self._memory(sorted([*self._own[origin], *times]))

    def block(self, origin: str, until: datetime) -> None:
        """Send nothing more before `until`: the server said so."""
        with self._lock:
            self._blocked_until[origin] = max(until, self._blocked_until.get(origin, until))

    def is_blocked(self, origin: str) -> bool:
        """Tell whether it is the server, not our own count, that says to wait."""
        with self._lock:
            return self._blocked_until.get(origin, self._now()) > self._now()

    def _memory(self, times: Iterable[datetime] = ()) -> deque[datetime]:
        return deque(times, maxlen=self._longest_memory)

    def _count(self, origin: str, times: Iterable[datetime]) -> None:
        for at in times:
            self._own[origin].append(at)
            self._all[origin].append(at)

    def _forget_the_future(self, origin: str, now: datetime) -> None:
        """Take what was sent by a clock that has been set back since for sent now: no wait is longer than a period."""
        if self._all[origin] and self._all[origin][-1] > now:
            for memory in (self._own, self._all):
                memory[origin] = self._memory(min(at, now) for at in memory[origin])

    @staticmethod
    def _wait_for(budget: Budget, sent: deque[datetime], now: datetime) -> timedelta:
        """The request `budget.requests` ago must lie a whole period back."""
        if len(sent) < budget.requests:
            return timedelta(0)
        return sent[-budget.requests] + budget.per - now
