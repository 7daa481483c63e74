"""What `status` says of each post, as frozen values."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.collect.gaps import held, told_apart
from harvester.connector import Basis
from harvester.store.kinds import AccountKind, EntryState, SweepOutcome
from harvester.store.models import Account, Entrant, Entry, Hole, Sweep, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSweep:
    """The newest sweep of an entry; `outcome` is None while it runs."""

    at: datetime
    outcome: SweepOutcome | None
    reason: str | None
    pages: int
    requests: int
    new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """A post: what its platform shows, what we hold, and the difference, side by side; None is unknown.

    `displayed` was asked at `displayed_at`; the gap is unknown while likers found since then are not in it, or while
    nobody has read the list since a glance at it. A list that shows only its newest likers had `holes` when it showed
    nobody we knew; so many passed `unseen` at least.
    """

    url: str
    connector: str
    post_id: str
    entrant: str | None
    basis: Basis
    displayed: int | None
    displayed_at: datetime | None
    held: int | None
    gap: int | None
    credited: int
    state: EntryState
    last_sweep: LastSweep | None
    next_poll_at: datetime | None
    next_poll_reason: str | None
    holes: int = 0
    unseen: int = 0


def entry_views(session: Session, campaign_id: int, *, is_settled: bool) -> tuple[EntryView, ...]:
    """Give what is known of each post of a campaign; once that is settled, none has a next poll."""
    of_campaign = select(Entry).where(Entry.campaign_id == campaign_id).order_by(col(Entry.id))
    rows = session.exec(of_campaign).all()
    entrants = dict(session.exec(select(Entrant.id, Entrant.name).where(Entrant.campaign_id == campaign_id)).all())
    likers, newest, credited = (
        held(session, campaign_id),
        _newest(session, campaign_id),
        _credited(session, campaign_id),
    )
    apart = told_apart(session, campaign_id)
    holes = _holes(session, campaign_id)
    return tuple(
        _entry(
            row,
            entrants.get(row.entrant_id),
            likers=likers.get(row.id),
            newest=newest.get(row.id),
            credited=credited.get(row.id, 0),
            is_of_another_time=row.id in apart,
            holes=holes.get(row.id, (0, 0)),
            is_read=not is_settled and row.state not in (EntryState.GONE, EntryState.REMOVED),
        )
        for row in rows
    )


def _entry(
    row: Entry,
    entrant: str | None,
    *,
    likers: int | None,
    newest: Sweep | None,
    credited: int,
    is_of_another_time: bool,
    holes: tuple[int, int],
    is_read: bool,
) -> EntryView:
    is_known = row.displayed is not None and likers is not None and not is_of_another_time
    return EntryView(
        url=row.pasted_url,
        connector=row.connector,
        post_id=row.native_id,
        entrant=entrant,
        basis=row.basis,
        displayed=row.displayed,
        displayed_at=row.displayed_at,
        held=likers,
        gap=(row.displayed or 0) - (likers or 0) if is_known else None,
        credited=credited,
        state=row.state,
        last_sweep=_last_sweep(newest) if newest else None,
        next_poll_at=_next_poll_at(row, newest) if is_read else None,
        next_poll_reason=row.next_poll_reason if is_read else None,
        holes=holes[0],
        unseen=holes[1],
    )


def _next_poll_at(row: Entry, newest: Sweep | None) -> datetime | None:
    """Say when a post is read next: as the scheduler decided, but not within a pause that its platform asked for."""
    known = [instant for instant in (row.next_poll_at, newest.resume_at if newest else None) if instant]
    return max(known, default=None)


def _holes(session: Session, campaign_id: int) -> Mapping[int | None, tuple[int, int]]:
    """Give, per entry, how often likers passed unseen, and how many at least: a later hole counts the earlier ones."""
    rows = session.exec(
        select(Hole.entry_id, func.count(), func.max(Hole.unseen))
        .join(Entry, col(Entry.id) == Hole.entry_id)
        .where(Entry.campaign_id == campaign_id)
        .group_by(col(Hole.entry_id))
    )
    return {entry: (number, unseen or 0) for entry, number, unseen in rows}


def _last_sweep(sweep: Sweep) -> LastSweep:
    return LastSweep(
        at=sweep.touched_at,
        outcome=sweep.outcome,
        reason=sweep.reason,
        pages=sweep.pages,
        requests=sweep.requests,
        new=sweep.new,
    )


def _newest(session: Session, campaign_id: int) -> Mapping[int | None, Sweep]:
    last = (
        select(func.max(Sweep.id))
        .join(Entry, col(Entry.id) == Sweep.entry_id)
        .where(Entry.campaign_id == campaign_id)
        .group_by(col(Sweep.entry_id))
    )
    return {sweep.entry_id: sweep for sweep in session.exec(select(Sweep).where(col(Sweep.id).in_(last)))}


def _credited(session: Session, campaign_id: int) -> Mapping[int | None, int]:
    """Sum each entry's credited likes, less the reversed."""
    is_sponsor = (col(Account.campaign_id) == campaign_id) & (col(Account.kind) == AccountKind.SPONSOR)
    sides = {+1: Transfer.debit_id, -1: Transfer.credit_id}
    totals: defaultdict[int | None, int] = defaultdict(int)
    for sign, side in sides.items():
        rows = session.exec(
            select(Transfer.entry_id, func.sum(Transfer.likes))
            .join(Account, col(Account.id) == side)
            .where(is_sponsor)
            .group_by(col(Transfer.entry_id))
        ).all()
        for entry, likes in rows:
            totals[entry] += sign * int(likes)
    return totals
