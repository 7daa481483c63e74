"""What a campaign's status is, as frozen values; their fields are the JSON that `status --json` promises."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.books.ledger import Balance, balances, shares
from harvester.collect.progress import held
from harvester.connector import Basis
from harvester.contest.campaigns import CampaignFacts
from harvester.store.kinds import AccountKind, EntryState, SweepOutcome
from harvester.store.models import Account, Association, Entrant, Entry, Sweep, Transfer


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

    `displayed` was asked at `displayed_at`; while likers found since then are not in it, the gap is unknown.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How many transfers there are; `root` is None until the tally is built over them."""

    size: int
    root: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """Everything `status` says of a campaign."""

    campaign: str
    state: str
    window: Window
    rate_bytes: int
    likes: Likes
    bytes: Bytes
    beneficiaries: tuple[Beneficiary, ...]
    entries: tuple[EntryView, ...]
    checkpoint: Checkpoint


def status_of(session: Session, campaign: CampaignFacts, now: datetime) -> StatusView:
    """Read a campaign's status from one moment of the database."""
    accounts = balances(session, campaign.id)
    rules = campaign.rules
    return StatusView(
        campaign=campaign.slug,
        state=campaign.state(now),
        window=Window(start=rules.starts_at, end=rules.ends_at, timezone=campaign.zone.key),
        rate_bytes=rules.rate_at(now).per_like.bytes,
        likes=_likes(session, campaign.id, accounts),
        bytes=_bytes(accounts),
        beneficiaries=_beneficiaries(session, campaign.id, accounts),
        entries=_entries(session, campaign.id),
        checkpoint=Checkpoint(size=_transfers(session, campaign.id), root=None),
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


def _entries(session: Session, campaign_id: int) -> tuple[EntryView, ...]:
    of_campaign = select(Entry).where(Entry.campaign_id == campaign_id).order_by(col(Entry.id))
    rows = session.exec(of_campaign).all()
    entrants = dict(session.exec(select(Entrant.id, Entrant.name).where(Entrant.campaign_id == campaign_id)).all())
    likers, newest, credited = (
        held(session, campaign_id),
        _newest(session, campaign_id),
        _credited(session, campaign_id),
    )
    outdated = _outdated(session, campaign_id)
    return tuple(
        _entry(
            row,
            entrants.get(row.entrant_id),
            likers=likers.get(row.id),
            newest=newest.get(row.id),
            credited=credited.get(row.id, 0),
            is_outdated=row.id in outdated,
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
    is_outdated: bool,
) -> EntryView:
    is_known = row.displayed is not None and likers is not None and not is_outdated
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
        next_poll_at=_next_poll_at(row, newest),
        next_poll_reason=row.next_poll_reason,
    )


def _next_poll_at(row: Entry, newest: Sweep | None) -> datetime | None:
    """Say when a post is read next: as the scheduler decided, but not within a pause that its platform asked for."""
    known = [instant for instant in (row.next_poll_at, newest.resume_at if newest else None) if instant]
    return max(known, default=None)


def _outdated(session: Session, campaign_id: int) -> Set[int | None]:
    """Find the entries where a sweep that asked for no count found likers after the count was asked."""
    asked_no_count = col(Sweep.displayed_after).is_(None) & (col(Sweep.is_full).is_(False)) & (Sweep.new > 0)
    rows = session.exec(
        select(Entry.id)
        .join(Sweep, col(Sweep.entry_id) == Entry.id)
        .where(Entry.campaign_id == campaign_id, asked_no_count, Sweep.touched_at > col(Entry.displayed_at))
    )
    return set(rows)


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


def _transfers(session: Session, campaign_id: int) -> int:
    return session.exec(select(func.count()).select_from(Transfer).where(Transfer.campaign_id == campaign_id)).one()
