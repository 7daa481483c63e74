"""Reads posts through connectors that stay open, so that what a platform allows is counted over all its reads.

One dead post, revoked token or defect of a connector ends its own posts and no other.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import BoundedSemaphore, Lock
from types import TracebackType
from typing import Self

from sqlmodel import Session, col, select

from harvester.books.credit import Desk
from harvester.books.ledger import campaign_accounts
from harvester.collect.glances import glance
from harvester.collect.progress import Ending
from harvester.collect.readings import book_defect, read_entries
from harvester.collect.registry import Platform, open_platform
from harvester.collect.spending import Spending
from harvester.collect.sweep import DEFECT, STOPPED, Job, Stopped, sweep_entry
from harvester.connector import Basis, Connector, Post
from harvester.errors import HarvesterError, UsageError
from harvester.run.claims import Claims
from harvester.run.work import Work, batches_of, open_work, work_of
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.kinds import Cause, EntryState, SweepOutcome
from harvester.store.models import Sweep

__all__ = ["EntryResult", "Reader", "ShouldStop", "Work", "open_work"]

_MOST_DUTIES = 16
"""How many posts may be read at once beside the polls: each holds threads and connections to the database."""

_TAKEN_OUT = Ending(outcome=SweepOutcome.COMPLETE, reason="taken out of the contest")
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


class Reader:
    """Opens each connector once, when its first post is read; a context manager that closes them all.

    Who reads a list to its end claims its posts for that time, against the polls that share `claims`.
    """

    def __init__(self, at: Installation, claims: Claims | None = None) -> None:
        self.claims = claims or Claims()
        self._at = at
        self._seats = BoundedSemaphore(at.settings.sweep.threads + _MOST_DUTIES)
        self._stack = ExitStack()
        self._platforms: dict[str, Platform] = {}
        self._spending: dict[str, Spending] = {}
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
                self._spending[connector] = Spending(
                    self._at.database, platform.connector, platform.client, self._at.now
                )
            return self._platforms[connector]

    def batches(self, work: Sequence[Work]) -> Iterator[Sequence[Work]]:
        """Put together what one request can read, the servers taking turns."""
        names = {one.entry.connector for one in work}
        return batches_of(work, {name: self._connector(name) for name in names})

    def read(self, batch: Sequence[Work], *, wants_full: bool, should_stop: ShouldStop) -> dict[int, EntryResult]:
        """Read one batch and say by entry how that ended; raise `StoreError` when the database itself fails."""
        with ExitStack() as stack:
            if wants_full:
                stack.enter_context(self._claimed([one.entry_id for one in batch]))
            stack.enter_context(self._seats)
            if should_stop():
                return {one.entry_id: _unread(one, STOPPED) for one in batch}
            try:
                platform = self.platform(batch[0].entry.connector)
            except UsageError as error:
                ending = Ending(outcome=SweepOutcome.FAILED, reason=str(error))
                return {one.entry_id: _unread(one, ending) for one in batch}
            stack.enter_context(self._counted(batch))
            return self._read(platform, batch, wants_full=wants_full, should_stop=should_stop)

    def glance(self, work: Sequence[Work]) -> None:
        """Look at the counts of posts that one request shows."""
        platform = self.platform(work[0].entry.connector)
        with self._seats, self._counted(work):
            glance(self._at.database, platform, [one.entry for one in work], now=self._at.now)

    def _connector(self, name: str) -> Connector | None:
        """Give an open connector, or None for one that does not open: reading its posts says why."""
        try:
            return self.platform(name).connector
        except UsageError:
            return None

    @contextmanager
    def _counted(self, batch: Sequence[Work]) -> Iterator[None]:
        """Count first what other processes have asked of this connector; what is asked in this block is our own."""
        spending = self._spending[batch[0].entry.connector]
        spending.recount()
        with spending.own([one.entry_id for one in batch]):
            yield

    @contextmanager
    def _claimed(self, entry_ids: Collection[int]) -> Iterator[None]:
        """Keep polls off these posts, and begin when they have ended."""
        with self.claims.claim(entry_ids) as polled:
            self.claims.wait_for(polled)
            yield

    def _read(
        self, platform: Platform, batch: Sequence[Work], *, wants_full: bool, should_stop: ShouldStop
    ) -> dict[int, EntryResult]:
        """Read what of a batch is still in its contest, by the rules of now: it may have been planned hours ago."""
        with self._at.database.reading() as session:
            wanted = [one for one in work_of(session, [one.entry_id for one in batch]) if not _is_removed(one)]
        results = {one.entry_id: _unread(one, _TAKEN_OUT) for one in batch}
        if wanted:
            endings = _endings(self._at, platform, wanted, wants_full=wants_full, should_stop=should_stop)
            results |= {one.entry_id: _result(self._at.database, one, endings[one.entry_id]) for one in wanted}
        return results


def _endings(
    at: Installation, platform: Platform, batch: Sequence[Work], *, wants_full: bool, should_stop: ShouldStop
) -> Mapping[int, Ending]:
    try:
        jobs = [_job(at, one, platform, should_stop) for one in batch]
        if batch[0].entry.basis is Basis.COUNT:
            return read_entries(jobs)
        return {job.entry_id: sweep_entry(job, wants_full=wants_full) for job in jobs}
    except HarvesterError:
        raise
    except Stopped:
        return {one.entry_id: STOPPED for one in batch}
    except Exception:
        log.exception("reading %s broke off", ", ".join(one.entry.url for one in batch))
        return _broken_off(at, batch)


def _broken_off(at: Installation, batch: Sequence[Work]) -> Mapping[int, Ending]:
    """Say that a defect ended these entries; a list's sweep has recorded that itself."""
    entry_ids = [one.entry_id for one in batch]
    if batch[0].entry.basis is Basis.COUNT:
        book_defect(at.database, entry_ids, at.now())
    return dict.fromkeys(entry_ids, DEFECT)


def _is_removed(work: Work) -> bool:
    return work.entry.state is EntryState.REMOVED


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


def _newest_sweep(session: Session, entry_id: int) -> Sweep | None:
    newest_first = select(Sweep).where(Sweep.entry_id == entry_id).order_by(col(Sweep.id).desc())
    return session.exec(newest_first.limit(1)).first()


def _result(database: Database, work: Work, ending: Ending) -> EntryResult:
    result = _unread(work, ending)
    with database.reading() as session:
        sweep = _newest_sweep(session, work.entry_id)
    if sweep is None:
        return result
    credited = sweep.credited + sweep.uncertain
    return replace(result, pages=sweep.pages, requests=sweep.requests, new=sweep.new, credited=credited)


def _unread(work: Work, ending: Ending) -> EntryResult:
    """Say how it ended for a post of which nothing was asked."""
    return EntryResult(
        campaign=work.campaign.slug,
        url=work.entry.pasted_url,
        connector=work.entry.connector,
        outcome=ending.outcome,
        cause=ending.cause,
        reason=ending.reason,
        resume_at=ending.resume_at,
        pages=0,
        requests=0,
        new=0,
        credited=0,
    )
