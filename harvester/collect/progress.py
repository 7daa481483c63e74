"""Where a sweep stands, in the database: begun, gone on after a pause or a crash, ended.

A sweep is resumed at its cursor while the cursor can be trusted. After that it starts anew: a stale cursor may be
answered by an empty page, which looks as if everybody had taken back their like.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, true, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from harvester.books.counts import Shown, keep_reading
from harvester.books.standing import UNLIKED
from harvester.collect.gaps import held
from harvester.connector import (
    ContractBroken,
    Count,
    Exhausted,
    GrantLost,
    Missing,
    Order,
    Outcome,
    Refused,
    Throttled,
    Traits,
    Unstable,
)
from harvester.store.kinds import Cause, EntryState, SweepOutcome
from harvester.store.models import Entry, Hole, Observation, Sweep

TIME_UNTIL_GONE = timedelta(hours=24)
_CAUSES: Mapping[type[Outcome], Cause] = {
    Exhausted: Cause.EXHAUSTED,
    Throttled: Cause.THROTTLED,
    GrantLost: Cause.GRANT_LOST,
    Missing: Cause.MISSING,
    Refused: Cause.REFUSED,
    Unstable: Cause.UNSTABLE,
    ContractBroken: Cause.CONTRACT_BROKEN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A sweep as it stands: what it must still walk, and what earlier sweeps of the entry say about it.

    `previous_sweep_at` is the start of the last complete sweep; `known_shortfall` how many likers the last complete
    full sweep was short of the displayed count.
    """

    sweep_id: int
    is_full: bool
    pass_number: int
    pages: int
    cursor: str | None
    listed: int
    previous_sweep_at: datetime | None
    known_shortfall: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a sweep ended, why, and when it may go on; a list cut at its platform's limit proves nobody's absence.

    `cause` is None when it ended complete.
    """

    outcome: SweepOutcome
    reason: str | None = None
    cause: Cause | None = None
    resume_at: datetime | None = None
    is_capped: bool = False


def ending_of(error: Outcome) -> Ending:
    """Say how a sweep ends by an outcome: what may pass leaves it partial, and a pause says when it goes on."""
    may_pass = isinstance(error, Throttled | Unstable)
    return Ending(
        outcome=SweepOutcome.PARTIAL if may_pass else SweepOutcome.FAILED,
        reason=str(error),
        cause=_CAUSES[type(error)],
        resume_at=error.until if isinstance(error, Throttled) else None,
    )


def pause_in_force(session: Session, entry_id: int, now: datetime) -> Ending | None:
    """Say that the entry must still wait, if the platform asked its last sweep to and that time is not over."""
    last = _last_sweep(session, entry_id)
    if last is None or last.resume_at is None or last.resume_at <= now:
        return None
    return Ending(outcome=SweepOutcome.PARTIAL, reason=last.reason, cause=last.cause, resume_at=last.resume_at)


def begin(session: Session, entry_id: int, traits: Traits, *, wants_full: bool, now: datetime) -> Progress:
    """Go on with the entry's unfinished sweep, or begin a new one.

    Why the attempt before ended stays known until this one ends: nothing is mended yet. A new sweep is full unless
    the platform lists newest likers first and the last sweep left nothing unread.
    """
    last = _last_sweep(session, entry_id)
    if last and _may_resume(last, traits, wants_full=wants_full, now=now):
        last.outcome, last.resume_at = None, None
        last.tried_from = last.pages
        return _progress(session, last)
    if last and last.outcome is None:
        last.outcome, last.cause = SweepOutcome.PARTIAL, last.cause or Cause.STOPPED
        last.reason = last.reason or "broken off, and too old to go on with"
    may_stop_early = traits.order is Order.SERVER_DESC and last is not None and last.outcome is SweepOutcome.COMPLETE
    sweep = Sweep(entry_id=entry_id, is_full=wants_full or not may_stop_early, started_at=now, touched_at=now)
    session.add(sweep)
    session.flush()
    return _progress(session, sweep)


def begin_pass(session: Session, sweep_id: int, number: int) -> None:
    """Walk the list once more from its first page."""
    session.exec(update(Sweep).where(col(Sweep.id) == sweep_id).values(pass_number=number, cursor=None))


def note_count(session: Session, entry_id: int, shown: Shown, *, column: str) -> None:
    """Store the number the platform shows, before or after the walk; a post it shows is not missing."""
    session.exec(update(Sweep).where(col(Sweep.id) == shown.sweep_id).values({column: shown.count.likes}))
    keep_reading(session, entry_id, shown)
    mark_shown(session, entry_id, shown.count, shown.read_at)


def mark_shown(session: Session, entry_id: int, count: Count, at: datetime) -> None:
    """Put what the platform shows now beside the entry: it is there."""
    entry = session.get_one(Entry, entry_id)
    entry.displayed, entry.displayed_at = count.likes, at
    entry.published_at = entry.published_at or count.published_at
    _mark_present(session, entry_id)


def end(session: Session, sweep_id: int, ending: Ending, *, requests: int, now: datetime) -> None:
    """Record how a sweep ended."""
    sweep = session.get_one(Sweep, sweep_id)
    sweep.outcome, sweep.cause, sweep.reason = ending.outcome, ending.cause, ending.reason
    sweep.resume_at = ending.resume_at
    sweep.tries = _tries(sweep, ending)
    sweep.requests += requests
    sweep.touched_at = now
    if ending.outcome is SweepOutcome.COMPLETE:
        _mark_present(session, sweep.entry_id)
    if ending.is_capped and (sweep.displayed_after is None or sweep.listed < sweep.displayed_after):
        _note_hole(session, sweep, now)
    if ending.outcome is SweepOutcome.COMPLETE and sweep.is_full and not ending.is_capped:
        sweep.unliked += _mark_absences(session, sweep)


def _tries(sweep: Sweep, ending: Ending) -> int:
    """Count the attempts in a row that a platform ended; what we stopped ourselves says nothing about it."""
    in_a_row = 0 if sweep.pages > sweep.tried_from else sweep.tries
    if ending.outcome is SweepOutcome.COMPLETE:
        return 0
    return in_a_row + (ending.cause is not Cause.STOPPED)


def missing(session: Session, entry_id: int, reason: str, now: datetime) -> Ending:
    """End a sweep of a post that its platform does not show; only a whole day of that closes the entry."""
    entry = session.get_one(Entry, entry_id)
    entry.missing_since = entry.missing_since or now
    is_over = now - entry.missing_since >= TIME_UNTIL_GONE
    if entry.state is not EntryState.REMOVED:
        entry.state = EntryState.GONE if is_over else EntryState.MISSING
    reason = f"{reason}; missing since {entry.missing_since:%Y-%m-%d %H:%M} UTC"
    return Ending(outcome=SweepOutcome.FAILED, reason=reason, cause=Cause.MISSING)


def _mark_present(session: Session, entry_id: int) -> None:
    entry = session.get_one(Entry, entry_id)
    entry.missing_since = None
    if entry.state is EntryState.MISSING:
        entry.state = EntryState.OPEN


def _last_sweep(session: Session, entry_id: int) -> Sweep | None:
    newest_first = col(Sweep.id).desc()
    return session.exec(select(Sweep).where(Sweep.entry_id == entry_id).order_by(newest_first).limit(1)).first()


def _last_complete(session: Session, entry_id: int, *, before: int | None = None, **wanted: Any) -> Sweep | None:
    query = select(Sweep).filter_by(entry_id=entry_id, outcome=SweepOutcome.COMPLETE, **wanted)
    if before is not None:
        query = query.where(col(Sweep.id) < before)
    return session.exec(query.order_by(col(Sweep.id).desc()).limit(1)).first()


def _may_resume(last: Sweep, traits: Traits, *, wants_full: bool, now: datetime) -> bool:
    is_unfinished = last.outcome in (None, SweepOutcome.PARTIAL)
    return is_unfinished and now - last.touched_at < traits.cursor_life and (last.is_full or not wants_full)


def _progress(session: Session, sweep: Sweep) -> Progress:
    previous = _last_complete(session, sweep.entry_id)
    full = _last_complete(session, sweep.entry_id, is_full=True)
    assert sweep.id is not None
    return Progress(
        sweep_id=sweep.id,
        is_full=sweep.is_full,
        pass_number=sweep.pass_number,
        pages=sweep.pages,
        cursor=sweep.cursor,
        listed=sweep.listed,
        previous_sweep_at=previous.started_at if previous else None,
        known_shortfall=_shortfall(full),
    )


def _note_hole(session: Session, sweep: Sweep, found_at: datetime) -> None:
    """Record that a capped list met nobody of the last complete sweep or before, so that some passed unseen.

    Whom a sweep met that broke off does not count: those between it and the last complete one may have passed.
    """
    assert sweep.id is not None
    before = _last_complete(session, sweep.entry_id, before=sweep.id)
    if before and _met_again(session, sweep, before):
        return
    entry = session.get_one(Entry, sweep.entry_id)
    known = held(session, entry.campaign_id).get(entry.id, 0) + _unseen_before(session, sweep.entry_id)
    hole = Hole(
        entry_id=sweep.entry_id,
        sweep_id=sweep.id,
        since=before.started_at if before else entry.published_at or entry.added_at,
        found_at=found_at,
        unseen=None if sweep.displayed_after is None else max(sweep.displayed_after - known, 0),
    )
    session.add(hole)


def _met_again(session: Session, sweep: Sweep, before: Sweep) -> bool:
    is_met = (col(Observation.entry_id) == sweep.entry_id) & (col(Observation.last_sweep_id) == sweep.id)
    from_then = select(Observation.page).where(is_met, col(Observation.sweep_id) <= before.id)
    return session.exec(from_then.limit(1)).first() is not None


def _unseen_before(session: Session, entry_id: int) -> int:
    stated = select(func.sum(Hole.unseen)).where(Hole.entry_id == entry_id)
    return int(session.exec(stated).one() or 0)


def _shortfall(full: Sweep | None) -> int:
    return max((full.displayed_after or 0) - full.listed, 0) if full else 0


def was_missed_before(session: Session, entry_id: int, sweep_id: int) -> bool:
    """Tell whether somebody whom the full sweep before missed has not been met by this one either."""
    is_missed = (col(Observation.absences) == 1) & (col(Observation.last_sweep_id) != sweep_id)
    return (
        session.exec(select(Observation.page).where(Observation.entry_id == entry_id, is_missed).limit(1)).first()
        is not None
    )


def _mark_absences(session: Session, sweep: Sweep) -> int:
    """Count one more absence of those this full sweep did not meet; give how many are un-likes by that.

    A list that falls further short of the platform's own number than the one that last named somebody lost people whom
    the number still counts: then that absence means nothing.
    """
    if sweep.displayed_after is None:
        return 0
    one = aliased(Sweep)
    is_earlier = (col(one.id) <= Observation.last_sweep_id) & _is_whole(one, sweep.entry_id)
    shortfall_then = select(func.coalesce(one.displayed_after, 0) - one.listed).where(is_earlier)
    then = shortfall_then.order_by(col(one.id).desc()).limit(1).correlate(Observation).scalar_subquery()
    is_believed = func.coalesce(then, 0) >= _shortfall(sweep) if _shortfall(sweep) else true()
    was_not_met = (col(Observation.entry_id) == sweep.entry_id) & (col(Observation.last_sweep_id) != sweep.id)
    absent = {number: was_not_met & (col(Observation.absences) == number) & is_believed for number in (0, 1)}
    unliked = session.exec(update(Observation).where(absent[1]).values(absences=UNLIKED))
    session.exec(update(Observation).where(absent[0]).values(absences=1))
    return unliked.rowcount


def _is_whole(sweep: Any, entry_id: int) -> Any:
    return (sweep.entry_id == entry_id) & (sweep.outcome == SweepOutcome.COMPLETE) & sweep.is_full
