"""What was asked of a platform lately, by sweeps and glances: a process counts what others sent before and beside it.

The rows that tell of it exist anyway; a table of requests would have to agree with them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import Any

from sqlalchemy import func
from sqlalchemy import select as sa_select
from sqlmodel import Session, col, select

from harvester.clock import Now
from harvester.collect.budget import Sent
from harvester.collect.http import PoliteClient
from harvester.connector import Connector, origin_of
from harvester.store.database import Database
from harvester.store.kinds import Cause
from harvester.store.models import Entry, Reading, Sweep

_BETWEEN_RECOUNTS = timedelta(seconds=5)
_LONGEST_COMMIT = timedelta(minutes=1)
"""How long after the time that it says a row may appear."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The requests of a sweep until now, or of a glance, for a post; `key` names it."""

    key: str
    entry_id: int | None
    url: str
    at: datetime
    requests: int


class Spending:
    """What other processes ask of a connector's servers while this one has it open, told to its client.

    What this one reads itself is left out: its client has counted that, each request at its time, whereas a row dates
    all requests of a sweep by the newest.
    """

    def __init__(self, database: Database, connector: Connector, client: PoliteClient, now: Now) -> None:
        self._database, self._connector, self._client, self._now = database, connector, client, now
        self._lock = Lock()
        self._opened_at = self._recounted_at = now()
        self._under_way: list[_Read] = []
        self._done: list[_Read] = []
        self._others: dict[str, _Asked] = {}

    @contextmanager
    def own(self, entry_ids: Collection[int]) -> Iterator[None]:
        """Take what is asked for these posts in this block for this process's own."""
        read = _Read(entry_ids=frozenset(entry_ids), begun_at=self._now())
        with self._lock:
            self._under_way.append(read)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.remove(read)
                self._done.append(replace(read, ended_at=self._now()))

    def recount(self) -> None:
        """Look what others have sent, and what pauses they were asked for, unless that was done a moment ago."""
        with self._lock:
            now = self._now()
            if abs(now - self._recounted_at) < _BETWEEN_RECOUNTS:
                return
            since = max(self._opened_at, min(self._recounted_at, now) - _LONGEST_COMMIT)
            with self._database.reading() as session:
                self._note(session, since, now)
                pauses = [*pauses_in_force(session, self._connector, now)]
            self._done = [one for one in self._done if one.ended_at and one.ended_at > since]
            self._recounted_at = now
            self._client.recount(self._by_origin())
        for origin, until in pauses:
            self._client.block(origin, until)

    def _note(self, session: Session, since: datetime, now: datetime) -> None:
        longest = max((budget.per for budget in self._client.budgets), default=None)
        if longest is None:
            return
        for one in _asked_since(session, self._connector, since):
            if one.at <= now and not any(read.holds(one) for read in (*self._under_way, *self._done)):
                self._others[one.key] = one
        self._others = {key: one for key, one in self._others.items() if one.at > now - longest}

    def _by_origin(self) -> dict[str, list[Sent]]:
        found: defaultdict[str, list[Sent]] = defaultdict(list)
        for one in self._others.values():
            for origin in _origins(one.url, self._connector):
                found[origin].append((one.at, one.requests))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A stretch of time in which this process alone asked for some posts; it has no end while it lasts."""

    entry_ids: frozenset[int]
    begun_at: datetime
    ended_at: datetime | None = None

    def holds(self, one: _Asked) -> bool:
        is_within = self.begun_at <= one.at and (self.ended_at is None or one.at <= self.ended_at)
        return is_within and one.entry_id in self.entry_ids


def spent_since(session: Session, connector: Connector, since: datetime) -> Iterator[tuple[str, datetime, int]]:
    """Give server, time and number of the requests of each sweep touched and each glance since then, oldest first.

    A sweep's requests are all dated by its newest page, which is never too early. Which of a platform's servers they
    went to is not recorded, so each counts them.
    """
    for one in sorted(_asked_since(session, connector, since), key=lambda one: one.at):
        for origin in _origins(one.url, connector):
            yield origin, one.at, one.requests


def pauses_in_force(session: Session, connector: Connector, now: datetime) -> Iterator[tuple[str, datetime]]:
    """Give the servers that asked for a pause at the newest sweep of a post, and until when."""
    newest = select(func.max(Sweep.id)).where(Sweep.entry_id == Entry.id).correlate(Entry).scalar_subquery()
    rows = session.exec(
        select(Entry.url, Sweep.resume_at)
        .join(Sweep, col(Sweep.id) == newest)
        .where(Entry.connector == connector.name, Sweep.cause == Cause.THROTTLED, col(Sweep.resume_at) > now)
    )
    yield from ((origin, until) for url, until in rows if until for origin in _origins(url, connector))


def _asked_since(session: Session, connector: Connector, since: datetime) -> Iterator[_Asked]:
    yield from _swept(session, connector, since)
    yield from _glanced(session, connector, since)


def _origins(url: str, connector: Connector) -> set[str]:
    return {_origin_of(url), *connector.origins} - {""}


_origin_of = lru_cache(maxsize=10_000)(origin_of)  # thousands of rows name the same few posts


def _swept(session: Session, connector: Connector, since: datetime) -> Iterator[_Asked]:
    asked: list[Any] = [Sweep.id, Entry.id, Entry.url, Sweep.touched_at, Sweep.requests]
    is_recent = (col(Sweep.touched_at) > since) & (col(Sweep.requests) > 0)
    of_connector = sa_select(*asked).join(Entry, col(Entry.id) == Sweep.entry_id)
    rows = session.connection().execute(of_connector.where(is_recent, col(Entry.connector) == connector.name))
    yield from (_Asked(f"sweep:{number}", *asked) for number, *asked in rows)


def _glanced(session: Session, connector: Connector, since: datetime) -> Iterator[_Asked]:
    """Give a glance once, however many posts it showed."""
    rows = session.exec(
        select(Entry.realm, Entry.id, Entry.url, Reading.read_at)
        .join(Reading, col(Reading.entry_id) == Entry.id)
        .where(Entry.connector == connector.name, Reading.read_at > since, col(Reading.sweep_id).is_(None))
    )
    glances = {f"glance:{realm}:{at.isoformat()}": (number, url, at) for realm, number, url, at in rows}
    yield from (_Asked(key, *asked, requests=1) for key, asked in glances.items())
