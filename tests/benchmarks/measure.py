"""What every benchmark shares: its size, rounds in which the rivals take turns, and the row that says how it went."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Timed = Callable[[], float]
"""Does the work once and gives its seconds, setup left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int
    likers: int
    crowds: tuple[int, int]
    stored: tuple[int, int]
    fresh_pages: int
    starts: int


FULL = Size(rounds=5, likers=20_000, crowds=(20_000, 200_000), stored=(100_000, 1_000_000), fresh_pages=100, starts=10)
QUICK = Size(rounds=1, likers=400, crowds=(200, 1_000), stored=(500, 2_000), fresh_pages=5, starts=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; `is_reached` is None where there is no goal."""

    what: str
    goal: str
    measured: str
    is_reached: bool | None = None


def interleaved(rivals: Mapping[str, Timed], *, rounds: int) -> dict[str, list[float]]:
    """Let the rivals take turns, so that noise meets them all; where there are several rounds, one more warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for number in range(-1 if rounds > 1 else 0, rounds):
        for name, rival in rivals.items():
            taken = rival()
            if number >= 0:
                seconds[name].append(taken)
    return seconds


def at_least(what: str, goal: float, over: Sequence[float], under: Sequence[float]) -> Row:
    """Compare round by round: `over` seconds divided by `under` seconds, which should be at least `goal`."""
    ratios = _ratios(over, under)
    return Row(what=what, goal=f">= {goal:g}", measured=spread(ratios), is_reached=median(ratios) >= goal)


def at_most(what: str, goal: float, over: Sequence[float], under: Sequence[float]) -> Row:
    """Compare round by round: `over` seconds divided by `under` seconds, which should be at most `goal`."""
    ratios = _ratios(over, under)
    return Row(what=what, goal=f"<= {goal:g}", measured=spread(ratios), is_reached=median(ratios) <= goal)


def for_scale(what: str, over: Sequence[float], under: Sequence[float]) -> Row:
    """Compare where nothing was promised."""
    return Row(what=what, goal="", measured=spread(_ratios(over, under)))


def spread(values: Sequence[float], unit: str = "x") -> str:
    """Write the median with the lowest and the highest, or the only one there is."""
    middle = f"{median(values):.3g}{unit}"
    return f"{middle} ({min(values):.3g}-{max(values):.3g})" if len(values) > 1 else f"{middle} (one round)"


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    return [one / other for one, other in zip(over, under, strict=True)]
