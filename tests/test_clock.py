"""Time zones: the rules are those of the package that is installed with harvester, whatever the system's files say."""

import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from harvester.clock import time_zone, time_zones

CASABLANCA = "Africa/Casablanca"


def _rules_of(name: str) -> bytes:
    return files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()


def test_a_zone_has_the_rules_of_the_package(tmp_path: Path) -> None:
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        (tmp_path / "Africa").mkdir()
        (tmp_path / CASABLANCA).write_bytes(_rules_of("Asia/Tokyo"))
        wrong = datetime(2027, 1, 1, tzinfo=zoneinfo.ZoneInfo(CASABLANCA)).utcoffset()
        right = datetime(2026, 1, 1, tzinfo=time_zone(CASABLANCA)).utcoffset()
    finally:
        zoneinfo.reset_tzpath(to=before)
        zoneinfo.ZoneInfo.clear_cache()

    assert (wrong, right) == (timedelta(hours=9), timedelta(hours=1))


def test_a_name_that_no_zone_has_is_refused() -> None:
    with pytest.raises(zoneinfo.ZoneInfoNotFoundError):
        time_zone("Africa/Atlantis")


def test_every_name_that_is_listed_gives_a_zone() -> None:
    assert {datetime(2027, 1, 1, tzinfo=UTC).astimezone(time_zone(name)).tzname() is None for name in time_zones()} == {
        False
    }
