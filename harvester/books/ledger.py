"""The ledger: transfers between a campaign's accounts, and the balances they add up to.

After TigerBeetle's discipline, a transfer moves a positive number of bytes once, for the cause its key names, and is
never changed: a correction is the opposite transfer. The sponsor's account is where credits come from, so all balances
of a campaign sum to zero.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert
from sqlmodel import Session, SQLModel, col, select

from harvester.errors import UsageError
from harvester.store.kinds import AccountKind
from harvester.store.models import Account, Allocation, Association, Campaign, Transfer
from harvester.volume import Volume, split

WHOLE_PPM = 1_000_000
_INSERT_TRANSFER = insert(SQLModel.metadata.tables["transfer"])
CAMPAIGN_WIDE = (AccountKind.SPONSOR, AccountKind.POOL, AccountKind.QUARANTINE)
_PER_ASSOCIATION = (AccountKind.PLEDGED, AccountKind.COMMITTED, AccountKind.DELIVERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account received less what it gave: bytes, and the likes they were credited for."""

    account_id: int
    name: str
    kind: AccountKind
    association_id: int | None
    bytes: int
    likes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignAccounts:
    """The two accounts of a campaign that every credit moves between."""

    campaign_id: int
    sponsor_id: int
    pool_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """So many likes of one entry, worth `per_like` each under the rate version `rate_id`."""

    likes: int
    per_like: Volume
    rate_id: int
    entry_id: int


def open_campaign_accounts(session: Session, campaign_id: int) -> None:
    """Open the accounts every campaign has."""
    session.add_all(Account(campaign_id=campaign_id, name=kind, kind=kind) for kind in CAMPAIGN_WIDE)
    session.flush()


def open_association_accounts(session: Session, campaign_id: int, association: Association) -> None:
    """Open the accounts a beneficiary has in a campaign, if it has none yet."""
    names = {kind: f"{kind}:{association.slug}" for kind in _PER_ASSOCIATION}
    known = session.exec(select(Account.name).where(Account.campaign_id == campaign_id)).all()
    session.add_all(
        Account(campaign_id=campaign_id, name=name, kind=kind, association_id=association.id)
        for kind, name in names.items()
        if name not in known
    )
    session.flush()


def campaign_accounts(session: Session, campaign_id: int) -> CampaignAccounts:
    """Find the two accounts that every credit moves between."""
    wanted = select(Account.kind, Account.id).where(Account.campaign_id == campaign_id)
    ids = {kind: number for kind, number in session.exec(wanted) if kind in CAMPAIGN_WIDE}
    return CampaignAccounts(
        campaign_id=campaign_id, sponsor_id=ids[AccountKind.SPONSOR] or 0, pool_id=ids[AccountKind.POOL] or 0
    )


def lock_campaign(session: Session, campaign_id: int) -> None:
    """Let only one transaction at a time decide on a campaign's totals (SQLite lets in only one anyway)."""
    session.exec(select(Campaign.id).where(Campaign.id == campaign_id).with_for_update(key_share=True)).one()


def lock_out_credits(session: Session, campaign_id: int) -> None:
    """Wait for the credits that are being booked, and let no further one in before this transaction ends.

    Stronger than `lock_campaign`: on PostgreSQL it shuts out the shared lock by which every transfer refers to its
    campaign. On SQLite whoever writes is alone.
    """
    session.exec(select(Campaign.id).where(Campaign.id == campaign_id).with_for_update()).one()


def credit_likes(session: Session, accounts: CampaignAccounts, credit: Credit, *, key: str, at: datetime) -> None:
    """Book what likes earn: from the sponsor into the campaign's pool."""
    row = {
        "campaign_id": accounts.campaign_id,
        "key": key,
        "debit_id": accounts.sponsor_id,
        "credit_id": accounts.pool_id,
        "amount": (credit.per_like * credit.likes).bytes,
        "likes": credit.likes,
        "rate_id": credit.rate_id,
        "entry_id": credit.entry_id,
        "reason": "likes",
        "author": "harvester",
        "made_at": at,
    }
    session.connection().execute(_INSERT_TRANSFER, row)


def reverse(session: Session, key: str, *, reason: str, author: str, at: datetime) -> None:
    """Take back what is left of a transfer by the opposite one; where nothing is left, that is refused."""
    original = session.exec(select(Transfer).where(Transfer.key == key)).one_or_none()
    if original is None:
        raise UsageError(f"there is no transfer {key!r}")
    taken = func.coalesce(func.sum(Transfer.amount), 0), func.coalesce(func.sum(Transfer.likes), 0)
    amount, likes = session.exec(select(*taken).where(Transfer.reverses_id == original.id)).one()
    if amount >= original.amount:
        raise UsageError(f"transfer {key!r} is already reversed")
    opposite = _opposite(original, original.amount - int(amount), original.likes - int(likes))
    if original.rate_id is not None:  # a credit: what is pledged of it comes back into the pool first
        leaving = original.amount - int(amount)
        distribute(session, original.campaign_id, reason="to be reversed", author=author, at=at, leaving=leaving)
    session.add(Transfer(**opposite, key=f"reversal:{original.id}", reason=reason, author=author, made_at=at))


def reverse_likes(
    session: Session, original: Transfer, likes: int, *, key: str, reason: str, author: str, at: datetime
) -> None:
    """Take back so many of the likes that a transfer credited, at its own rate."""
    opposite = _opposite(original, original.amount // original.likes * likes, likes)
    session.add(Transfer(**opposite, key=key, reason=reason, author=author, made_at=at))


def standing_credits(session: Session, accounts: CampaignAccounts, entry_id: int) -> list[tuple[Transfer, int]]:
    """Give the credits of an entry, oldest first, each with how many of its likes are not reversed."""
    of_entry = (col(Transfer.campaign_id) == accounts.campaign_id) & (col(Transfer.entry_id) == entry_id)
    taken = select(Transfer.reverses_id, func.sum(Transfer.likes)).where(of_entry).group_by(col(Transfer.reverses_id))
    reversed_of = dict(session.exec(taken).all())
    earned = select(Transfer).where(of_entry, Transfer.debit_id == accounts.sponsor_id).order_by(col(Transfer.id))
    return [(one, one.likes - int(reversed_of.get(one.id, 0))) for one in session.exec(earned)]


def top_up(
    session: Session, accounts: CampaignAccounts, amount: Volume, *, reason: str, author: str, at: datetime
) -> None:
    """Add what a guarantee promised beyond what likes earned: from the sponsor into the pool, once a campaign."""
    session.add(
        Transfer(
            campaign_id=accounts.campaign_id,
            key=f"floor:{accounts.campaign_id}",
            debit_id=accounts.sponsor_id,
            credit_id=accounts.pool_id,
            amount=amount.bytes,
            reason=reason,
            author=author,
            made_at=at,
        )
    )
    session.flush()


def _opposite(original: Transfer, amount: int, likes: int) -> dict[str, Any]:
    return {
        "campaign_id": original.campaign_id,
        "debit_id": original.credit_id,
        "credit_id": original.debit_id,
        "amount": amount,
        "likes": likes,
        "rate_id": original.rate_id,
        "entry_id": original.entry_id,
        "reverses_id": original.id,
    }


def balances(session: Session, campaign_id: int) -> tuple[Balance, ...]:
    """Recompute every account of a campaign from its transfers."""
    received, gave = _sums(session, campaign_id, "credit_id"), _sums(session, campaign_id, "debit_id")
    accounts = session.exec(select(Account).where(Account.campaign_id == campaign_id).order_by(col(Account.id)))
    return tuple(
        Balance(
            account_id=account.id or 0,
            name=account.name,
            kind=account.kind,
            association_id=account.association_id,
            bytes=received.get(account.id, (0, 0))[0] - gave.get(account.id, (0, 0))[0],
            likes=received.get(account.id, (0, 0))[1] - gave.get(account.id, (0, 0))[1],
        )
        for account in accounts
    )


def credited_bytes(session: Session, campaign_id: int) -> int:
    """Say what the sponsor owes: everything credited, less what was reversed."""
    return -next(one.bytes for one in balances(session, campaign_id) if one.kind is AccountKind.SPONSOR)


def shares(session: Session, campaign_id: int) -> dict[int, int]:
    """Give each association's share in millionths: its newest allocation, those at zero left out."""
    rows = session.exec(
        select(Allocation.association_id, Allocation.share_ppm)
        .where(Allocation.campaign_id == campaign_id)
        .order_by(col(Allocation.id))
    )
    return {association: share for association, share in dict(rows.all()).items() if share}


def distribute(session: Session, campaign_id: int, *, reason: str, author: str, at: datetime, leaving: int = 0) -> int:
    """Move what is credited to where the shares say it belongs, to the byte; give how many transfers that took.

    The part no association has a share in stays in the pool, and so do the bytes that are `leaving`: what is to be
    reversed next. Each call aims at the split of the whole, so that many small distributions end where one large one
    would.
    """
    lock_campaign(session, campaign_id)
    everything = balances(session, campaign_id)
    pool = next(one for one in everything if one.kind is AccountKind.POOL)
    pledged = {one.association_id: one.account_id for one in everything if one.kind is AccountKind.PLEDGED}
    held: Counter[int] = Counter()
    for one in everything:
        if one.association_id:
            held[one.association_id] += one.bytes
    targets = _targets(shares(session, campaign_id), pool.bytes + held.total() - leaving)
    moves = [(pledged[there], targets.get(there, 0) - have) for there, have in held.items()]
    due = sorted(((there, move) for there, move in moves if move), key=lambda pair: pair[1])
    serial = session.exec(select(func.count()).select_from(Transfer).where(Transfer.campaign_id == campaign_id)).one()
    session.add_all(
        Transfer(
            campaign_id=campaign_id,
            key=f"share:{campaign_id}:{number}",
            debit_id=pool.account_id if move > 0 else there,
            credit_id=there if move > 0 else pool.account_id,
            amount=abs(move),
            reason=reason,
            author=author,
            made_at=at,
        )
        for number, (there, move) in enumerate(due, start=serial + 1)
    )
    session.flush()
    return len(due)


def _targets(by_association: dict[int, int], total: int) -> dict[int, int]:
    unassigned = WHOLE_PPM - sum(by_association.values())
    parts = split(max(total, 0), [*by_association.values(), unassigned])
    return dict(zip(by_association, parts, strict=False))


def _sums(session: Session, campaign_id: int, side: str) -> dict[int | None, tuple[int, int]]:
    account = getattr(Transfer, side)
    rows: Iterable[tuple[int, int, int]] = session.exec(
        select(account, func.sum(Transfer.amount), func.sum(Transfer.likes))
        .where(col(Transfer.campaign_id) == campaign_id)
        .group_by(account)
    ).all()
    return {found: (int(amount), int(likes)) for found, amount, likes in rows}
