"""When the nightly job is due: once a day, at a time on the clocks of `schedule.timezone`.

Clocks change. A time that they jump over is the first instant after the gap; one that happens twice is due the first
time.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from harvester.clock import time_zone
from harvester.config import ScheduleSettings
from harvester.contest.times import clock_changes
from harvester.store.models import Night

_A_MINUTE = timedelta(minutes=1)
_DAYS_AROUND = range(-2, 3)  # a zone may leave out a whole day


def last_night(now: datetime, schedule: ScheduleSettings) -> datetime:
    """Give the newest instant, not after `now`, at which a nightly job was due."""
    return max(one for one in _around(now, schedule.nightly, time_zone(schedule.timezone)) if one <= now)


def next_night(now: datetime, schedule: ScheduleSettings) -> datetime:
    """Give the first instant after `now` at which a nightly job is due."""
    return next_time(now, schedule.nightly, time_zone(schedule.timezone))


def next_time(now: datetime, at: time, zone: ZoneInfo) -> datetime:
    """Give the first instant after `now` when the zone's clocks show `at`."""
    return min(one for one in _around(now, at, zone) if one > now)


def is_due(session: Session, now: datetime, schedule: ScheduleSettings) -> bool:
    """Tell whether the nightly job of the last night has not come to its end yet; one that was killed has not."""
    since = last_night(now, schedule)
    return session.exec(select(Night.id).where(col(Night.started_at) >= since).limit(1)).first() is None


def _around(now: datetime, at: time, zone: ZoneInfo) -> list[datetime]:
    today = now.astimezone(zone).date()
    return [_instant(today + timedelta(days=days), at, zone) for days in _DAYS_AROUND]


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    first, second = (datetime.combine(day, at, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if second >= first:
        return first
    return clock_changes(zone, second, first + _A_MINUTE)[0].at
