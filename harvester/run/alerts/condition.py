"""What a condition is: something that is wrong now, or worth telling, found in the database."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester.store.kinds import AlertKind

AGE_OF_NEWS = timedelta(days=7)
"""What only happens is told when it is found within this time: later it is history."""

OpenAlerts = Set[tuple[str, str]]
"""The kinds and subjects of the alerts that are not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that holds now: its kind, what it is about, a sentence that says it, and what a person can do."""

    kind: AlertKind
    subject: str
    message: str
    remedy: str


def write_utc(instant: datetime) -> str:
    """Write an instant as every message does."""
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def number_of(many: int, noun: str) -> str:
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"
