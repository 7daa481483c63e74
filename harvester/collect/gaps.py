"""What is held of each post, and where the displayed number is of another time: then their difference is no gap."""

from collections.abc import Mapping, Set
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from harvester.connector import Basis
from harvester.store.models import Entry, Reading, Sweep


def held(session: Session, campaign_id: int) -> Mapping[int | None, int]:
    """Count, per entry, the likers seen that have not taken back their like.

    An entry never read is left out, and so is one that is only counted: nobody is known to like it.
    """
    total = func.sum(col(Sweep.new) - col(Sweep.unliked) + col(Sweep.returned))
    rows = session.exec(
        select(Sweep.entry_id, total)
        .join(Entry, col(Entry.id) == Sweep.entry_id)
        .where(Entry.campaign_id == campaign_id, Entry.basis == Basis.IDENTITY, Sweep.pages > 0)
        .group_by(col(Sweep.entry_id))
    ).all()
    return {entry: int(number) for entry, number in rows}


def told_apart(session: Session, campaign_id: int) -> Set[int | None]:
    """Find the entries whose displayed number is older than the newest likers, or newer than the last list."""
    return _found_without_a_count(session, campaign_id) | _glanced(session, campaign_id)


def _found_without_a_count(session: Session, campaign_id: int) -> Set[int | None]:
    """Find the entries where a sweep that asked for no count found likers after the count was asked."""
    asked_no_count = col(Sweep.displayed_after).is_(None) & (col(Sweep.is_full).is_(False)) & (Sweep.new > 0)
    rows = session.exec(
        select(Entry.id)
        .join(Sweep, col(Sweep.entry_id) == Entry.id)
        .where(Entry.campaign_id == campaign_id, asked_no_count, Sweep.touched_at > col(Entry.displayed_at))
    )
    return set(rows)


def _glanced(session: Session, campaign_id: int) -> Set[int | None]:
    """Find the entries whose newest number a glance read, and another than the list was last read beside."""
    newest = _newest_reading(col(Reading.id).is_not(None))
    swept = _newest_reading(col(Reading.sweep_id).is_not(None))
    is_glance = col(newest.sweep_id).is_(None) & col(newest.likes).is_distinct_from(col(swept.likes))
    rows = session.exec(
        select(Entry.id)
        .join(newest, col(newest.entry_id) == Entry.id)
        .outerjoin(swept, col(swept.entry_id) == Entry.id)
        .where(Entry.campaign_id == campaign_id, is_glance)
    )
    return set(rows)


def _newest_reading(which: Any) -> Any:
    """Give, as a table, the newest reading of each entry among some."""
    ids = select(func.max(Reading.id)).where(which).group_by(col(Reading.entry_id))
    return aliased(Reading, select(Reading).where(col(Reading.id).in_(ids)).subquery())
