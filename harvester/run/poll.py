"""One pass over the posts of some campaigns, side by side; then the credits follow to the associations."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

from sqlalchemy import delete
from sqlmodel import col

from harvester.books.ledger import distribute
from harvester.contest.campaigns import CampaignFacts
from harvester.errors import UsageError
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
    """Read every open entry of the campaigns once.

    Raise `StoreError` when the database itself fails, `ConfigError` when the settings let nothing be read at all.
    """
    with at.database.reading() as session:
        work = [one for campaign in campaigns for one in open_work(session, campaign)]
    with Reader(at) as reader:
        _check_settings(reader, work)
        return read_all(at, reader, work, wants_full=wants_full, on_done=on_done)


def _check_settings(reader: Reader, work: Sequence[Work]) -> None:
    """Refuse to begin where no connector opens; where one does, the others' posts end as failed."""
    errors = []
    names = sorted({one.entry.connector for one in work})
    for name in names:
        try:
            reader.platform(name)
        except UsageError as error:
            errors.append(error)
    if errors and len(errors) == len(names):
        raise errors[0]


def read_all(
    at: Installation,
    reader: Reader,
    work: Sequence[Work],
    *,
    wants_full: bool,
    should_stop: ShouldStop = lambda: False,
    on_done: Callable[[EntryResult], None] | None = None,
) -> tuple[EntryResult, ...]:
    """Read these posts once, several at a time, and let their credits follow to the associations.

    A post whose connector does not open ends as failed, and stops no other.
    """
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
