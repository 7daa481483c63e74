"""When each post is polled next: often where likes come, rarely where they do not, and never beyond a budget.

For a given number of requests the mean time a like stays unseen is least when a post's interval grows with the square
root of requests / rate. All intervals share one factor, chosen so that the polls of all posts together just fit the
budget of their credential. Pure: the same facts give the same plan.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from math import sqrt
from operator import truediv

from harvester.collect.arrivals import Arrivals, Watched, expected_of, quiet_since, rate_of
from harvester.collect.pace import Pacer, Reserve, Slot, Spent, time_per_request
from harvester.connector import Budget

__all__ = (
    "Arrivals",
    "Limits",
    "NextPoll",
    "Reserve",
    "Spent",
    "Watched",
    "fair_bound",
    "next_polls",
    "rate_of",
)

_EARLY = 1.4
"""How much sooner than its interval a post may be polled, so that no request is left unused."""

_HALVINGS = 40
_LEAST_RATE = 1e-6
_LARGEST_FACTOR = 1e12
_YOUNG = timedelta(hours=1)
_QUIET = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """No post is polled oftener than `shortest`, nor rarer than `longest` while the budget allows."""

    shortest: timedelta
    longest: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPoll:
    """When a post is polled next, at what interval, and why, for people."""

    entry_ids: tuple[int, ...]
    at: datetime
    interval: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class _Wish:
    """A post with its rate and the interval it is to have, in hours."""

    post: Watched
    rate: float
    interval: float
    is_windowed: bool


def next_polls(
    posts: Sequence[Watched],
    budgets: Sequence[Budget],
    *,
    now: datetime,
    limits: Limits,
    reserves: Sequence[Reserve] = (),
    spent: Sequence[Spent] = (),
) -> tuple[NextPoll, ...]:
    """Say for each post, in the order given, when it is polled next; a post nobody has looked at comes first."""
    if not posts:
        return ()
    largest = _largest(posts)
    pacer = Pacer(budgets, now=now, spent=spent, reserves=reserves, largest=largest)
    allowed = _hours(time_per_request(budgets, largest))
    wishes = _wishes(posts, now, limits, allowed)
    is_stretched = _is_stretched(posts, limits, allowed)
    waits = [limits.shortest if is_stretched else timedelta(hours=wish.interval) for wish in wishes]
    due = [_after(wait, post, now) for post, wait in zip(posts, waits, strict=True)]
    earliest = [
        max(_after(max(wait / _EARLY, limits.shortest), post, now), post.not_before or now)
        for post, wait in zip(posts, waits, strict=True)
    ]
    planned: dict[int, NextPoll] = {}
    for place in _in_turn(posts, due, earliest, pacer):
        slot = pacer.place(earliest[place], _cost(posts[place]))
        planned[place] = _next_poll(wishes[place], slot, now)
    return tuple(planned[place] for place in range(len(posts)))


def _in_turn(
    posts: Sequence[Watched], due: Sequence[datetime], earliest: Sequence[datetime], pacer: Pacer
) -> Iterator[int]:
    """Give the places of posts as their turn comes: of those that may be polled by then, the one that is due first.

    So a post whose platform asked for a pause does not lose its turn to all those that were polled before it.
    """
    waiting = [(earliest[place], one.entry_ids, place) for place, one in enumerate(posts)]
    ready: list[tuple[datetime, tuple[int, ...], int]] = []
    heapify(waiting)
    while waiting or ready:
        free_at = pacer.free_at if ready else max(pacer.free_at, waiting[0][0])
        while waiting and waiting[0][0] <= free_at:
            _, entry_ids, place = heappop(waiting)
            heappush(ready, (due[place], entry_ids, place))
        yield heappop(ready)[-1]


def _after(wait: timedelta, post: Watched, now: datetime) -> datetime:
    """Say when a post has waited so long; one that nobody has looked at waits for nothing."""
    return post.last_poll_at + wait if post.last_poll_at else min(post.born_at, now)


def fair_bound(posts: Sequence[Watched], budgets: Sequence[Budget], limits: Limits) -> timedelta:
    """Say how old a post can be at most, by what was last seen of it, before it is polled again.

    A post waits for its interval, at most `limits.longest`, and then for every other post once at most: polls are made
    in the order they fell due. Where the budget is too small even for `limits.longest`, posts simply take turns.
    What others spend, reserves, and a post's own `not_before` come on top.
    """
    if not posts:
        return limits.longest
    largest = _largest(posts)
    pace = time_per_request(budgets, largest)
    one_round = (sum(_cost(post) for post in posts) + largest) * pace
    return one_round if _is_stretched(posts, limits, _hours(pace)) else limits.longest + one_round


def _is_stretched(posts: Sequence[Watched], limits: Limits, hours_per_request: float) -> bool:
    """Tell whether even the longest interval for every post is more than the budget gives."""
    return sum(_cost(post) for post in posts) * hours_per_request > _hours(limits.longest)


def _wishes(posts: Sequence[Watched], now: datetime, limits: Limits, hours_per_request: float) -> list[_Wish]:
    expected = expected_of(posts)
    rates = [max(rate_of(post, now, expected=expected), _LEAST_RATE) for post in posts]
    costs = [_cost(post) for post in posts]
    longest = _hours(limits.longest)
    one_round = sum(costs) * hours_per_request
    if one_round >= longest:
        return [_Wish(post, rate, one_round, is_windowed=False) for post, rate in zip(posts, rates, strict=True)]

    def fits(intervals: Iterable[float]) -> bool:
        load: float = sum(map(truediv, costs, intervals))
        return load * hours_per_request <= 1

    windows = [_window_interval(post, rate, limits) for post, rate in zip(posts, rates, strict=True)]
    ease = _least(lambda ease: fits(min(window * ease, longest) for window in windows), start=1)
    most = [min(window * ease, longest) for window in windows]
    units = [sqrt(cost / rate) for cost, rate in zip(costs, rates, strict=True)]
    shortest = _hours(limits.shortest)
    factor = _least(lambda factor: fits(_scaled(units, factor, shortest, most)), start=1e-9)
    return [
        _Wish(post, rate, interval, is_windowed=interval >= limit < longest)
        for post, rate, interval, limit in zip(posts, rates, _scaled(units, factor, shortest, most), most, strict=True)
    ]


def _scaled(units: Sequence[float], factor: float, shortest: float, most: Sequence[float]) -> list[float]:
    return [min(max(unit * factor, shortest), limit) for unit, limit in zip(units, most, strict=True)]


def _window_interval(post: Watched, rate: float, limits: Limits) -> float:
    """Give the interval in which half a platform's window fills: the other half must show known likers again."""
    shortest, longest = _hours(limits.shortest), _hours(limits.longest)
    return longest if post.window is None else min(max(post.window / 2 / rate, shortest), longest)


def _least(is_enough: Callable[[float], bool], *, start: float) -> float:
    """Give the least factor from `start` on that is enough; a larger one always is, if any."""
    if is_enough(start):
        return start
    high = start
    while not is_enough(high) and high < _LARGEST_FACTOR:
        high *= 8
    low = max(start, high / 8)
    for _ in range(_HALVINGS):
        middle = sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def _next_poll(wish: _Wish, slot: Slot, now: datetime) -> NextPoll:
    interval = timedelta(hours=wish.interval)
    return NextPoll(entry_ids=wish.post.entry_ids, at=slot.at, interval=interval, reason=_reason(wish, slot, now))


def _reason(wish: _Wish, slot: Slot, now: datetime) -> str:
    """Say what decided: what holds the poll back, or else what is known of the post."""
    interval, not_before = timedelta(hours=wish.interval), wish.post.not_before
    if slot.reserve is not None:
        return f"kept free for the closing poll at {slot.reserve.at:%H:%M} UTC"
    if not_before is not None and slot.at == not_before:
        why = "asked to wait" if wish.post.was_asked_to_wait else "it failed, so harvester waits"
        return f"{why} until {not_before:%H:%M} UTC"
    if slot.is_late and slot.at - now > interval / 2:
        return "the budget allows no sooner"
    return f"{_pace(wish, now)}: every {_in_words(interval)}"


def _pace(wish: _Wish, now: datetime) -> str:
    post = wish.post
    if wish.is_windowed:
        return f"the list shows only its newest {post.window}"
    if not post.arrivals:
        return "young" if now - post.born_at < _YOUNG else "not looked at yet"
    quiet = quiet_since(post.arrivals)
    if quiet is not None and now - quiet >= _QUIET:
        return f"nothing new for {_in_words(now - quiet)}"
    return f"about {_likes(wish.rate)}"


def _likes(an_hour: float) -> str:
    number, unit = (an_hour, "hour") if an_hour >= 1 else (an_hour * 24, "day")
    whole = max(round(number), 1)
    return f"{whole:,} like{'s' if whole > 1 else ''} {'an hour' if unit == 'hour' else 'a day'}"


def _in_words(stretch: timedelta) -> str:
    """Write a stretch of time the short way: 75 s, 4 min, 6 h, 2 days."""
    seconds = stretch.total_seconds()
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit != "days" and seconds % size == 0 and seconds):
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds)} s"


def _largest(posts: Sequence[Watched]) -> int:
    return max(map(_cost, posts))


def _cost(post: Watched) -> int:
    return max(post.requests, 1)


def _hours(stretch: timedelta) -> float:
    return stretch / timedelta(hours=1)
