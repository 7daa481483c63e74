"""Places polls in time so that they keep to every budget, whatever else was spent, and leave reserves alone.

Polls follow each other at the even pace that the tightest budget allows, in the order they are given. What others
spent counts in full against the budget, but holds the pace up only briefly: a costly nightly run shall not silence the
polls of the morning. Times are whole microseconds after `now`, so that a stretch is exact.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester.connector import Budget

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """So many requests must be unspent at this instant, for a closing sweep."""

    at: datetime
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """So many requests were made at this instant."""

    at: datetime
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a poll was placed; `reserve` is the one it had to make way for, if any."""

    at: datetime
    is_late: bool
    reserve: Reserve | None


def time_per_request(budgets: Sequence[Budget], largest: int) -> timedelta:
    """Give the even pace at which polls of at most `largest` requests each never exceed a budget by themselves."""
    return max((budget.per / _usable(budget, largest) for budget in budgets), default=timedelta(0))


def _usable(budget: Budget, largest: int) -> int:
    """A stretch may cut a poll in two, so a budget must keep room for all but one request of the largest."""
    return max(budget.requests - min(largest, budget.requests) + 1, (budget.requests + 1) // 2)


class Pacer:
    """Gives one poll after the other the earliest instant that is allowed."""

    def __init__(
        self,
        budgets: Sequence[Budget],
        *,
        now: datetime,
        spent: Iterable[Spent],
        reserves: Iterable[Reserve],
        largest: int,
    ) -> None:
        self._now = now
        self._most_at_once = min((budget.requests for budget in budgets), default=largest)
        self._step = -(-time_per_request(budgets, largest) // _MICROSECOND)
        known = sorted((self._offset(item.at), item.requests) for item in spent)
        held = sorted(((max(self._offset(item.at), 0), item) for item in reserves), key=lambda pair: pair[0])
        self._stretches = [_Stretch(budget, known, held) for budget in budgets]
        self._next = self._echo(known, min(largest, self._most_at_once) * self._step)

    @property
    def free_at(self) -> datetime:
        """When the even pace has room for the next poll."""
        return self._now + max(self._next, 0) * _MICROSECOND

    def place(self, due: datetime, requests: int) -> Slot:
        """Place a poll no sooner than `due` and after every poll placed before it."""
        wanted = max(self._offset(due), 0)
        at, reserve = max(wanted, self._next), None
        cost = min(requests, self._most_at_once)
        while True:
            later = at
            for stretch in self._stretches:
                later, hindrance = stretch.earliest(later, cost)
                reserve = hindrance or reserve
            if later == at:
                break
            at = later
        for stretch in self._stretches:
            stretch.add(at, cost)
        self._next = at + cost * self._step
        return Slot(at=self._now + at * _MICROSECOND, is_late=at > wanted, reserve=reserve)

    def _offset(self, at: datetime) -> int:
        return -((self._now - at) // _MICROSECOND)

    def _echo(self, spent: Sequence[tuple[int, int]], limit: int) -> int:
        """Say when the even pace goes on: after what was spent, but however much it was, as after the largest poll."""
        pace = min((at for at, _ in spent), default=0)
        for at, requests in spent:
            pace = min(max(pace, at) + requests * self._step, at + limit)
        return pace


class _Stretch:
    """One budget: what is spent in each stretch of its period, the reserves ahead included."""

    def __init__(
        self, budget: Budget, spent: Sequence[tuple[int, int]], reserves: Sequence[tuple[int, Reserve]]
    ) -> None:
        self.per = -(-budget.per // _MICROSECOND)
        self._most = budget.requests
        self._spent: deque[tuple[int, int]] = deque()
        self._total = 0
        self._ahead = deque((at, min(item.requests, self._most), item) for at, item in reserves)
        self._held = deque(self._reserved_until(at) + requests for at, requests, _ in self._ahead)
        for at, requests in spent:
            self.add(at, requests)

    def earliest(self, at: int, requests: int) -> tuple[int, Reserve | None]:
        """Give the first instant from `at` on that this budget allows, and the reserve that stood in the way."""
        while self._ahead and self._ahead[0][0] <= at:
            reserved_at, reserved, _ = self._ahead.popleft()
            self._held.popleft()
            self._count(reserved_at, reserved)
        self._forget(at)
        while self._spent and self._total + requests > self._most:
            at = max(at, self._spent[0][0] + self.per)
            self._forget(at)
        for (reserved_at, _, item), held in zip(self._ahead, self._held, strict=True):
            if reserved_at < at + self.per and held + requests > self._most:
                return max(at, reserved_at), item
        return at, None

    def add(self, at: int, requests: int) -> None:
        self._count(at, requests)
        for place, (reserved_at, _, _) in enumerate(self._ahead):
            if at > reserved_at - self.per:
                self._held[place] += requests

    def _count(self, at: int, requests: int) -> None:
        self._spent.append((at, requests))
        self._total += requests

    def _reserved_until(self, at: int) -> int:
        """What the reserves keep of the stretch that ends at one of them, itself left out."""
        return sum(requests for when, requests, _ in self._ahead if at - self.per < when < at)

    def _forget(self, at: int) -> None:
        while self._spent and self._spent[0][0] <= at - self.per:
            self._total -= self._spent.popleft()[1]
