"""The end of a campaign's count: what no longer stands is reversed, a floor topped up, and nothing credited after it.

The caller opens the session; everything is booked in its one transaction, or nothing is. The lock taken first waits
for credits that are on their way and keeps out later ones, which find the settlement and are refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlmodel import Session, select

from harvester.books.ledger import (
    balances,
    campaign_accounts,
    credited_bytes,
    distribute,
    lock_out_credits,
    reverse_likes,
    top_up,
)
from harvester.books.standing import Fallen, fallen_likes
from harvester.clock import Now
from harvester.collect.progress import Ending
from harvester.contest.campaigns import CampaignFacts, check_reason, find_campaign
from harvester.contest.closing import LeftOver, Unproven, left_over, still_read, unproven
from harvester.contest.times import write_time
from harvester.errors import UsageError
from harvester.store.kinds import AccountKind, Cause, Keeps, SweepOutcome
from harvester.store.models import Entry, Settlement
from harvester.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementResult:
    """What a settlement came to; while posts are left over that nobody accepted, nothing is booked.

    `unproven` are credited likes of which nobody can tell whether they still stand: they stay credited.
    """

    campaign: str
    is_settled: bool
    outcome: SweepOutcome
    left_over: tuple[LeftOver, ...]
    likes: int
    bytes: int
    reversed_likes: int
    reversed_bytes: int
    floor_bytes: int
    accepted_gap: str | None
    settled_at: datetime | None
    unproven: tuple[Unproven, ...] = ()


def check_may_settle(campaign: CampaignFacts, now: datetime, accept_gap: str | None) -> None:
    """Refuse to settle a campaign that still counts, or to accept a gap for no reason."""
    if accept_gap is not None:
        check_reason(accept_gap)
    if now < campaign.rules.ends_at:
        ends = write_time(campaign.rules.ends_at, campaign.zone)
        raise UsageError(f"campaign {campaign.slug!r} ends {ends}: it can be settled from then on")


def check_was_a_contest(session: Session, campaign: CampaignFacts) -> None:
    """Refuse to pay a floor, unasked, for a campaign that never had a post: its dates may be a slip of the hand."""
    if _is_floor_without_a_post(session, campaign):
        raise UsageError(
            f"campaign {campaign.slug!r} never had a post, yet guarantees {campaign.rules.floor}: "
            f'if that is meant, harvester campaign settle {campaign.slug} --accept-gap "why"'
        )


def _is_floor_without_a_post(session: Session, campaign: CampaignFacts) -> bool:
    any_post = select(Entry.id).where(Entry.campaign_id == campaign.id).limit(1)
    return campaign.rules.floor is not None and session.exec(any_post).first() is None


def settlement_of(session: Session, campaign: CampaignFacts) -> SettlementResult | None:
    """Give what a campaign was settled with, None while it is not."""
    row = session.exec(select(Settlement).where(Settlement.campaign_id == campaign.id)).one_or_none()
    return _result(session, campaign, row) if row else None


def settle_campaign(
    session: Session,
    campaign: CampaignFacts,
    tried: Mapping[int, Ending],
    *,
    author: str,
    accept_gap: str | None,
    now: Now,
) -> SettlementResult:
    """Book the end, unless posts are left over that nobody accepts; `tried` says how reading them just now ended.

    A post that another process is reading is never accepted: it only needs a moment.
    """
    lock_out_credits(session, campaign.id)
    if settled := settlement_of(session, campaign):
        return settled
    at = now()  # later than every credit that the lock waited for
    campaign = find_campaign(session, campaign.slug)  # its rate may have got a version meanwhile
    lacking = left_over(session, campaign, tried)
    if lacking and (accept_gap is None or any(one.cause is Cause.STOPPED for one in lacking)):
        return _not_settled(session, campaign, lacking)
    fallen = _reverse_fallen(session, campaign, author, at)
    floor = _reach_floor(session, campaign, author, at)
    distribute(session, campaign.id, reason="settled", author=author, at=at)
    row = Settlement(
        campaign_id=campaign.id,
        settled_at=at,
        author=author,
        likes=_likes(session, campaign.id),
        bytes=credited_bytes(session, campaign.id),
        reversed_likes=sum(one.likes for one in fallen),
        reversed_bytes=sum(one.bytes for one in fallen),
        floor_bytes=floor,
        accepted_gap=accept_gap if lacking or _is_floor_without_a_post(session, campaign) else None,
        left_over=msgspec.json.encode(lacking).decode() if lacking else None,
    )
    session.add(row)
    session.flush()
    return _result(session, campaign, row)


def _reverse_fallen(session: Session, campaign: CampaignFacts, author: str, now: datetime) -> tuple[Fallen, ...]:
    """Take back what no longer stands; what is pledged of it comes back into the pool first."""
    if campaign.rules.keeps is not Keeps.STANDING:
        return ()
    accounts = campaign_accounts(session, campaign.id)
    fallen = fallen_likes(session, accounts, campaign.rules, still_read(session, campaign))
    leaving = sum(one.bytes for one in fallen)
    if fallen:
        distribute(session, campaign.id, reason="to be reversed", author=author, at=now, leaving=leaving)
    for one in fallen:
        key = f"settlement:{campaign.id}:{one.credit.id}"
        reverse_likes(session, one.credit, one.likes, key=key, reason=one.reason, author=author, at=now)
    session.flush()
    return fallen


def _reach_floor(session: Session, campaign: CampaignFacts, author: str, now: datetime) -> int:
    """Add what a guaranteed floor still lacks; give how many bytes."""
    floor = campaign.rules.floor or Volume(0)
    lacking = floor.bytes - credited_bytes(session, campaign.id)
    if lacking <= 0:
        return 0
    accounts, reason = campaign_accounts(session, campaign.id), f"the contest guarantees {floor}"
    top_up(session, accounts, Volume(lacking), reason=reason, author=author, at=now)
    return lacking


def _likes(session: Session, campaign_id: int) -> int:
    return -next(one.likes for one in balances(session, campaign_id) if one.kind is AccountKind.SPONSOR)


def _not_settled(session: Session, campaign: CampaignFacts, lacking: tuple[LeftOver, ...]) -> SettlementResult:
    return SettlementResult(
        campaign=campaign.slug,
        is_settled=False,
        outcome=SweepOutcome.PARTIAL,
        left_over=lacking,
        likes=_likes(session, campaign.id),
        bytes=credited_bytes(session, campaign.id),
        reversed_likes=0,
        reversed_bytes=0,
        floor_bytes=0,
        accepted_gap=None,
        settled_at=None,
    )


def _result(session: Session, campaign: CampaignFacts, row: Settlement) -> SettlementResult:
    return SettlementResult(
        campaign=campaign.slug,
        is_settled=True,
        outcome=SweepOutcome.COMPLETE,
        left_over=msgspec.json.decode(row.left_over, type=tuple[LeftOver, ...]) if row.left_over else (),
        likes=row.likes,
        bytes=row.bytes,
        reversed_likes=row.reversed_likes,
        reversed_bytes=row.reversed_bytes,
        floor_bytes=row.floor_bytes,
        accepted_gap=row.accepted_gap,
        settled_at=row.settled_at,
        unproven=unproven(session, campaign),
    )
