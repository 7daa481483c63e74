"""The examination of an installation: its configuration, keys, database and time zones, and its platforms' credentials.

It changes nothing, but that asking a platform may renew a grant.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata  # type: ignore[import-untyped]  # it has no type hints
from sqlalchemy import func
from sqlmodel import select

from harvester.books.rules import Rules
from harvester.clock import Now, system_time_zone
from harvester.collect.registry import check_settings, installed
from harvester.config import AlertSettings, Settings, load_settings
from harvester.contest.campaigns import CampaignFacts, list_campaigns, open_campaigns
from harvester.contest.times import ClockChange, clock_changes
from harvester.errors import HarvesterError
from harvester.run.alerts.addresses import open_addresses
from harvester.run.alerts.of_nights import LONGEST_WITHOUT_A_NIGHT
from harvester.run.doctor.credentials import examine_connector
from harvester.run.doctor.findings import Finding, fail, ok, warn
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
from harvester.store.kinds import EntryState
from harvester.store.models import Entry, Night

_A_YEAR = timedelta(days=365)


def examine(
    config: Path, *, every_connector: bool, offline: bool, now: Now, sleep: Callable[[float], None]
) -> tuple[Finding, ...]:
    """Look at everything; stop at what nothing else works without."""
    try:
        settings = load_settings(config)
        check_settings(settings)
    except HarvesterError as error:
        return (fail("configuration", str(error)),)
    found = [ok("configuration", f"{config} is read"), _signing_key(settings), time_zones(now())]
    try:
        with _opened(settings, now, sleep) as at:
            found.append(ok("database and master key", f"{at.database} is of this version, and the key is its own"))
            found.extend(_contests(at))
            names = sorted(installed() if every_connector else {*settings.connectors, *_used(at)})
            found.extend(finding for name in names for finding in examine_connector(at, name, offline=offline))
    except HarvesterError as error:
        found.append(fail("database and master key", str(error)))
    except OSError as error:
        found.append(_not_looked_at("database and master key", settings.keys.master_file, error))
    return tuple(found)


def _not_looked_at(about: str, file: Path, error: OSError) -> Finding:
    """Say of a file that one may not even ask whether it is there."""
    reason = (error.strerror or str(error)).lower()
    return fail(about, f"{file} cannot be looked at: {reason}", "let the user who runs harvester enter its folder")


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
    try:
        mode = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return warn("signing key", f"there is none at {file}", "run 'harvester init'")
    except OSError as error:
        return _not_looked_at("signing key", file, error)
    if os.name == "posix" and mode & 0o077:
        return fail("signing key", f"{file} can be read by others", f"run chmod 600 {file}")
    return ok("signing key", f"{file} is its owner's alone")


def _alerts(settings: AlertSettings, *, is_needed: bool) -> Iterator[Finding]:
    """Look whether anybody would be told, and whether the file of addresses keeps its secrets."""
    addresses, file = open_addresses(settings), settings.urls_file
    yield from (fail("alerts", text.removeprefix("alerts: "), "correct it") for text in addresses.refused)
    if addresses.understood:
        yield ok("alerts", f"addresses understood: {len(addresses.understood):,}; 'harvester alerts test' tries them")
    elif is_needed and not addresses.refused:
        yield warn("alerts", "nobody is told what is wrong", "name Apprise URLs in alerts.urls_file")
    if file and os.name == "posix" and file.stat().st_mode & 0o077:
        yield warn("alerts", f"{file} can be read by others, and holds secrets", f"run chmod 600 {file}")


def time_zones(now: datetime) -> Finding:
    """Look how old the zones are: a government changes its clocks, and a contest ends at the wrong hour."""
    release = tzdata.IANA_VERSION
    published = _published(release)
    if published and now - published <= _A_YEAR:
        return ok("time zones", f"release {release}")
    what = f"release {release} may be more than a year old" if published else f"release {release} has no known date"
    return warn("time zones", what, "upgrade the package tzdata, beside harvester")


def _published(release: str) -> datetime | None:
    """Estimate when a release such as 2026f came out."""
    found = re.fullmatch(r"([0-9]{4})([a-z])", release)
    if not found:
        return None
    # The letter counts the releases of its year, hardly ever two a month: so the sixth is of June at the earliest.
    month = min(ord(found[2]) - ord("a") + 1, 12)
    return datetime(int(found[1]), month, 1, tzinfo=UTC)


def _system_zones(campaigns: Iterable[CampaignFacts]) -> Iterator[Finding]:
    """Compare with the rules that cron, and what people see on this machine, follow."""
    for campaign in campaigns:
        rules, name = campaign.rules, campaign.zone.key
        theirs = system_time_zone(name)
        if theirs and _clocks(theirs, rules) != _clocks(campaign.zone, rules):
            what = f"this machine has other clock changes for {name} during {campaign.slug} than the package tzdata"
            yield warn("time zones", what, "upgrade the older of the two; the contest follows the package")


def _clocks(zone: ZoneInfo, rules: Rules) -> tuple[timedelta | None, tuple[ClockChange, ...]]:
    return rules.starts_at.astimezone(zone).utcoffset(), clock_changes(zone, rules.starts_at, rules.ends_at)


def _nightly(last: datetime | None, now: datetime) -> Finding:
    """See whether nights happen at all while a contest is open."""
    if last and now - last < LONGEST_WITHOUT_A_NIGHT:
        return ok("nightly", f"it ran at {last:%Y-%m-%d %H:%M} UTC")
    since = f"since {last:%Y-%m-%d %H:%M} UTC" if last else "yet"
    return warn("nightly", f"the nightly has not run {since}", "see 'harvester deploy cron'")


def _contests(at: Installation) -> Iterator[Finding]:
    with at.database.reading() as session:
        campaigns, every = open_campaigns(session), list_campaigns(session)
        last = session.exec(select(func.max(Night.ended_at))).one()
    yield from _alerts(at.settings.alerts, is_needed=bool(every))
    if campaigns:
        yield _nightly(last, at.now())
    yield from _system_zones(campaigns)
