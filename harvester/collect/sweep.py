"""The sweep: one walk over all likers of an entry, page by page, each page stored in one transaction with its credit.

However it ends, by a full list, a pause, a broken answer or a killed process, what was stored is right, and the next
sweep goes on from there. Only the last page's missing cursor makes a list complete. A sweep that may stop early asks
for no count, unless likers ended the list: k new likes take at most ceil(k / page) + 1 requests.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from harvester.books.counts import Shown
from harvester.books.credit import Desk, LeaseLostError, PageSlip, Sighting, record_page, were_all_known
from harvester.books.rules import Circumstances
from harvester.clock import Now
from harvester.collect import progress as record
from harvester.collect.counts import read_count
from harvester.collect.progress import Ending, Progress
from harvester.collect.registry import Platform
from harvester.connector import (
    ContractBroken,
    Count,
    Missing,
    NamesLikers,
    Outcome,
    Page,
    Post,
    Refused,
)
from harvester.errors import HarvesterError, SettledError
from harvester.store.database import Database
from harvester.store.keys import CampaignKey
from harvester.store.kinds import Cause, SweepOutcome

_PAGE_SIZES = (1.0, 0.7, 0.45)
"""The first pass and the two a gap earns, in parts of the platform's largest page: other boundaries, other losses."""

_MOST_EMPTY_PAGES = 100
_CAPPED = "capped: the platform names no more likers than these, whatever it counts"
STOPPED = Ending(
    outcome=SweepOutcome.PARTIAL, reason="stopped before its end; the next poll goes on", cause=Cause.STOPPED
)
DEFECT = Ending(
    outcome=SweepOutcome.FAILED, reason="an error in harvester or the connector: see the log", cause=Cause.DEFECT
)
log = logging.getLogger(__name__)


class Stopped(Exception):
    """The work was asked to end: by a deadline, a signal, or the failure of something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything a sweep needs to know about its entry."""

    database: Database
    platform: Platform
    post: Post
    desk: Desk
    key: CampaignKey
    published_at: datetime | None
    credits_existing: bool
    now: Now
    should_stop: Callable[[], bool]

    @property
    def entry_id(self) -> int:
        return self.desk.entry_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A page as it was read, when, its likers by pseudonym, and how many requests that took."""

    page: Page
    likers: tuple[Sighting, ...]
    at: datetime
    requests: int


class LoopGuard:
    """Notices a list that leads in circles: a cursor or a page seen before, or empty pages without end."""

    def __init__(self) -> None:
        self._cursors: set[str | None] = {None}
        self._pages: set[bytes] = set()
        self._empty_in_a_row = 0

    def check(self, page: Page) -> None:
        if page.cursor is not None and page.cursor in self._cursors:
            raise ContractBroken("the platform gave the same cursor twice: its list leads in a circle")
        self._cursors.add(page.cursor)
        self._empty_in_a_row = 0 if page.likes else self._empty_in_a_row + 1
        if self._empty_in_a_row > _MOST_EMPTY_PAGES:
            raise ContractBroken(f"the platform gave {_MOST_EMPTY_PAGES} empty pages in a row")
        content = sha256("\n".join([page.part, *(like.actor for like in page.likes)]).encode()).digest()
        if page.likes and content in self._pages:
            raise ContractBroken("the platform gave the same page twice under different cursors")
        self._pages.add(content)


def tell(post: Post, ending: Ending, *, new: int) -> None:
    """Log how reading a post ended; where all is well and nothing new, only for who asks for everything."""
    is_news = new or ending.outcome is not SweepOutcome.COMPLETE
    known = {"new": new, "cause": ending.cause, "reason": ending.reason}
    log.log(
        logging.INFO if is_news else logging.DEBUG,
        "%s %s: %s",
        post.platform,
        post.native_id,
        ending.outcome,
        extra={name: value for name, value in known.items() if value},
    )


def sweep_entry(job: Job, *, wants_full: bool) -> Ending:
    """Sweep an entry unless somebody else is at it or the platform asked to wait; say how it ended."""
    with job.database.lock(f"entry-{job.entry_id}") as is_ours:
        if not is_ours:
            return Ending(
                outcome=SweepOutcome.PARTIAL, reason="another process is sweeping this post", cause=Cause.STOPPED
            )
        with job.database.writing() as session:
            paused = record.pause_in_force(session, job.entry_id, job.now())
            if paused:
                return paused
            traits = job.platform.connector.traits
            progress = record.begin(session, job.entry_id, traits, wants_full=wants_full, now=job.now())
        return _Walk(job, progress).run()


class _Walk:
    """A sweep at work: the steps of `run`, with the place they have reached."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self._job = job
        self._at = progress
        self._published_at = job.published_at
        self._ended_with_likers = False
        self._new = 0
        self._http = job.platform.session(job.post, page_size=self._page_size())

    def run(self) -> Ending:
        """Walk to the end of the list or to the first thing that stops the walk."""
        try:
            self._walk()
            is_capped = self._is_capped()
            ending = Ending(outcome=SweepOutcome.COMPLETE, reason=_CAPPED if is_capped else None, is_capped=is_capped)
        except LeaseLostError as error:
            return Ending(outcome=SweepOutcome.PARTIAL, reason=str(error), cause=Cause.STOPPED)
        except SettledError as error:
            ending = Ending(outcome=SweepOutcome.PARTIAL, reason=str(error), cause=Cause.STOPPED)
        except Stopped:
            ending = STOPPED
        except Missing as error:
            ending = self._note_missing(str(error))
        except Outcome as error:
            ending = record.ending_of(error)
        except HarvesterError:
            raise
        except Exception:
            self._end(DEFECT)
            raise
        self._end(ending)
        return ending

    def _end(self, ending: Ending) -> None:
        with self._job.database.writing() as session:
            record.end(session, self._at.sweep_id, ending, requests=self._http.take_requests(), now=self._job.now())
        tell(self._job.post, ending, new=self._new)

    def _walk(self) -> None:
        if self._at.is_full:
            self._read_count("displayed_before")
        while True:
            is_whole = self._walk_pass()
            is_counted = self._at.is_full or (is_whole and self._is_worth_a_count())
            count = self._read_count("displayed_after") if is_counted else None
            displayed = count.likes if count else None
            if is_whole and displayed and not self._at.listed:
                raise Refused(f"the list of likers is empty beside a count of {displayed}")
            if not (is_whole and self._earns_another_pass(displayed)):
                return
            self._begin_next_pass()

    def _is_worth_a_count(self) -> bool:
        """Tell whether a list that may be left early, and was not, is compared with the count.

        A last page without anybody has already cost the request that this would take.
        """
        return self._ended_with_likers or not self._at.listed or self._is_capped()

    def _walk_pass(self) -> bool:
        """Walk from the cursor on; tell whether the list was walked to its end, not stopped early."""
        return not any(self._store(reading) for reading in self._readings())

    def _readings(self) -> Iterator[_Reading]:
        """Read page after page; in a full sweep the next one is read while this one is being stored."""
        guard, cursor = LoopGuard(), self._at.cursor
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as ahead:
            coming = ahead.submit(self._read, cursor)
            while True:
                reading = coming.result()
                guard.check(reading.page)
                cursor = reading.page.cursor
                if self._at.is_full and cursor is not None:
                    coming = ahead.submit(self._read, cursor)
                yield reading
                if cursor is None:
                    return
                if not self._at.is_full:
                    coming = ahead.submit(self._read, cursor)

    def _read(self, cursor: str | None) -> _Reading:
        if self._job.should_stop():
            raise Stopped
        connector = self._job.platform.connector
        assert isinstance(connector, NamesLikers)
        page = connector.fetch_page(self._http, self._job.post, cursor)
        at, requests = self._job.now(), self._http.take_requests()
        return _Reading(page=page, likers=self._sightings(page), at=at, requests=requests)

    def _sightings(self, page: Page) -> tuple[Sighting, ...]:
        pseudonyms = self._job.key.pseudonyms(self._job.post.realm, (like.actor for like in page.likes))
        return tuple(
            Sighting(pseudonym=pseudonym, liked_at=like.at, handle=like.handle)
            for pseudonym, like in zip(pseudonyms, page.likes, strict=True)
        )

    def _store(self, reading: _Reading) -> bool:
        """Store one page, its credit and its cursor in one transaction; tell whether the walk may stop at it."""
        number, cursor, likers = self._at.pages + 1, reading.page.cursor, reading.likers
        slip = PageSlip(sweep_id=self._at.sweep_id, number=number, cursor=cursor, requests=reading.requests)
        with self._job.database.writing() as session:
            tally = record_page(session, self._job.desk, slip, likers, self._circumstances(reading.at))
            is_known = not self._at.is_full and were_all_known(session, self._job.desk, slip, likers)
        self._at = replace(self._at, pages=number, cursor=cursor, listed=self._at.listed + tally.listed)
        self._ended_with_likers = bool(likers)
        self._new += tally.new
        return is_known

    def _circumstances(self, seen_at: datetime) -> Circumstances:
        return Circumstances(
            seen_at=seen_at,
            time=self._job.platform.connector.traits.time,
            previous_sweep_at=self._at.previous_sweep_at,
            published_at=self._published_at,
            credits_existing=self._job.credits_existing,
        )

    def _read_count(self, column: str) -> Count | None:
        """Read and store the number the platform shows; a post that it shows is not missing."""
        count = read_count(self._job.platform.connector, self._http, self._job.post)
        if count is None:
            return None
        self._published_at = self._published_at or count.published_at
        shown = Shown(sweep_id=self._at.sweep_id, count=count, read_at=self._job.now())
        with self._job.database.writing() as session:
            record.note_count(session, self._job.entry_id, shown, column=column)
        return count

    def _earns_another_pass(self, displayed: int | None) -> bool:
        """A full list shorter than the count is walked again, unless the last full sweep already stayed as short.

        Before somebody is believed to have taken a like back, a list that is short is walked with other boundaries too.
        """
        shortfall = (displayed or 0) - self._at.listed
        if not self._at.is_full or self._is_capped() or shortfall <= 0 or self._at.pass_number == len(_PAGE_SIZES):
            return False
        return shortfall > self._at.known_shortfall or self._misses_somebody_again()

    def _misses_somebody_again(self) -> bool:
        with self._job.database.reading() as session:
            return record.was_missed_before(session, self._job.entry_id, self._at.sweep_id)

    def _is_capped(self) -> bool:
        """Tell whether the platform listed as many likers as it ever does: the others are not lost, but never named."""
        limit = self._job.platform.connector.traits.depth_limit
        return limit is not None and self._at.listed >= limit

    def _begin_next_pass(self) -> None:
        number = self._at.pass_number + 1
        with self._job.database.writing() as session:
            record.begin_pass(session, self._at.sweep_id, number)
        self._at = replace(self._at, pass_number=number, cursor=None)
        self._http.page_size = self._page_size()

    def _page_size(self) -> int:
        return max(1, int(self._job.platform.connector.traits.page_max * _PAGE_SIZES[self._at.pass_number - 1]))

    def _note_missing(self, reason: str) -> Ending:
        with self._job.database.writing() as session:
            return record.missing(session, self._job.entry_id, reason, self._job.now())
