"""Winners: contestants by what their posts earned, and the decision that names one."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func
from sqlmodel import Session, col, select

from harvester.contest.campaigns import CampaignFacts, check_reason
from harvester.errors import UsageError
from harvester.store.kinds import AccountKind
from harvester.store.models import Account, Entrant, Entry, Transfer, Winner


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A contestant's place: credited likes over all their posts, less what was reversed. Equal likes share a rank."""

    rank: int
    entrant: str
    likes: int
    posts: int
    is_winner: bool


def rank_entrants(session: Session, campaign: CampaignFacts) -> tuple[Standing, ...]:
    """Order the contestants by credited likes."""
    sponsor = select(Account.id).where(Account.campaign_id == campaign.id, Account.kind == AccountKind.SPONSOR)
    earned = case((col(Transfer.debit_id).in_(sponsor), Transfer.likes), else_=-col(Transfer.likes))
    likes = func.coalesce(func.sum(earned), 0)
    rows = session.exec(
        select(Entrant.id, Entrant.name, likes, func.count(func.distinct(Entry.id)))
        .join(Entry, col(Entry.entrant_id) == Entrant.id, isouter=True)
        .join(Transfer, col(Transfer.entry_id) == Entry.id, isouter=True)
        .where(Entrant.campaign_id == campaign.id)
        .group_by(col(Entrant.id), col(Entrant.name))
    ).all()
    winners = set(session.exec(select(Winner.entrant_id).where(Winner.campaign_id == campaign.id)))
    ordered = sorted(rows, key=lambda row: (-int(row[2]), row[1]))
    return tuple(
        Standing(
            rank=1 + sum(int(other[2]) > int(earned_likes) for other in ordered),
            entrant=name,
            likes=int(earned_likes),
            posts=posts,
            is_winner=number in winners,
        )
        for number, name, earned_likes, posts in ordered
    )


def assign_winner(
    session: Session, campaign: CampaignFacts, entrant: str, *, reason: str, author: str, now: datetime
) -> None:
    """Name a contestant the winner, with the reason."""
    check_reason(reason)
    known = {row.name: row.id for row in session.exec(select(Entrant).where(Entrant.campaign_id == campaign.id))}
    if entrant not in known:
        names = ", ".join(sorted(known)) or "none yet"
        raise UsageError(f"campaign {campaign.slug!r} has no contestant {entrant!r} (known: {names})")
    number = known[entrant]
    assert number is not None
    if session.exec(select(Winner.id).where(Winner.campaign_id == campaign.id, Winner.entrant_id == number)).first():
        raise UsageError(f"{entrant!r} is already a winner of {campaign.slug!r}")
    session.add(Winner(campaign_id=campaign.id, entrant_id=number, reason=reason, author=author, made_at=now))
