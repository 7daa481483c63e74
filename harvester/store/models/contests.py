"""What people decide: campaigns with their rules, associations and shares, winners, the settlement."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from harvester.store.kinds import Keeps, UniquePer
from harvester.store.models.words import word


class Campaign(SQLModel, table=True):
    """A contest: half-open window [starts_at, ends_at), rules, and its key, sealed under the master key."""

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    name: str
    starts_at: datetime
    ends_at: datetime
    timezone: str
    keeps: Keeps = Field(default=Keeps.EVER, sa_type=word(Keeps))
    unique_per: UniquePer = Field(default=UniquePer.POST, sa_type=word(UniquePer))
    cap_bytes: int | None = Field(default=None, sa_type=BigInteger)
    floor_bytes: int | None = Field(default=None, sa_type=BigInteger)
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


class Settlement(SQLModel, table=True):
    """The end of a campaign's count: what it came to, and what had to be accepted. No like is credited after it.

    `reversed_likes` and `reversed_bytes` are what `standing` took back, `floor_bytes` what a guarantee added;
    `accepted_gap` is the reason for which posts that could not be read to the end were accepted, named in `left_over`.
    """

    id: int | None = Field(default=None, primary_key=True)
    campaign_id: int = Field(foreign_key="campaign.id", unique=True)
    settled_at: datetime
    author: str
    likes: int = Field(sa_type=BigInteger)
    bytes: int = Field(sa_type=BigInteger)
    reversed_likes: int = Field(default=0, sa_type=BigInteger)
    reversed_bytes: int = Field(default=0, sa_type=BigInteger)
    floor_bytes: int = Field(default=0, sa_type=BigInteger)
    accepted_gap: str | None = None
    left_over: str | None = None
