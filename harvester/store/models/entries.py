"""Posts in a campaign, what every sweep of them found, and who was seen."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from harvester.connector import Basis
from harvester.store.kinds import Cause, EntryState, SweepOutcome, Verdict
from harvester.store.models.words import word


def _partial_index(name: str, *columns: str, where: str) -> Index:
    """Index some of the rows; a query finds it by the same words."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Entry(SQLModel, table=True):
    """A post in a campaign, under the platform's own id; `pasted_url` is what a person gave, `url` its located form.

    `credit_existing` holds the reason for crediting likes older than the first sweep, None when they are the baseline.
    `displayed` is the newest number the platform showed, None when it was never said or is hidden, and `displayed_at`
    when it was asked. `high_water` is the highest number already judged, where the number is what earns; None before
    the first one. `next_poll_at` is what the scheduler decided last, and `next_poll_reason` why.
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
    basis: Basis = Field(default=Basis.IDENTITY, sa_type=word(Basis))
    published_at: datetime | None = None
    credit_existing: str | None = None
    state: EntryState = Field(default=EntryState.OPEN, sa_type=word(EntryState))
    missing_since: datetime | None = None
    displayed: int | None = Field(default=None, sa_type=BigInteger)
    displayed_at: datetime | None = None
    high_water: int | None = Field(default=None, sa_type=BigInteger)
    next_poll_at: datetime | None = None
    next_poll_reason: str | None = None
    added_at: datetime


class Sweep(SQLModel, table=True):
    """One walk over an entry's likers, page by page; `outcome` is None while it runs or after a crash.

    While it is gone on with, `cause` and `reason` are those of the attempt before. `tries` are the attempts in a row
    that ended before the list did; one that stored a page begins to count anew, and one that we stopped does not count.
    `tried_from` is how many pages were stored before the newest attempt.

    Where only the number earns, a sweep is one reading of it. A walk may take several passes, each with another page
    size. The counters add up what the pages' transactions did:
    `listed` likers met, `new` of them for the first time, and what became of the new ones.
    """

    __table_args__ = (
        Index("ix_sweep_entry_id", "entry_id", "id"),
        Index("ix_sweep_sums", "entry_id", "id", "pages", "requests", "new", "unliked", "returned"),
        _partial_index("ix_sweep_shown", "entry_id", "displayed_after", where="displayed_after IS NOT NULL"),
        _partial_index("ix_sweep_not_shown", "entry_id", "touched_at", where="displayed_after IS NULL"),
        _partial_index("ix_sweep_spent", "touched_at", where="requests > 0"),
    )

    id: int | None = Field(default=None, primary_key=True)
    entry_id: int = Field(foreign_key="entry.id")
    is_full: bool
    started_at: datetime
    touched_at: datetime
    outcome: SweepOutcome | None = Field(default=None, sa_type=word(SweepOutcome))
    cause: Cause | None = Field(default=None, sa_type=word(Cause))
    reason: str | None = None
    resume_at: datetime | None = None
    cursor: str | None = None
    pass_number: int = 1
    tries: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    tried_from: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
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
    """The number a platform showed for an entry; every one is kept. `likes` is None when hidden.

    `sweep_id` is None for a glance: a number that was asked for only to know which lists are worth reading.
    """

    id: int | None = Field(default=None, primary_key=True)
    entry_id: int = Field(foreign_key="entry.id")
    sweep_id: int | None = Field(default=None, foreign_key="sweep.id")
    read_at: datetime
    likes: int | None = Field(default=None, sa_type=BigInteger)

    __table_args__ = (
        Index("ix_reading_entry_read_at", "entry_id", "read_at"),
        Index("ix_reading_entry_sweep", "entry_id", "sweep_id", "id"),
        _partial_index("ix_reading_glance", "read_at", where="sweep_id IS NULL"),
    )


class Hole(SQLModel, table=True):
    """A fact: a platform that lists only its newest likers listed nobody we knew, so some passed unseen.

    They passed between `since` and `found_at`; `unseen` is how many at least, by the displayed count, None where that
    was not said.
    """

    id: int | None = Field(default=None, primary_key=True)
    entry_id: int = Field(foreign_key="entry.id", index=True)
    sweep_id: int = Field(foreign_key="sweep.id")
    since: datetime
    found_at: datetime
    unseen: int | None = Field(default=None, sa_type=BigInteger)


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
    verdict: Verdict = Field(sa_type=word(Verdict))
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
