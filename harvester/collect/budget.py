"""How many requests a credential may still make: what the platform documents, corrected by what its headers say."""

from collections import defaultdict, deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock

from harvester.clock import Now
from harvester.connector import Budget


class BudgetKeeper:
    """Counts the requests of each origin; shared by the threads of a process, told what processes before it sent."""

    def __init__(self, budgets: Sequence[Budget], now: Now) -> None:
        self._budgets = budgets
        self._now = now
        self._lock = Lock()
        self._sent: defaultdict[str, deque[datetime]] = defaultdict(deque)
        self._blocked_until: dict[str, datetime] = {}
        self._longest_memory = max((budget.requests for budget in budgets), default=0)

    def take(self, origin: str) -> timedelta:
        """Take one request and give zero, or take none and say how long to wait."""
        with self._lock:
            now = self._now()
            sent = self._sent[origin]
            wait = max((self._wait_for(budget, sent, now) for budget in self._budgets), default=timedelta(0))
            wait = max(wait, self._blocked_until.get(origin, now) - now)
            if wait <= timedelta(0):
                self._count(sent, now)
            return max(wait, timedelta(0))

    def remember(self, origin: str, at: datetime, requests: int) -> None:
        """Count requests that were sent before this process began; the oldest are told first."""
        with self._lock:
            for _ in range(min(requests, self._longest_memory)):
                self._count(self._sent[origin], at)

    def block(self, origin: str, until: datetime) -> None:
        """Send nothing more before `until`: the server said so."""
        with self._lock:
            self._blocked_until[origin] = max(until, self._blocked_until.get(origin, until))

    def is_blocked(self, origin: str) -> bool:
        """Tell whether it is the server, not our own count, that says to wait."""
        with self._lock:
            return self._blocked_until.get(origin, self._now()) > self._now()

    def _count(self, sent: deque[datetime], now: datetime) -> None:
        sent.append(now)
        if len(sent) > self._longest_memory:
            sent.popleft()

    @staticmethod
    def _wait_for(budget: Budget, sent: deque[datetime], now: datetime) -> timedelta:
        """The request `budget.requests` ago must lie a whole period back."""
        if len(sent) < budget.requests:
            return timedelta(0)
        return sent[-budget.requests] + budget.per - now
