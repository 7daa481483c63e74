"""What a campaign still has to read before its end can be booked: every post to its end, once, after the campaign's.

Where a like must stand, a liker whom that sweep did not meet is looked for by a second one: only two in a row are an
un-like.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.books.credit import EARNS
from harvester.books.standing import UNLIKED
from harvester.collect.progress import Ending
from harvester.contest.campaigns import CampaignFacts
from harvester.store.kinds import Cause, EntryState, Keeps, SweepOutcome
from harvester.store.models import Entry, Observation, Sweep

_STILL_READ = (EntryState.OPEN, EntryState.MISSING)
_NOT_READ = "not read to its end since the contest's"
_NOT_CONFIRMED = "some likers were missing from its last sweep, and no second one has looked for them"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """A post that could not be read to its end since the campaign's, and why."""

    url: str
    connector: str
    reason: str
    cause: Cause | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unproven:
    """A post and how many of its credited likers the last whole list left out, though its number still counts them."""

    url: str
    likers: int


def still_read(session: Session, campaign: CampaignFacts) -> Sequence[Entry]:
    """Give the posts that a settlement asks about: those that are gone or removed keep what they earned."""
    is_open = (col(Entry.campaign_id) == campaign.id) & col(Entry.state).in_(_STILL_READ)
    return session.exec(select(Entry).where(is_open).order_by(col(Entry.id))).all()


def awaited(session: Session, campaign: CampaignFacts) -> Set[int | None]:
    """Name the entries that one more full sweep could bring nearer to their end."""
    return {entry.id for entry in _lacking(session, campaign)} | _missed_once(session, campaign)


def left_over(session: Session, campaign: CampaignFacts, tried: Mapping[int, Ending]) -> tuple[LeftOver, ...]:
    """Name the posts that are not read to their end, with what came of it when they were `tried` just now."""
    closing = _closing_sweeps(session, campaign)
    return tuple(
        _left_over(session, one, tried.get(one.id or 0), has_closed=one.id in closing)
        for one in _lacking(session, campaign)
    )


def unproven(session: Session, campaign: CampaignFacts) -> tuple[Unproven, ...]:
    """Say of whom nobody can tell whether they took their like back; nothing to say where a like counts for ever."""
    if campaign.rules.keeps is not Keeps.STANDING:
        return ()
    newest = select(func.max(Sweep.id)).where(Sweep.entry_id == Entry.id, _is_whole_of(campaign)).correlate(Entry)
    was_not_met = col(Observation.last_sweep_id) < newest.scalar_subquery()
    still_counts = (col(Observation.absences) < UNLIKED) & col(Observation.verdict).in_(EARNS)
    rows = session.exec(
        select(Entry.pasted_url, func.count())
        .join(Observation, col(Observation.entry_id) == Entry.id)
        .where(Entry.campaign_id == campaign.id, col(Entry.state).in_(_STILL_READ), was_not_met, still_counts)
        .group_by(col(Entry.id), Entry.pasted_url)
        .order_by(col(Entry.id))
    )
    return tuple(Unproven(url=url, likers=number) for url, number in rows)


def _lacking(session: Session, campaign: CampaignFacts) -> Sequence[Entry]:
    """Find the posts without their closing sweep, or without the second one that a missed liker asks for."""
    closing, doubtful = _closing_sweeps(session, campaign), _with_absent(session, campaign)
    return [one for one in still_read(session, campaign) if closing.get(one.id, 0) < 1 + (one.id in doubtful)]


def _left_over(session: Session, entry: Entry, ending: Ending | None, *, has_closed: bool) -> LeftOver:
    of_entry = select(Sweep).where(Sweep.entry_id == entry.id).order_by(col(Sweep.id).desc()).limit(1)
    last = ending or session.exec(of_entry).first()
    is_told = last is not None and last.outcome is not SweepOutcome.COMPLETE
    return LeftOver(
        url=entry.pasted_url,
        connector=entry.connector,
        reason=(last.reason if last and is_told else None) or (_NOT_CONFIRMED if has_closed else _NOT_READ),
        cause=last.cause if last and is_told else None,
    )


def _closing_sweeps(session: Session, campaign: CampaignFacts) -> Mapping[int | None, int]:
    """Count, by entry, the complete full sweeps that began after the campaign's end."""
    is_closing = (col(Sweep.started_at) >= campaign.rules.ends_at) & _is_whole_of(campaign)
    rows = select(Sweep.entry_id, func.count()).join(Entry, col(Entry.id) == Sweep.entry_id).where(is_closing)
    return dict(session.exec(rows.group_by(col(Sweep.entry_id))).all())


def _with_absent(session: Session, campaign: CampaignFacts) -> Mapping[int | None, int]:
    """Find the entries with credited likers who were missed once; give the newest sweep that still met one of them."""
    if campaign.rules.keeps is not Keeps.STANDING:
        return {}
    was_missed = (col(Observation.absences) == 1) & col(Observation.verdict).in_(EARNS)
    of_campaign = (col(Entry.campaign_id) == campaign.id) & col(Entry.state).in_(_STILL_READ)
    rows = select(Observation.entry_id, func.max(Observation.last_sweep_id)).join(Entry).where(of_campaign, was_missed)
    return dict(session.exec(rows.group_by(col(Observation.entry_id))).all())


def _missed_once(session: Session, campaign: CampaignFacts) -> Set[int | None]:
    """Find the entries where only one complete full sweep has looked for a liker who was missed."""
    missed = _with_absent(session, campaign)
    looked = select(Sweep.id).join(Entry, col(Entry.id) == Sweep.entry_id).where(_is_whole_of(campaign))
    return {
        entry
        for entry, met in missed.items()
        if len(session.exec(looked.where(Sweep.entry_id == entry, col(Sweep.id) > met).limit(2)).all()) < 2
    }


def _is_whole_of(campaign: CampaignFacts) -> Any:
    is_whole = (col(Sweep.outcome) == SweepOutcome.COMPLETE) & col(Sweep.is_full)
    return is_whole & (col(Entry.campaign_id) == campaign.id)
