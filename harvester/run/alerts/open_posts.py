"""The posts that conditions are about, and what their newest sweeps say: found newest first, however many there are."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from harvester.contest.campaigns import CampaignFacts
from harvester.store.kinds import Cause, EntryState, SweepOutcome
from harvester.store.models import Entry, Sweep

_READ = (EntryState.OPEN, EntryState.MISSING)
_READING = aliased(Sweep)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPosts:
    """The posts of campaigns that are not settled, by id; each one's newest sweep that tells something, and that of its
    whole list.
    """

    campaigns: Mapping[int, CampaignFacts]
    entries: Mapping[int, Entry]
    last: Mapping[int, Sweep]
    full: Mapping[int, Sweep]

    def name(self, entry_id: int) -> str:
        entry = self.entries[entry_id]
        return f"{entry.pasted_url} ({self.campaigns[entry.campaign_id].slug})"

    @property
    def connectors(self) -> Sequence[str]:
        """Name the connectors that still read any of the posts."""
        return sorted({one.connector for one in self.entries.values() if one.state is not EntryState.GONE})

    @property
    def subjects(self) -> Set[str]:
        """Name what may be mended: posts that are shown, servers that are asked, connectors that are used."""
        names = {self.name(key) for key, one in self.entries.items() if one.state is EntryState.OPEN}
        return names | {server_of(one) for one in self.entries.values() if one.state in _READ} | {*self.connectors}


def server_of(entry: Entry) -> str:
    """Name the connector, and which of its servers where it reads many."""
    _, is_one_of_many, server = entry.realm.partition(":")
    return f"{entry.connector} ({server})" if is_one_of_many else entry.connector


def read_open_posts(session: Session, campaigns: Sequence[CampaignFacts]) -> OpenPosts:
    """Read every post of these campaigns that nobody removed."""
    by_id = {one.id: one for one in campaigns}
    is_here = col(Entry.campaign_id).in_(by_id) & (col(Entry.state) != EntryState.REMOVED)
    entries = {row.id: row for row in session.exec(select(Entry).where(is_here).order_by(col(Entry.id))) if row.id}
    columns: list[Any] = [Entry.id, newest_sweep(_tells_something()), newest_sweep(_is_whole())]
    found = session.connection().execute(sa_select(*columns).where(is_here)).all()
    sweeps = _sweeps(session, {number for _, *ids in found for number in ids if number})
    return OpenPosts(
        campaigns=by_id,
        entries=entries,
        last={entry: sweeps[last] for entry, last, _ in found if last},
        full={entry: sweeps[full] for entry, _, full in found if full},
    )


def newest_sweep(is_wanted: Any) -> Any:
    """Give, as a column beside an entry, the id of its newest sweep of a kind."""
    of_entry = select(_READING.id).where(_READING.entry_id == Entry.id, is_wanted)
    return of_entry.order_by(col(_READING.id).desc()).limit(1).correlate(Entry).scalar_subquery()


def is_complete() -> Any:
    return _READING.outcome == SweepOutcome.COMPLETE


def _is_whole() -> Any:
    return is_complete() & col(_READING.is_full).is_(True)


def _tells_something() -> Any:
    """A first attempt that is still at work tells nothing yet, nor does one that we stopped before it read anything."""
    has_ended = or_(col(_READING.outcome).is_not(None), col(_READING.cause).is_not(None))
    by_us = col(_READING.cause).is_not_distinct_from(Cause.STOPPED)
    return has_ended & (~by_us | (col(_READING.pages) > 0) | (col(_READING.tries) > 0))


def _sweeps(session: Session, ids: Set[int]) -> Mapping[int, Sweep]:
    rows = session.exec(select(Sweep).where(col(Sweep.id).in_(ids)))
    return {one.id: one for one in rows if one.id}
