"""What left the sponsors' accounts and what came back, added up without the accounts of everybody else."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.store.kinds import AccountKind
from harvester.store.models import Account, Transfer

CREDITED: Any = Transfer.debit_id
REVERSED: Any = Transfer.credit_id


def sponsor_sums(session: Session, campaign_ids: Collection[int], side: Any) -> Mapping[int, tuple[int, int]]:
    """Give, by campaign, the likes and the bytes of one side of its sponsor's account."""
    rows = session.exec(
        select(Account.campaign_id, func.sum(Transfer.likes), func.sum(Transfer.amount))
        .join(Transfer, col(Account.id) == side)
        .where(Account.kind == AccountKind.SPONSOR, col(Account.campaign_id).in_(campaign_ids))
        .group_by(col(Account.campaign_id))
    )
    return {campaign: (int(likes), int(amount)) for campaign, likes, amount in rows}
