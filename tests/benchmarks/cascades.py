"""Real times of arrival on posts (see traces/README.md), played as one contest, and the best that foresight can do."""

import gzip
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

TRACES = Path(__file__).parent / "traces" / "retweets.txt.gz"
WATCHED_FOR = 7 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """A post, in seconds of the contest: published at `start`, liked at `likes`, watched until `end`."""

    start: int
    end: int
    likes: tuple[int, ...]


def cascades() -> tuple[Cascade, ...]:
    """Give all of them, in the order of their publication, as far apart as they really were."""
    with gzip.open(TRACES, "rt", encoding="ascii") as lines:
        found = [_cascade([int(number) for number in line.split()]) for line in lines]
    return tuple(sorted(found, key=lambda cascade: cascade.start))


def _cascade(numbers: list[int]) -> Cascade:
    start, *gaps = numbers
    return Cascade(start=start, end=start + WATCHED_FOR, likes=tuple(accumulate(gaps, initial=start))[1:])


def least_staleness(posts: Sequence[Cascade], polls: int) -> float:
    """Give a bound: nobody who knows every like in advance, with so many polls at any time, is below this sum.

    Lagrange: for a price of a poll, the cheapest polls of each post are exact (`_cheapest`); less the price of all
    polls, their cost is a bound at every price. The best price is searched for.
    """

    def bound(price: float) -> float:
        return sum(_cheapest(post, price) for post in posts) - price * polls

    return _highest(bound)


def _highest(bound: Callable[[float], float]) -> float:
    """Find the maximum of a concave function over prices from 1 to 10 million seconds, on a logarithmic scale."""
    low, high = 0.0, 7.0
    for _ in range(16):
        third = (high - low) / 3
        if bound(10 ** (low + third)) < bound(10 ** (high - third)):
            low += third
        else:
            high -= third
    return bound(10 ** ((low + high) / 2))


def _cheapest(post: Cascade, price: float) -> float:
    """Give the least staleness and price of the polls of one post; the poll at its end is free.

    A poll belongs right on a like. Its cost is a minimum over the poll before it, each of which is a line in the time
    of the poll: the lower hull of the lines is kept, so that each like is dealt with once.
    """
    hull: deque[tuple[int, float]] = deque([(0, 0.0)])
    total = 0.0
    for number, at in enumerate((*(like - post.start for like in post.likes), post.end - post.start), 1):
        while len(hull) > 1 and hull[1][1] - hull[1][0] * at <= hull[0][1] - hull[0][0] * at:
            hull.popleft()
        seen, offset = hull[0]
        is_end = number > len(post.likes)
        if is_end:
            return offset - seen * at + (number - 1) * at - total
        total += at
        line = (number, price + offset - seen * at + number * at)  # the sum of times so far cancels out
        while len(hull) > 1 and _is_covered(hull[-2], hull[-1], line):
            hull.pop()
        hull.append(line)
    raise AssertionError("the end of the post is always dealt with")


def _is_covered(first: tuple[int, float], middle: tuple[int, float], last: tuple[int, float]) -> bool:
    """Tell whether the middle line is nowhere the lowest of the three."""
    return (middle[1] - first[1]) * (last[0] - middle[0]) >= (last[1] - middle[1]) * (middle[0] - first[0])
