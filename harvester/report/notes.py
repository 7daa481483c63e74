"""What the table of posts only hints at, in words; posts of which the same is to be said share a line."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from harvester.report.text import moment, post_name
from harvester.report.views import EntryView
from harvester.store.kinds import SweepOutcome

_LATE = timedelta(minutes=10)
"""A poll may have to queue for so long; then nobody is at work."""


def notes(entries: Iterable[EntryView], now: datetime, zone: ZoneInfo) -> Iterator[str]:
    """Give the lines below the table."""
    about: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries:
        for words in _of_entry(entry, now, zone):
            about[words].append(post_name(entry.connector, entry.url))
    yield from (f"{', '.join(names)}: {words}" for words, names in about.items())


def _of_entry(entry: EntryView, now: datetime, zone: ZoneInfo) -> Iterator[str]:
    goes_on = _goes_on(entry, now, zone)
    if entry.last_sweep and entry.last_sweep.reason:
        yield f"{entry.last_sweep.reason}{goes_on}"
    elif entry.gap:
        yield _gap(entry.gap)
    if entry.holes:
        passed = f"{entry.unseen:,} passed unseen at least" if entry.unseen else "some may have passed unseen"
        yield f"the list showed only its newest likers, and none that we knew: {passed}"
    if entry.next_poll_reason and not goes_on:
        yield _next_poll(entry.next_poll_at, entry.next_poll_reason, now, zone)


def _gap(gap: int) -> str:
    """Say what differs; who is held beyond the number shown took a like back, or is not counted by the platform."""
    if gap < 0:
        return f"{-gap:,} held are not among those it shows now"
    return f"the platform shows more likes than it names ({gap:,}); only named likers are credited"


def _goes_on(entry: EntryView, now: datetime, zone: ZoneInfo) -> str:
    """Say when a sweep that broke off goes on; one that failed waits for a person."""
    at, sweep = entry.next_poll_at, entry.last_sweep
    if at is None or at <= now or sweep is None or sweep.outcome is not SweepOutcome.PARTIAL:
        return ""
    return f"; goes on after {moment(at, now, zone)}"


def _next_poll(at: datetime | None, reason: str, now: datetime, zone: ZoneInfo) -> str:
    if at is None:
        return f"no next poll, {reason}"
    if now - at > _LATE:
        return f"overdue since {moment(at, now, zone)} (nobody is at work)"
    return f"next {moment(at, now, zone)}, {reason}"
