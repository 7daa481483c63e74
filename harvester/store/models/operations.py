"""What the installation itself keeps: nights, alerts, and the grants it may use."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary
from sqlmodel import Field, SQLModel

from harvester.store.kinds import SweepOutcome
from harvester.store.models.words import word


class Night(SQLModel, table=True):
    """A nightly job that came to its end: how, and its summary as JSON."""

    id: int | None = Field(default=None, primary_key=True)
    started_at: datetime
    ended_at: datetime
    outcome: SweepOutcome = Field(sa_type=word(SweepOutcome))
    summary: str


class Alert(SQLModel, table=True):
    """Something a person should know: raised once, sent once, and when it is over, said so once.

    `kind` is its kind and `subject` what it is about; while one is open, the same is not raised again. A milestone has
    no end: it is over at once.
    """

    __table_args__ = (Index("ix_alert_kind_subject", "kind", "subject"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: str
    subject: str
    message: str
    remedy: str = ""
    raised_at: datetime
    sent_at: datetime | None = None
    recovered_at: datetime | None = None
    recovery_sent_at: datetime | None = None


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
