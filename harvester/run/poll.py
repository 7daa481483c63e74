"""One pass over the posts of some campaigns, side by side; then the credits follow to the associations."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

from sqlalchemy import delete
from sqlmodel import col

from harvester.books.ledger import distribute
from harvester.contest.campaigns import CampaignFacts
from harvester.run.reader import EntryResult, Reader, ShouldStop, Work, open_work
from harvester.store.installation import Installation
from harvester.store.kinds import SweepOutcome
from harvester.store.models import SealedHandles


def poll(
    at: Installation,
    campaigns: Sequence[CampaignFacts],
    *,
    wants_full: bool,
    on_done: Callable[[EntryResult], None] | None = None,
) -> tuple[EntryResult, ...]:
    """Read every open entry of the campaigns once; raise `StoreError` when the database itself fails."""
    with at.database.reading() as session:
        work = [one for campaign in campaigns for one in open_work(session, campaign)]
    with Reader(at) as reader:
        return read_all(at, reader, work, wants_full=wants_full, on_done=on_done)


def read_all(
    at: Installation,
    reader: Reader,
    work: Sequence[Work],
    *,
    wants_full: bool,
    should_stop: ShouldStop = lambda: False,
    on_done: Callable[[EntryResult], None] | None = None,
) -> tuple[EntryResult, ...]:
    """Read these posts once, several at a time, and let their credits follow to the associations."""
    broken = Event()
    with ExitStack() as stack:
        executor = stack.enter_context(ThreadPoolExecutor(at.settings.sweep.threads, thread_name_prefix="sweep"))
        futures = [
            executor.submit(
                reader.read, batch, wants_full=wants_full, should_stop=lambda: broken.is_set() or should_stop()
            )
            for batch in list(reader.batches(work))
        ]
        results: dict[int, EntryResult] = {}
        try:
            for future in futures:
                for number, result in future.result().items():
                    results[number] = result
                    if on_done:
                        on_done(result)
        except BaseException:
            broken.set()
            executor.shutdown(cancel_futures=True)
            raise
    follow_up(at, {one.campaign.id: one.campaign for one in work}.values())
    return tuple(results[one.entry_id] for one in work)


def overall(outcomes: Iterable[SweepOutcome]) -> SweepOutcome:
    """Sum up: complete if all are, failed if all failed, else partial."""
    kinds = set(outcomes) or {SweepOutcome.COMPLETE}
    return kinds.pop() if len(kinds) == 1 else SweepOutcome.PARTIAL


def follow_up(at: Installation, campaigns: Iterable[CampaignFacts]) -> None:
    """Let credits follow to the associations, and forget the handles whose time is over."""
    with at.database.writing() as session:
        for campaign in campaigns:
            distribute(session, campaign.id, reason="credited likes", author="harvester", at=at.now())
        session.exec(delete(SealedHandles).where(col(SealedHandles.expires_at) <= at.now()))
