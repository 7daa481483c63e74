"""One pass over the posts of some campaigns: lists and numbers side by side, then credits follow to the associations.

One dead post or revoked token never stops the others; each entry ends with its own outcome.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event

from sqlalchemy import delete
from sqlmodel import Session, col, select

from harvester.books.credit import Desk
from harvester.books.ledger import campaign_accounts, distribute
from harvester.collect.progress import Ending
from harvester.collect.readings import book_defect, read_entries
from harvester.collect.registry import Platform, open_platforms
from harvester.collect.sweep import Job, sweep_entry
from harvester.connector import Basis, Post
from harvester.contest.campaigns import CampaignFacts
from harvester.errors import HarvesterError
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.kinds import EntryState, SweepOutcome
from harvester.store.models import Entry, SealedHandles, Sweep

_DEFECT = "an error in harvester or the connector: see the log"
_POLLED = (EntryState.OPEN, EntryState.MISSING)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryResult:
    """How one entry's sweep ended and what it added; the numbers are those of the whole sweep, resumed or not."""

    campaign: str
    url: str
    connector: str
    outcome: SweepOutcome
    reason: str | None
    resume_at: datetime | None
    pages: int
    requests: int
    new: int
    credited: int


@dataclass(frozen=True, slots=True)
class _Work:
    campaign: CampaignFacts
    entry: Entry


def poll(
    at: Installation,
    campaigns: Sequence[CampaignFacts],
    *,
    wants_full: bool,
    on_done: Callable[[EntryResult], None] | None = None,
) -> tuple[EntryResult, ...]:
    """Read every open entry of the campaigns once; raise `StoreError` when the database itself fails."""
    stopping = Event()
    with at.database.reading() as session:
        work = [_Work(campaign, entry) for campaign in campaigns for entry in _open_entries(session, campaign.id)]
    with ExitStack() as stack:
        platforms = open_platforms(at, {one.entry.connector for one in work}, stack)
        executor = stack.enter_context(ThreadPoolExecutor(at.settings.sweep.threads, thread_name_prefix="sweep"))
        futures = [
            executor.submit(
                _read_together,
                at,
                batch,
                platforms[batch[0].entry.connector],
                wants_full=wants_full,
                stop=stopping,
            )
            for batch in _batches(work, platforms)
        ]
        results: dict[int | None, EntryResult] = {}
        try:
            for future in futures:
                for number, result in future.result().items():
                    results[number] = result
                    if on_done:
                        on_done(result)
        except BaseException:
            stopping.set()
            executor.shutdown(cancel_futures=True)
            raise
    _follow_up(at, campaigns)
    return tuple(results[one.entry.id] for one in work)


def overall(outcomes: Iterable[SweepOutcome]) -> SweepOutcome:
    """Sum up: complete if all are, failed if all failed, else partial."""
    kinds = set(outcomes) or {SweepOutcome.COMPLETE}
    return kinds.pop() if len(kinds) == 1 else SweepOutcome.PARTIAL


def _open_entries(session: Session, campaign_id: int) -> Sequence[Entry]:
    polled = col(Entry.state).in_(_POLLED)
    return session.exec(select(Entry).where(Entry.campaign_id == campaign_id, polled).order_by(col(Entry.id))).all()


def _batches(work: Sequence[_Work], platforms: Mapping[str, Platform]) -> Iterator[Sequence[_Work]]:
    """Put together what one request can read: a list of likers is one post, numbers come many at a time."""
    yield from ([one] for one in work if one.entry.basis is Basis.IDENTITY)
    counted: defaultdict[tuple[str, str], list[_Work]] = defaultdict(list)
    for one in work:
        if one.entry.basis is Basis.COUNT:
            counted[one.entry.connector, one.entry.realm].append(one)
    for (connector, _), group in counted.items():
        size = platforms[connector].connector.traits.batch_max
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _read_together(
    at: Installation, batch: Sequence[_Work], platform: Platform, *, wants_full: bool, stop: Event
) -> dict[int | None, EntryResult]:
    """Read a batch at the top of a worker thread: a connector's own defect ends these entries alone."""
    endings: Mapping[int, Ending]
    try:
        jobs = [_job(at, one.campaign, one.entry, platform, stop) for one in batch]
        if batch[0].entry.basis is Basis.COUNT:
            endings = read_entries(jobs)
        else:
            endings = {job.entry_id: sweep_entry(job, wants_full=wants_full) for job in jobs}
    except HarvesterError:
        raise
    except Exception:
        log.exception("reading %s broke off", ", ".join(one.entry.url for one in batch))
        endings = _broken_off(at, batch)
    return {one.entry.id: _result(at.database, one.campaign, one.entry, endings[one.entry.id or 0]) for one in batch}


def _broken_off(at: Installation, batch: Sequence[_Work]) -> Mapping[int, Ending]:
    """Say that a defect ended these entries; a list's sweep, still open, tells by itself where it stopped."""
    entry_ids = [one.entry.id or 0 for one in batch]
    if batch[0].entry.basis is Basis.COUNT:
        return book_defect(at.database, entry_ids, _DEFECT, at.now())
    return dict.fromkeys(entry_ids, Ending(outcome=SweepOutcome.FAILED, reason=_DEFECT))


def _job(at: Installation, campaign: CampaignFacts, entry: Entry, platform: Platform, stop: Event) -> Job:
    assert entry.id is not None
    key = at.master.open_campaign_key(campaign.sealed_key, campaign.slug)
    with at.database.reading() as session:
        accounts = campaign_accounts(session, campaign.id)
    kept, allowed = timedelta(days=at.settings.privacy.handle_days), platform.connector.traits.handle_retention
    desk = Desk(
        entry_id=entry.id,
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
        should_stop=stop.is_set,
    )


def _result(database: Database, campaign: CampaignFacts, entry: Entry, ending: Ending) -> EntryResult:
    newest_first = select(Sweep).where(Sweep.entry_id == entry.id).order_by(col(Sweep.id).desc())
    with database.reading() as session:
        sweep = session.exec(newest_first.limit(1)).first()
    return EntryResult(
        campaign=campaign.slug,
        url=entry.pasted_url,
        connector=entry.connector,
        outcome=ending.outcome,
        reason=ending.reason,
        resume_at=ending.resume_at,
        pages=sweep.pages if sweep else 0,
        requests=sweep.requests if sweep else 0,
        new=sweep.new if sweep else 0,
        credited=sweep.credited + sweep.uncertain if sweep else 0,
    )


def _follow_up(at: Installation, campaigns: Sequence[CampaignFacts]) -> None:
    """Let credits follow to the associations, and forget the handles whose time is over."""
    with at.database.writing() as session:
        for campaign in campaigns:
            distribute(session, campaign.id, reason="credited likes", author="harvester", at=at.now())
        session.exec(delete(SealedHandles).where(col(SealedHandles.expires_at) <= at.now()))
