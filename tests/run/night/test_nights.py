"""When a night is due: on the clocks of its zone, also on the days when these change."""

from datetime import UTC, datetime, time, timedelta

import pytest

from harvester.clock import time_zone
from harvester.config import ScheduleSettings
from harvester.run.night.nights import is_due, last_night, next_night, next_time
from harvester.store.database import Database
from harvester.store.kinds import SweepOutcome
from harvester.store.models import Night

AN_INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)


def schedule(nightly: str, zone: str = "Africa/Casablanca") -> ScheduleSettings:
    return ScheduleSettings(nightly=time.fromisoformat(nightly), timezone=zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "nightly", "due"),
    [
        ("Africa/Casablanca", "03:30", ["2026-02-14T02:30", "2026-02-15T03:30", "2026-02-16T03:30"]),
        ("Africa/Casablanca", "02:30", ["2026-02-14T01:30", "2026-02-15T01:30", "2026-02-16T02:30"]),  # twice: first
        ("Africa/Casablanca", "02:30", ["2026-03-21T02:30", "2026-03-22T02:00", "2026-03-23T01:30"]),  # in the gap
        ("Africa/Casablanca", "02:00", ["2026-03-21T02:00", "2026-03-22T02:00", "2026-03-23T01:00"]),  # its first
        ("Africa/Casablanca", "03:00", ["2026-03-21T03:00", "2026-03-22T02:00", "2026-03-23T02:00"]),  # its last
        ("Europe/Paris", "02:30", ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"]),
        ("Europe/Paris", "02:30", ["2027-10-30T00:30", "2027-10-31T00:30", "2027-11-01T01:30"]),
        (
            "Australia/Lord_Howe",
            "02:10",
            ["2026-10-02T15:40", "2026-10-03T15:30", "2026-10-04T15:10"],
        ),  # by half an hour, at 02:00
        ("Pacific/Apia", "03:30", ["2011-12-29T13:30", "2011-12-30T10:00", "2011-12-30T13:30"]),  # a day left out
    ],
)
def test_nights_follow_each_other_also_where_the_clocks_change(zone: str, nightly: str, due: list[str]) -> None:
    plan = schedule(nightly, zone)
    for one, after in zip(map(utc, due), map(utc, due[1:]), strict=False):
        assert next_night(one, plan) == after
        assert next_night(after - AN_INSTANT, plan) == after
        assert last_night(after - AN_INSTANT, plan) == one
        assert last_night(after, plan) == after


def test_every_instant_of_two_years_lies_between_its_last_and_its_next_night() -> None:
    plan, now = schedule("02:30", "Europe/Paris"), utc("2026-01-01T00:00")
    while now < utc("2028-01-01T00:00"):
        last, following = last_night(now, plan), next_night(now, plan)
        assert last <= now < following
        assert timedelta(hours=22.5) < following - last < timedelta(hours=25.5)
        now += timedelta(hours=7)


def test_the_next_time_on_the_clocks_may_be_tomorrow() -> None:
    zone = time_zone("Africa/Casablanca")
    assert next_time(utc("2026-06-19T20:00"), time(5, 30), zone) == utc("2026-06-20T04:30")
    assert next_time(utc("2026-06-20T04:29"), time(5, 30), zone) == utc("2026-06-20T04:30")
    assert next_time(utc("2026-06-20T04:30"), time(5, 30), zone) == utc("2026-06-21T04:30")


def test_a_night_is_due_once(database: Database) -> None:
    plan, night = schedule("03:30"), utc("2026-06-19T02:30")

    def due(now: datetime) -> bool:
        with database.reading() as session:
            return is_due(session, now, plan)

    def done(started_at: datetime) -> None:
        with database.writing() as session:
            outcome = SweepOutcome.PARTIAL
            session.add(Night(started_at=started_at, ended_at=started_at, outcome=outcome, summary="{}"))

    assert due(night)
    done(night - timedelta(hours=1))
    assert not due(night - AN_INSTANT)
    assert due(night)
    assert due(night + timedelta(hours=23))
    done(night + timedelta(minutes=10))
    assert not due(night + timedelta(hours=23))
    assert due(night + DAY)
