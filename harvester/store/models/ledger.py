"""Accounts and the transfers between them."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from harvester.store.kinds import AccountKind
from harvester.store.models.words import word


class Account(SQLModel, table=True):
    """One side of transfers; `name` is its kind, with the association's slug where there is one per association."""

    __table_args__ = (UniqueConstraint("campaign_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    name: str
    kind: AccountKind = Field(sa_type=word(AccountKind))
    association_id: int | None = Field(default=None, foreign_key="association.id")


class Transfer(SQLModel, table=True):
    """Bytes moved from one account to another, once, for the cause its `key` names; never updated, never deleted.

    `likes` is how many likes a credit is for, under which `rate_id`, on which `entry_id`; `reverses_id` names the
    transfer this one takes back.
    """

    __table_args__ = (
        CheckConstraint("amount > 0", name="amount_is_positive"),
        CheckConstraint("debit_id <> credit_id", name="two_accounts"),
        Index("ix_transfer_campaign_entry", "campaign_id", "entry_id"),
        ForeignKeyConstraint(["reverses_id"], ["transfer.id"], name="fk_transfer_reverses"),
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    key: str = Field(unique=True)
    debit_id: int = Field(foreign_key="account.id", index=True)
    credit_id: int = Field(foreign_key="account.id", index=True)
    amount: int = Field(sa_type=BigInteger)
    likes: int = 0
    rate_id: int | None = Field(default=None, foreign_key="rate.id")
    entry_id: int | None = Field(default=None, foreign_key="entry.id")
    reverses_id: int | None = None
    reason: str
    author: str
    made_at: datetime
