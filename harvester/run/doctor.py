"""The examination of an installation: its configuration, keys, database and time zones, and its platforms' credentials.

It changes nothing, but that asking a platform may renew a grant.
"""

import os
import re
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from sqlmodel import select

from harvester.clock import Now
from harvester.collect.registry import check_settings, installed
from harvester.config import Settings, load_settings
from harvester.contest.campaigns import list_campaigns
from harvester.errors import HarvesterError
from harvester.run.credentials import examine_connector
from harvester.run.findings import Finding, fail, ok, warn
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
from harvester.store.kinds import EntryState
from harvester.store.models import Entry


def examine(
    config: Path, *, every_connector: bool, offline: bool, now: Now, sleep: Callable[[float], None]
) -> tuple[Finding, ...]:
    """Look at everything; stop at what nothing else works without."""
    try:
        settings = load_settings(config)
        check_settings(settings)
    except HarvesterError as error:
        return (fail("configuration", str(error)),)
    found = [ok("configuration", f"{config} is read"), _signing_key(settings), _time_zones(now())]
    try:
        with _opened(settings, now, sleep) as at:
            found.append(ok("database and master key", f"{at.database} is of this version, and the key is its own"))
            names = sorted(installed() if every_connector else {*settings.connectors, *_used(at)})
            found.extend(finding for name in names for finding in examine_connector(at, name, offline=offline))
    except HarvesterError as error:
        found.append(fail("database and master key", str(error)))
    return tuple(found)


@contextmanager
def _opened(settings: Settings, now: Now, sleep: Callable[[float], None]) -> Iterator[Installation]:
    database, master = Database(settings.database.url), MasterKey.load(settings.keys)
    try:
        database.check_is_current()
        with database.reading() as session:
            for campaign in list_campaigns(session):
                master.open_campaign_key(campaign.sealed_key, campaign.slug)
        yield Installation(database=database, settings=settings, master=master, now=now, sleep=sleep)
    finally:
        database.engine.dispose()


def _used(at: Installation) -> set[str]:
    with at.database.reading() as session:
        return set(session.exec(select(Entry.connector).where(Entry.state != EntryState.REMOVED).distinct()))


def _signing_key(settings: Settings) -> Finding:
    file = settings.keys.signing_file
    if not file.exists():
        return warn("signing key", f"there is none at {file}", "run 'harvester init'")
    if os.name == "posix" and file.stat().st_mode & 0o077:
        return fail("signing key", f"{file} can be read by others", f"run chmod 600 {file}")
    return ok("signing key", f"{file} is its owner's alone")


def _time_zones(now: datetime) -> Finding:
    """Look how old the zones are: a government changes its clocks, and a contest ends at the wrong hour."""
    release = _zones_release()
    year = re.match(r"[0-9]{4}", release)
    if year and now.year - int(year[0]) <= 1:
        return ok("time zones", f"release {release}")
    what = f"release {release} is more than a year old" if year else "their release is not known"
    return warn("time zones", what, "upgrade the system's time zones, or the package tzdata")


def _zones_release() -> str:
    """Name the release of the time zones in use: the system's, where it has them; '' when it does not say."""
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "tzdata.zi").exists():
            with (folder / "tzdata.zi").open(encoding="utf-8") as zones:
                return zones.readline().removeprefix("# version").strip()
        if (folder / "UTC").exists():
            return ""
    return version("tzdata")
