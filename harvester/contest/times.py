"""Times as people write them, in the campaign's own zone.

Africa/Casablanca leaves UTC+1 for UTC+0 during Ramadan, so some wall-clock times do not exist and some happen twice:
those are refused rather than guessed at.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from harvester.clock import time_zone, time_zones
from harvester.errors import UsageError

_DATE_OR_TIME = re.compile(r"[0-9W-]+([T ].*)?")  # fromisoformat takes any separator: 2027-06-19+02:00 is no time
_QUARTER = timedelta(minutes=15)
_EXPECTED = "expected ISO 8601, such as 2027-02-08 or 2027-02-08T20:00"


def find_zone(name: str) -> ZoneInfo:
    """Give a zone by its IANA name."""
    if name not in time_zones():
        near = get_close_matches(name, time_zones(), n=1)
        raise UsageError(f"{name!r} is not an IANA time zone{f': did you mean {near[0]}?' if near else ''}")
    return time_zone(name)


def read_time(text: str, zone: ZoneInfo) -> datetime:
    """Read an instant as aware UTC; a bare date is midnight, and a time without offset is on the zone's clocks."""
    try:
        if not _DATE_OR_TIME.fullmatch(text.strip()):
            raise ValueError(text)
        written = datetime.fromisoformat(text.strip())
        return (written if written.tzinfo else _on_the_clocks_of(zone, written)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is not a time: {_EXPECTED}") from error


def write_time(instant: datetime, zone: ZoneInfo) -> str:
    """Write an instant for people, on the zone's clocks."""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """When a zone's clocks change, and by how much: negative is back."""

    at: datetime
    by: timedelta


def clock_changes(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[ClockChange, ...]:
    """Find the clock changes inside a window; every zone changes on a quarter of an hour."""
    changes = []
    at, before = start, start.astimezone(zone).utcoffset()
    at -= timedelta(minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond)
    while (at := at + _QUARTER) < end:
        offset = at.astimezone(zone).utcoffset()
        if offset != before and offset is not None and before is not None:
            changes.append(ClockChange(at=at, by=offset - before))
        before = offset
    return tuple(changes)


def _on_the_clocks_of(zone: ZoneInfo, written: datetime) -> datetime:
    first, second = (written.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    is_skipped = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != written
    problem = "does not exist: the clocks go forward over it" if is_skipped else "happens twice: the clocks go back"
    text = written.isoformat()
    raise UsageError(f"{text} in {zone.key} {problem}; write the offset, such as {text}+00:00")
