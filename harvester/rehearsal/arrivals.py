"""When likes arrive: the shape of a real trace, for as many likes and as long as wanted.

Shape: 394,987 retweets of 100 busy posts over seven days, pooled. Source: github.com/NII-Kobayashi/TiDeH
@ 23bc22f83925d06149933d715127d17819a62012, data/training/RT1.txt to RT100.txt, MIT licence, Copyright (c) 2018
NII-Kobayashi; first published with SEISMIC (Zhao et al., KDD 2015). Retweets: no open trace of likes is as large.
"""

from bisect import bisect_right
from datetime import datetime, timedelta
from random import Random

SECONDS_UNTIL = (
    *(0, 62, 103, 152, 218, 303, 411, 548, 728, 953, 1241, 1589, 2011, 2524, 3128, 3840, 4708, 5696, 6735, 7905),
    *(9309, 10927, 12894, 15075, 17694, 20709, 24230, 28629, 34482, 40564, 47268, 55267, 63359, 71111, 82254),
    *(96367, 119974, 162217, 220696, 337614, 604790),
)
"""Seconds after the post by which each further fortieth (2.5 %) has arrived."""

_PARTS = len(SECONDS_UNTIL) - 1


def share_arrived(after: timedelta) -> float:
    """Say which share of the likes of seven days has arrived some time after the post."""
    seconds = after.total_seconds()
    if seconds >= SECONDS_UNTIL[-1]:
        return 1.0
    part = bisect_right(SECONDS_UNTIL, seconds) - 1
    low, high = SECONDS_UNTIL[part], SECONDS_UNTIL[part + 1]
    return (part + (seconds - low) / (high - low)) / _PARTS


def arrival_times(published_at: datetime, *, number: int, until: datetime, seed: int = 0) -> tuple[datetime, ...]:
    """Draw `number` arrivals from the post to `until`, ascending: the trace cut there, the same for the same seed."""
    dice = Random(seed)  # noqa: S311 (a simulation, not a secret)
    most = share_arrived(until - published_at)
    shares = sorted(dice.random() * most for _ in range(number))
    return tuple(published_at + _delay(share) for share in shares)


def _delay(share: float) -> timedelta:
    part = min(int(share * _PARTS), _PARTS - 1)
    low, high = SECONDS_UNTIL[part], SECONDS_UNTIL[part + 1]
    return timedelta(seconds=low + (share * _PARTS - part) * (high - low))
