"""What time it is, and on whose clocks: an argument everywhere, so that a test or a rehearsal can say.

The rules of time zones are those of the package tzdata that is installed with harvester, not the system's: two machines
that close one contest must agree on when it ends.
"""

import zoneinfo
from collections.abc import Callable, Set
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Now = Callable[[], datetime]
"""Gives the present instant, aware, in UTC."""

_TZDATA = files("tzdata")


def utc_now() -> datetime:
    return datetime.now(UTC)


@cache
def time_zone(name: str) -> ZoneInfo:
    """Give a time zone by its IANA name; `ZoneInfoNotFoundError` for any other name."""
    if name not in time_zones():
        raise ZoneInfoNotFoundError(name)
    with _TZDATA.joinpath("zoneinfo", *name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


@cache
def time_zones() -> Set[str]:
    """Give every name that a time zone has."""
    return frozenset(_TZDATA.joinpath("zones").read_text(encoding="utf-8").split())


def system_time_zone(name: str) -> ZoneInfo | None:
    """Give what the machine's own files say of a zone, only to compare: cron and people's screens follow them."""
    for file in (Path(folder, *name.split("/")) for folder in zoneinfo.TZPATH):
        if file.is_file():
            with file.open("rb") as rules:
                return ZoneInfo.from_file(rules, key=name)
    return None
