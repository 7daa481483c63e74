"""Reads posts through connectors that stay open, so that what a platform allows is counted over all its reads.

One dead post, revoked token or defect of a connector ends its own posts and no other.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from types import TracebackType
from typing import Self

from sqlmodel import Session, col, select

from harvester.books.credit import Desk
from harvester.books.ledger import campaign_accounts
from harvester.collect.progress import Ending
from harvester.collect.readings import book_defect, read_entries
from harvester.collect.registry import Platform, open_platform
from harvester.collect.sweep import STOPPED, Job, Stopped, sweep_entry
from harvester.connector import Basis, Post
from harvester.contest.campaigns import CampaignFacts
from harvester.errors import HarvesterError
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.kinds import Cause, EntryState, SweepOutcome
from harvester.store.models import Entry, Sweep

_DEFECT = "an error in harvester or the connector: see the log"
_POLLED = (EntryState.OPEN, EntryState.MISSING)
log = logging.getLogger(__name__)

ShouldStop = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryResult:
    """How one entry's sweep ended and what it added; the numbers are those of the whole sweep, resumed or not."""

    campaign: str
    url: str
    connector: str
    outcome: SweepOutcome
    cause: Cause | None
    reason: str | None
    resume_at: datetime | None
    pages: int
    requests: int
    new: int
    credited: int


@dataclass(frozen=True, slots=True)
class Work:
    """A post to read, and the campaign it counts in."""

    campaign: CampaignFacts
    entry: Entry

    @property
    def entry_id(self) -> int:
        assert self.entry.id is not None
        return self.entry.id


def open_work(session: Session, campaign: CampaignFacts) -> Sequence[Work]:
    """Give the posts of a campaign that are still read."""
    polled = col(Entry.state).in_(_POLLED)
    rows = session.exec(select(Entry).where(Entry.campaign_id == campaign.id, polled).order_by(col(Entry.id)))
    return [Work(campaign, entry) for entry in rows]


class Reader:
    """Opens each connector once, when its first post is read; a context manager that closes them all."""

    def __init__(self, at: Installation) -> None:
        self._at = at
        self._stack = ExitStack()
        self._platforms: dict[str, Platform] = {}
        self._opening = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def platform(self, connector: str) -> Platform:
        """Give an open connector; `ConfigError` when its settings are wrong."""
        with self._opening:
            if connector not in self._platforms:
                platform = open_platform(self._at, connector)
                self._stack.enter_context(platform.client)
                self._platforms[connector] = platform
            return self._platforms[connector]

    def batches(self, work: Sequence[Work]) -> Iterator[Sequence[Work]]:
        """Put together what one request can read: a list of likers is one post, numbers come many at a time."""
        yield from ([one] for one in work if one.entry.basis is Basis.IDENTITY)
        counted: defaultdict[tuple[str, str], list[Work]] = defaultdict(list)
        for one in work:
            if one.entry.basis is Basis.COUNT:
                counted[one.entry.connector, one.entry.realm].append(one)
        for (connector, _), group in counted.items():
            size = self.platform(connector).connector.traits.batch_max
            yield from (group[start : start + size] for start in range(0, len(group), size))

    def read(self, batch: Sequence[Work], *, wants_full: bool, should_stop: ShouldStop) -> dict[int, EntryResult]:
        """Read one batch and say by entry how that ended; raise `StoreError` when the database itself fails."""
        if should_stop():
            return {one.entry_id: _result(self._at.database, one, STOPPED) for one in batch}
        endings: Mapping[int, Ending]
        try:
            platform = self.platform(batch[0].entry.connector)
            jobs = [_job(self._at, one, platform, should_stop) for one in batch]
            if batch[0].entry.basis is Basis.COUNT:
                endings = read_entries(jobs)
            else:
                endings = {job.entry_id: sweep_entry(job, wants_full=wants_full) for job in jobs}
        except HarvesterError:
            raise
        except Stopped:
            endings = {one.entry_id: STOPPED for one in batch}
        except Exception:
            log.exception("reading %s broke off", ", ".join(one.entry.url for one in batch))
            endings = _broken_off(self._at, batch)
        return {one.entry_id: _result(self._at.database, one, endings[one.entry_id]) for one in batch}


def _broken_off(at: Installation, batch: Sequence[Work]) -> Mapping[int, Ending]:
    """Say that a defect ended these entries; a list's sweep, still open, tells by itself where it stopped."""
    entry_ids = [one.entry_id for one in batch]
    if batch[0].entry.basis is Basis.COUNT:
        return book_defect(at.database, entry_ids, _DEFECT, at.now())
    ending = Ending(outcome=SweepOutcome.FAILED, reason=_DEFECT, cause=Cause.DEFECT)
    return dict.fromkeys(entry_ids, ending)


def _job(at: Installation, work: Work, platform: Platform, should_stop: ShouldStop) -> Job:
    campaign, entry = work.campaign, work.entry
    key = at.master.open_campaign_key(campaign.sealed_key, campaign.slug)
    with at.database.reading() as session:
        accounts = campaign_accounts(session, campaign.id)
    kept, allowed = timedelta(days=at.settings.privacy.handle_days), platform.connector.traits.handle_retention
    desk = Desk(
        entry_id=work.entry_id,
        accounts=accounts,
        rules=campaign.rules,
        seal=key.seal if kept and allowed else None,
        handles_expire_at=min(campaign.rules.ends_at + kept, at.now() + (allowed or kept)),
    )
    return Job(
        database=at.database,
        platform=platform,
        post=Post(platform=entry.connector, native_id=entry.native_id, realm=entry.realm, url=entry.url),
        desk=desk,
        key=key,
        published_at=entry.published_at,
        credits_existing=entry.credit_existing is not None,
        now=at.now,
        should_stop=should_stop,
    )


def _result(database: Database, work: Work, ending: Ending) -> EntryResult:
    newest_first = select(Sweep).where(Sweep.entry_id == work.entry_id).order_by(col(Sweep.id).desc())
    with database.reading() as session:
        sweep = session.exec(newest_first.limit(1)).first()
    return EntryResult(
        campaign=work.campaign.slug,
        url=work.entry.pasted_url,
        connector=work.entry.connector,
        outcome=ending.outcome,
        cause=ending.cause,
        reason=ending.reason,
        resume_at=ending.resume_at,
        pages=sweep.pages if sweep else 0,
        requests=sweep.requests if sweep else 0,
        new=sweep.new if sweep else 0,
        credited=sweep.credited + sweep.uncertain if sweep else 0,
    )
