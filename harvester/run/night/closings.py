"""What a night's sweeps were good for: closing readings of ended campaigns, and un-likes that want a second look."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.books.ledger import balances
from harvester.contest.campaigns import CampaignFacts, find_campaign
from harvester.run.night.summary import CampaignNight
from harvester.run.reader import EntryResult
from harvester.store.kinds import AccountKind, SweepOutcome
from harvester.store.models import Account, Entry, Observation, Sweep, Transfer

A_DAY = timedelta(days=1)


def unconfirmed(session: Session, entry_ids: Collection[int]) -> set[int]:
    """Find the posts where somebody was absent once: a second complete sweep in a row makes that an un-like."""
    is_absent = col(Observation.entry_id) == Entry.id, col(Observation.absences) == 1
    rows = session.exec(
        select(Entry.id).where(col(Entry.id).in_(entry_ids), select(Observation).where(*is_absent).exists())
    )
    return {entry_id for entry_id in rows if entry_id is not None}


def campaign_nights(
    session: Session, slugs: Iterable[str], results: Sequence[EntryResult], *, since: datetime, now: datetime
) -> tuple[CampaignNight, ...]:
    """Say by campaign what was done in the night that began at `since`."""
    return tuple(_campaign_night(session, find_campaign(session, slug), results, since, now) for slug in slugs)


def _campaign_night(
    session: Session, campaign: CampaignFacts, results: Sequence[EntryResult], since: datetime, now: datetime
) -> CampaignNight:
    own, ends_at = [one for one in results if one.campaign == campaign.slug], campaign.rules.ends_at
    sponsor = next(one for one in balances(session, campaign.id) if one.kind is AccountKind.SPONSOR)
    return CampaignNight(
        campaign=campaign.slug,
        state=campaign.state(now),
        posts=len(own),
        complete=sum(one.outcome is SweepOutcome.COMPLETE for one in own),
        credited=_credited(session, campaign.id, since),
        likes=-sponsor.likes,
        bytes=-sponsor.bytes,
        closing=_first_full(session, campaign.id, ends_at, since),
        late_closing=_first_full(session, campaign.id, ends_at + A_DAY, since),
    )


def _first_full(session: Session, campaign_id: int, edge: datetime, since: datetime) -> int:
    """Count the posts whose first complete full sweep begun from `edge` on came to its end from `since` on."""
    firsts = (
        select(Sweep.entry_id)
        .join(Entry, col(Entry.id) == Sweep.entry_id)
        .where(Entry.campaign_id == campaign_id, Sweep.started_at >= edge)
        .where(Sweep.outcome == SweepOutcome.COMPLETE, col(Sweep.is_full).is_(True))
        .group_by(col(Sweep.entry_id))
        .having(func.min(Sweep.touched_at) >= since)
    )
    return len(session.exec(firsts).all())


def _credited(session: Session, campaign_id: int, since: datetime) -> int:
    """Sum the likes credited since; what was reversed is told with the settlement."""
    query = (
        select(func.coalesce(func.sum(Transfer.likes), 0))
        .join(Account, col(Account.id) == Transfer.debit_id)
        .where(Account.campaign_id == campaign_id, Account.kind == AccountKind.SPONSOR, Transfer.made_at >= since)
    )
    return int(session.exec(query).one())
