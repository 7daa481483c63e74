"""How fast likes arrive on a post: what was seen lately, judged by the age at which it was seen.

A post's likes thin out roughly as one over its age, so looks are compared in likes per unit of log(age): a quiet look
at night of the second day and a busy one in the first hour may say the same of a post. The newest looks count; an
older one counts only while it does not contradict them, so a single look that saw a burst, or its end, is believed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp, log, sqrt

_HOUR = timedelta(hours=1)
_YOUNG_HOURS = 0.1
"""Until this age likes come at an even pace; from then on ever thinner."""

_EXPECTED = 25.0
"""Likes per unit of log(age) to expect of a post when no other was looked at either."""

_EXPECTED_WEIGHT = 0.02
"""How much an expectation weighs, as a stretch of log(age) seen: little, so that the first look decides."""

_MEMORY = 0.2
"""A look this much log(age) ago weighs a third of one just taken."""

_CONTRADICTION = 2.0
"""How many standard deviations apart two stretches are that hardly come from one rate."""

_MOST_LOOKS = 8
_SHORTEST_STRETCH = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """A look at a post: so many likes had come between the look before and this one."""

    since: datetime
    until: datetime
    likes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A post to be polled again, or several counted ones that are read in one request.

    `arrivals` are the looks at it, oldest first, cheap counts included; `requests` what the next poll is expected to
    cost; `window` how many of its newest likes the platform lists at all (None: every one). `last_poll_at` is its last
    turn, whatever came of it. Nothing may be asked before `not_before`: its platform asked for that, or it failed.
    """

    entry_ids: tuple[int, ...]
    arrivals: tuple[Arrivals, ...]
    born_at: datetime
    last_poll_at: datetime | None
    requests: int
    window: int | None
    not_before: datetime | None
    was_asked_to_wait: bool = False


def expected_of(posts: Iterable[Watched]) -> float:
    """Give what to expect of a post nobody has looked at, in likes per unit of log(age): what the others show."""
    likes, seen = _EXPECTED * _EXPECTED_WEIGHT, _EXPECTED_WEIGHT
    for post in posts:
        for look in post.arrivals[-_MOST_LOOKS:]:
            likes += look.likes
            seen += _stretch(post, look)
    return likes / seen


def rate_of(post: Watched, now: datetime, *, expected: float = _EXPECTED) -> float:
    """Give the likes an hour to expect of a post now; `expected` is what other posts let expect."""
    age = _log_age(post, now)
    likes, seen, recent_likes, recent_seen = 0.0, 0.0, 0, 0.0
    for look in reversed(post.arrivals[-_MOST_LOOKS:]):
        stretch = _stretch(post, look)
        if _contradicts(look.likes, stretch, recent_likes, recent_seen):
            break
        weight = exp((_log_age(post, look.until) - age) / _MEMORY)
        recent_likes, recent_seen = recent_likes + look.likes, recent_seen + stretch
        likes, seen = likes + weight * look.likes, seen + weight * stretch
    guess = expected * _EXPECTED_WEIGHT
    if not likes or not _contradicts(guess, _EXPECTED_WEIGHT, recent_likes, recent_seen):
        likes, seen = likes + guess, seen + _EXPECTED_WEIGHT
    return likes / seen / exp(age)


def quiet_since(arrivals: Sequence[Arrivals]) -> datetime | None:
    """Tell since when no look has seen a like; None when the last one did, or there was none."""
    quiet = None
    for look in reversed(arrivals):
        if look.likes:
            break
        quiet = look.since
    return quiet


def _stretch(post: Watched, look: Arrivals) -> float:
    return max(_log_age(post, look.until) - _log_age(post, look.since), _SHORTEST_STRETCH)


def _log_age(post: Watched, at: datetime) -> float:
    return log(max((at - post.born_at) / _HOUR, 0.0) + _YOUNG_HOURS)


def _contradicts(likes: float, stretch: float, other_likes: float, other_stretch: float) -> bool:
    """Tell whether two numbers of likes, each over its stretch, are too different for chance."""
    if not other_stretch:
        return False
    together = (likes + other_likes + 1) / (stretch + other_stretch)
    deviation = sqrt(together / stretch + together / other_stretch)
    return abs(likes / stretch - other_likes / other_stretch) > _CONTRADICTION * deviation
