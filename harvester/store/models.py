"""The tables. What happened is appended and never edited; triggers in the migrations refuse anything else.

Rows never leave the core: every room above gives frozen values. Volumes are 64-bit bytes, instants aware UTC.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Enum, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from harvester.connector import Basis
from harvester.store.kinds import AccountKind, EntryState, Keeps, SweepOutcome, UniquePer, Verdict


def _word(kind: type[StrEnum]) -> Any:
    """Store an enum as its word, the same on both databases."""
    return Enum(kind, native_enum=False, length=16, values_callable=lambda words: [word.value for word in words])


class Campaign(SQLModel, table=True):
    """A contest: half-open window [starts_at, ends_at), rules, and its key, sealed under the master key."""

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    name: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    keeps: Keeps = Field(default=Keeps.EVER, sa_type=_word(Keeps))
    unique_per: UniquePer = Field(default=UniquePer.POST, sa_type=_word(UniquePer))
    cap_bytes: int | None = Field(default=None, sa_type=BigInteger)
    sealed_key: bytes = Field(sa_type=LargeBinary)
    created_at: datetime


class Rate(SQLModel, table=True):
    """A version of the campaign's rate: what a like is worth from an instant on."""

    __table_args__ = (
        UniqueConstraint("campaign_id", "valid_from"),
        CheckConstraint("bytes_per_like > 0", name="rate_is_positive"),
    )

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    bytes_per_like: int = Field(sa_type=BigInteger)
    valid_from: datetime
    reason: str
    author: str
    made_at: datetime


class Association(SQLModel, table=True):
    """A beneficiary."""

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    name: str
    name_ar: str | None = None
    name_fr: str | None = None
    city: str
    region: str


class Allocation(SQLModel, table=True):
    """A decision: from now on this association's share is so many millionths; the newest one counts."""

    __table_args__ = (CheckConstraint("share_ppm BETWEEN 0 AND 1000000", name="share_is_a_part"),)

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", index=True)
    association_id: int = Field(foreign_key="association.id")
    share_ppm: int
    reason: str
    author: str
    made_at: datetime


class Entrant(SQLModel, table=True):
    """A contestant: whose posts compete."""

    __table_args__ = (UniqueConstraint("campaign_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    name: str


class Winner(SQLModel, table=True):
    """A decision: this entrant won."""

    __table_args__ = (UniqueConstraint("campaign_id", "entrant_id"),)

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    entrant_id: int = Field(foreign_key="entrant.id")
    reason: str
    author: str
    made_at: datetime


class Entry(SQLModel, table=True):
    """A post in a campaign, under the platform's own id; `pasted_url` is what a person gave, `url` its located form.

    `credit_existing` holds the reason for crediting likes older than the first sweep, None when they are the baseline.
    `displayed` is the newest number the platform showed, None when it was never said or is hidden. `high_water` is the
    highest number already judged, where the number is what earns; None before the first one.
    """

    __table_args__ = (UniqueConstraint("campaign_id", "realm", "native_id"),)

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    entrant_id: int | None = Field(default=None, foreign_key="entrant.id")
    connector: str
    realm: str
    native_id: str
    url: str
    pasted_url: str
    basis: Basis = Field(default=Basis.IDENTITY, sa_type=_word(Basis))
    published_at: datetime | None = None
    credit_existing: str | None = None
    state: EntryState = Field(default=EntryState.OPEN, sa_type=_word(EntryState))
    missing_since: datetime | None = None
    displayed: int | None = Field(default=None, sa_type=BigInteger)
    high_water: int | None = Field(default=None, sa_type=BigInteger)
    added_at: datetime


class Sweep(SQLModel, table=True):
    """One walk over an entry's likers, page by page; `outcome` is None while it runs or after a crash.

    Where only the number earns, a sweep is one reading of it. A walk may take several passes, each with another page
    size. The counters add up what the pages' transactions did:
    `listed` likers met, `new` of them for the first time, and what became of the new ones.
    """

    id: int | None = Field(default=None, primary_key=True)
    entry_id: int = Field(foreign_key="entry.id", index=True)
    is_full: bool
    started_at: datetime
    touched_at: datetime
    outcome: SweepOutcome | None = Field(default=None, sa_type=_word(SweepOutcome))
    reason: str | None = None
    resume_at: datetime | None = None
    cursor: str | None = None
    pass_number: int = 1
    pages: int = 0
    requests: int = 0
    displayed_before: int | None = Field(default=None, sa_type=BigInteger)
    displayed_after: int | None = Field(default=None, sa_type=BigInteger)
    listed: int = 0
    new: int = 0
    credited: int = 0
    uncertain: int = 0
    over_cap: int = 0
    baseline: int = 0
    late: int = 0
    repeated: int = 0
    unliked: int = 0
    returned: int = 0


class Reading(SQLModel, table=True):
    """The number a platform showed for an entry when a sweep asked; every one is kept. `likes` is None when hidden."""

    id: int | None = Field(default=None, primary_key=True)
    entry_id: int = Field(foreign_key="entry.id")
    sweep_id: int = Field(foreign_key="sweep.id")
    read_at: datetime
    likes: int | None = Field(default=None, sa_type=BigInteger)

    __table_args__ = (Index("ix_reading_entry_read_at", "entry_id", "read_at"),)


class Observation(SQLModel, table=True):
    """A liker of an entry, seen for the first time on a page of a sweep; the primary key makes one like one.

    `pseudonym` is 128 bits of HMAC-SHA-256 under the campaign's key. `absences` counts complete sweeps in a row
    without the liker: two are an un-like. `liked_at` is the time the platform or the liker's client gave (ISO 8601).
    """

    __table_args__ = ({"sqlite_with_rowid": False},)

    entry_id: int = Field(primary_key=True, foreign_key="entry.id")
    pseudonym: bytes = Field(primary_key=True, sa_type=LargeBinary)
    sweep_id: int = Field(foreign_key="sweep.id")
    page: int
    liked_at: str | None = None
    verdict: Verdict = Field(sa_type=_word(Verdict))
    last_sweep_id: int
    absences: int = 0


class Supporter(SQLModel, table=True):
    """A person who already counted in a campaign that takes one like per person."""

    __table_args__ = ({"sqlite_with_rowid": False},)

    campaign_id: int = Field(primary_key=True, foreign_key="campaign.id")
    pseudonym: bytes = Field(primary_key=True, sa_type=LargeBinary)


class SealedHandles(SQLModel, table=True):
    """The handles of one page's new likers, encrypted under the campaign's key, gone after `expires_at`."""

    __tablename__ = "sealed_handles"

    sweep_id: int = Field(primary_key=True, foreign_key="sweep.id")
    page: int = Field(primary_key=True)
    box: bytes = Field(sa_type=LargeBinary)
    expires_at: datetime = Field(index=True)


class Account(SQLModel, table=True):
    """One side of transfers; `name` is its kind, with the association's slug where there is one per association."""

    __table_args__ = (UniqueConstraint("campaign_id", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id")
    name: str
    kind: AccountKind = Field(sa_type=_word(AccountKind))
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


class StoredGrant(SQLModel, table=True):
    """What a person granted us on a platform: its tokens, sealed under the master key; `version` rises by renewal."""

    __tablename__ = "stored_grant"

    connector: str = Field(primary_key=True)
    box: bytes = Field(sa_type=LargeBinary)
    version: int = 1
    account: str = ""
    granted_at: datetime
    renewed_at: datetime
    expires_at: datetime | None = None


APPEND_ONLY = ("transfer", "rate", "allocation", "winner", "reading")
"""The tables whose rows no statement may change or remove."""
