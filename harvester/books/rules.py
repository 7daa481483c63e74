"""The rules of the count: what a like seen at some moment earns (docs/audit.md). Pure: rows in, verdicts out."""

from dataclasses import dataclass
from datetime import datetime

from harvester.connector import LikeTime
from harvester.store.kinds import Keeps, UniquePer, Verdict
from harvester.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class RateVersion:
    """What a like is worth from `valid_from` on."""

    id: int
    per_like: Volume
    valid_from: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A campaign's rules; `rates` by rising `valid_from`, the first one valid at any earlier time too."""

    starts_at: datetime
    ends_at: datetime
    keeps: Keeps
    unique_per: UniquePer
    cap: Volume | None
    rates: tuple[RateVersion, ...]
    floor: Volume | None = None
    settled_at: datetime | None = None

    def rate_at(self, instant: datetime) -> RateVersion:
        """Give the newest version that was valid by `instant`."""
        return next((rate for rate in reversed(self.rates) if rate.valid_from <= instant), self.rates[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How a like was found: by an answer read at `seen_at`, in a sweep of a post of which this much is known.

    `previous_sweep_at` is when the last complete sweep began, None in the first one; `time` says whose clock dates
    likes; `credits_existing`, whether a person decided that likes older than the first sweep count.
    """

    seen_at: datetime
    time: LikeTime
    previous_sweep_at: datetime | None
    published_at: datetime | None
    credits_existing: bool


def instant_of(liked_at: datetime | None, found: Circumstances) -> datetime:
    """Say which instant counts: the platform's own time, else when the like was first seen."""
    return liked_at if liked_at and found.time is LikeTime.PLATFORM else found.seen_at


def judge(liked_at: datetime | None, found: Circumstances, rules: Rules) -> Verdict:
    """Say whether a newly seen like lies in the window."""
    instant = instant_of(liked_at, found)
    if rules.settled_at and found.seen_at >= rules.settled_at:
        return Verdict.LATE
    is_agreed = found.credits_existing and found.previous_sweep_at is None and liked_at is None
    if instant < rules.starts_at and not is_agreed:
        return Verdict.BASELINE
    if liked_at and found.time is LikeTime.PLATFORM:
        return Verdict.CREDITED if instant < rules.ends_at else Verdict.LATE
    if found.previous_sweep_at is None and _may_be_older_than_the_window(liked_at, found, rules):
        return Verdict.BASELINE
    if instant < rules.ends_at:
        return Verdict.CREDITED
    known_since = found.previous_sweep_at or found.published_at or rules.starts_at
    return Verdict.UNCERTAIN if known_since < rules.ends_at else Verdict.LATE


def _may_be_older_than_the_window(liked_at: datetime | None, found: Circumstances, rules: Rules) -> bool:
    """In a first sweep: nothing precedes a post published inside the window; a claimed time can only exclude."""
    if found.published_at and found.published_at >= rules.starts_at:
        return False
    return not found.credits_existing or (liked_at is not None and liked_at < rules.starts_at)
