"""Reading posts that only show a number: many posts a request, each booked by itself.

Whatever spoils a batch is narrowed down to the post it belongs to, so that one dead post never stops the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session

from harvester.books.counts import Shown, credit_reading
from harvester.books.credit import Desk
from harvester.collect import progress as record
from harvester.collect.counts import NOT_SHOWN, read_counts
from harvester.collect.progress import Ending
from harvester.collect.sweep import DEFECT, Job, tell
from harvester.connector import ContractBroken, Count, Missing, Outcome, Refused
from harvester.errors import SettledError
from harvester.store.database import Database
from harvester.store.kinds import Cause, SweepOutcome
from harvester.store.models import Sweep

_OF_ONE_POST = (Missing, Refused, ContractBroken)
_HIDDEN = "the platform hides the number of likes: the credit is frozen until it shows it again"


def read_entries(jobs: Sequence[Job]) -> Mapping[int, Ending]:
    """Read the posts of one platform, at most `batch_max` of them, and say by entry how that ended."""
    due: list[Job] = []
    endings: dict[int, Ending] = {}
    for job in jobs:
        with job.database.reading() as session:
            paused = record.pause_in_force(session, job.entry_id, job.now())
        if paused:
            endings[job.entry_id] = paused
        else:
            due.append(job)
    return endings | (_read(due) if due else {})


def book_defect(database: Database, entry_ids: Sequence[int], at: datetime) -> None:
    """Record that an error of our own or of a connector broke a batch off, so that no older reading stands for it."""
    with database.writing() as session:
        session.add_all(_new_sweep(entry_id, DEFECT, 0, at) for entry_id in entry_ids)


def _read(jobs: Sequence[Job], asked_before: int = 0) -> dict[int, Ending]:
    """Read posts in one request; one that cannot be read with the others is looked for by halves."""
    platform, posts = jobs[0].platform, {job.post.native_id: job.post for job in jobs}
    http = platform.session(*posts.values())
    try:
        counts = read_counts(platform.connector, http, [*posts.values()])
    except Outcome as error:
        asked = asked_before + http.take_requests()
        if len(posts) > 1 and isinstance(error, _OF_ONE_POST):
            half = len(jobs) // 2
            return _read(jobs[:half], asked) | _read(jobs[half:])
        return {job.entry_id: _book_failure(job, error, requests) for job, requests in _shared(jobs, asked)}
    read_at, asked = jobs[0].now(), asked_before + http.take_requests()
    shares = _shared(jobs, asked)
    return {job.entry_id: _book(job, counts.get(job.post.native_id), requests, read_at) for job, requests in shares}


def _shared(jobs: Sequence[Job], requests: int) -> Iterable[tuple[Job, int]]:
    """Put the requests of a batch down to its first post, so that they add up."""
    return ((job, requests if number == 0 else 0) for number, job in enumerate(jobs))


def _book(job: Job, count: Count | None, requests: int, read_at: datetime) -> Ending:
    if count is None:
        return _book_failure(job, Missing(NOT_SHOWN), requests)
    try:
        with job.database.writing() as session:
            return book_count(
                session, job.desk, count, read_at, requests=requests, credits_existing=job.credits_existing
            )
    except SettledError as error:
        return Ending(outcome=SweepOutcome.PARTIAL, reason=str(error), cause=Cause.STOPPED)


def book_count(
    session: Session, desk: Desk, count: Count, at: datetime, *, requests: int, credits_existing: bool
) -> Ending:
    """Keep a number and credit what it adds, as a sweep of its own, in the caller's transaction."""
    ending = Ending(outcome=SweepOutcome.COMPLETE, reason=_HIDDEN if count.likes is None else None)
    sweep = _new_sweep(desk.entry_id, ending, requests, at)
    sweep.displayed_before = sweep.displayed_after = count.likes
    session.add(sweep)
    session.flush()
    assert sweep.id is not None
    shown = Shown(sweep_id=sweep.id, count=count, read_at=at, credits_existing=credits_existing)
    for name, likes in credit_reading(session, desk, shown).items():
        setattr(sweep, name, likes)
    record.mark_shown(session, desk.entry_id, count, at)
    return ending


def _book_failure(job: Job, error: Outcome, requests: int) -> Ending:
    """Record why a post gave no number."""
    ending = record.ending_of(error)
    with job.database.writing() as session:
        if isinstance(error, Missing):
            ending = record.missing(session, job.entry_id, str(error), job.now())
        session.add(_new_sweep(job.entry_id, ending, requests, job.now()))
    tell(job.post, ending, new=0)
    return ending


def _new_sweep(entry_id: int, ending: Ending, requests: int, at: datetime) -> Sweep:
    return Sweep(
        entry_id=entry_id,
        is_full=True,
        started_at=at,
        touched_at=at,
        outcome=ending.outcome,
        cause=ending.cause,
        reason=ending.reason,
        resume_at=ending.resume_at,
        pages=1 if ending.outcome is SweepOutcome.COMPLETE else 0,
        requests=requests,
    )
