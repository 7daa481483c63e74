"""What a campaign's status is, as frozen values; their fields are the JSON that `status --json` promises."""

from collections import defaultdict
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.books.ledger import Balance, balances, shares
from harvester.contest.campaigns import CampaignFacts
from harvester.report.posts import EntryView, LastSweep, entry_views
from harvester.store.kinds import AccountKind
from harvester.store.models import Association, Entry, Settlement, Sweep, Transfer

__all__ = (
    "Beneficiary",
    "Bytes",
    "Checkpoint",
    "EntryView",
    "LastSweep",
    "Likes",
    "SettlementView",
    "StatusView",
    "Window",
    "status_of",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When likes count: from `start` until just before `end`."""

    start: datetime
    end: datetime
    timezone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Likes:
    """What became of the likes; `uncertain` ones are among the `credited`."""

    credited: int
    uncertain: int
    quarantined: int
    reversed: int
    over_cap: int
    baseline: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Where the credited bytes are: `credited` is the sum of the others and of the quarantine."""

    credited: int
    pool: int
    pledged: int
    committed: int
    delivered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Beneficiary:
    """An association's part; `share` is a fraction of one."""

    association: str
    share: float
    pledged_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How many transfers there are; `root` is None until the tally is built over them."""

    size: int
    root: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementView:
    """The end of the count: what it came to, and the reason for which posts that could not be read were accepted."""

    settled_at: datetime
    author: str
    likes: int
    bytes: int
    reversed_likes: int
    reversed_bytes: int
    floor_bytes: int
    accepted_gap: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """Everything `status` says of a campaign, as it was `at` that instant."""

    at: datetime
    campaign: str
    state: str
    window: Window
    rate_bytes: int
    likes: Likes
    bytes: Bytes
    beneficiaries: tuple[Beneficiary, ...]
    entries: tuple[EntryView, ...]
    checkpoint: Checkpoint
    settlement: SettlementView | None = None


def status_of(session: Session, campaign: CampaignFacts, now: datetime) -> StatusView:
    """Read a campaign's status from one moment of the database."""
    accounts = balances(session, campaign.id)
    rules = campaign.rules
    return StatusView(
        at=now,
        campaign=campaign.slug,
        state=campaign.state(now),
        window=Window(start=rules.starts_at, end=rules.ends_at, timezone=campaign.zone.key),
        rate_bytes=rules.rate_at(now).per_like.bytes,
        likes=_likes(session, campaign.id, accounts),
        bytes=_bytes(accounts),
        beneficiaries=_beneficiaries(session, campaign.id, accounts),
        entries=entry_views(session, campaign.id, is_settled=rules.settled_at is not None),
        checkpoint=Checkpoint(size=_transfers(session, campaign.id), root=None),
        settlement=_settlement(session, campaign.id),
    )


def _likes(session: Session, campaign_id: int, accounts: tuple[Balance, ...]) -> Likes:
    uncertain, over_cap, baseline = session.exec(
        select(func.sum(Sweep.uncertain), func.sum(Sweep.over_cap), func.sum(Sweep.baseline))
        .join(Entry, col(Entry.id) == Sweep.entry_id)
        .where(Entry.campaign_id == campaign_id)
    ).one()
    by_kind = {one.kind: one for one in accounts}
    to_sponsor = select(func.coalesce(func.sum(Transfer.likes), 0)).where(
        Transfer.credit_id == by_kind[AccountKind.SPONSOR].account_id
    )
    return Likes(
        credited=-by_kind[AccountKind.SPONSOR].likes,
        uncertain=int(uncertain or 0),
        quarantined=by_kind[AccountKind.QUARANTINE].likes,
        reversed=int(session.exec(to_sponsor).one()),
        over_cap=int(over_cap or 0),
        baseline=int(baseline or 0),
    )


def _bytes(accounts: tuple[Balance, ...]) -> Bytes:
    by_kind: defaultdict[AccountKind, int] = defaultdict(int)
    for one in accounts:
        by_kind[one.kind] += one.bytes
    return Bytes(
        credited=-by_kind[AccountKind.SPONSOR],
        pool=by_kind[AccountKind.POOL],
        pledged=by_kind[AccountKind.PLEDGED],
        committed=by_kind[AccountKind.COMMITTED],
        delivered=by_kind[AccountKind.DELIVERED],
    )


def _beneficiaries(session: Session, campaign_id: int, accounts: tuple[Balance, ...]) -> tuple[Beneficiary, ...]:
    share = shares(session, campaign_id)
    pledged = {one.association_id: one.bytes for one in accounts if one.kind is AccountKind.PLEDGED}
    slugs = dict(session.exec(select(Association.id, Association.slug).where(col(Association.id).in_(pledged))).all())
    return tuple(
        Beneficiary(association=slugs[key], share=share.get(key, 0) / 1_000_000, pledged_bytes=amount)
        for key, amount in pledged.items()
        if key is not None and (key in share or amount)
    )


def _transfers(session: Session, campaign_id: int) -> int:
    return session.exec(select(func.count()).select_from(Transfer).where(Transfer.campaign_id == campaign_id)).one()


def _settlement(session: Session, campaign_id: int) -> SettlementView | None:
    row = session.exec(select(Settlement).where(Settlement.campaign_id == campaign_id)).one_or_none()
    if row is None:
        return None
    return SettlementView(**{field.name: getattr(row, field.name) for field in fields(SettlementView)})
