"""What the database knows of the posts that are read: their last sweeps, their pauses, and how fast likes came."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from math import ceil
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from harvester.collect.cadence import Arrivals, Watched, rate_of
from harvester.connector import Basis, Connector, CountsLikes, Order
from harvester.contest.campaigns import CampaignFacts
from harvester.run.work import Work, open_work
from harvester.store.kinds import Cause, SweepOutcome
from harvester.store.models import Entry, Reading, Sweep

_NEWEST = 8
"""How many sweeps and readings of a post say how fast its likes come: about as far back as today resembles tomorrow."""

_MOST_PARAMETERS = 10_000
_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)


class Swept(NamedTuple):
    """What matters here of a sweep; thousands are read at once."""

    is_full: bool
    started_at: datetime
    touched_at: datetime
    outcome: SweepOutcome | None
    cause: Cause | None
    resume_at: datetime | None
    requests: int
    pass_number: int
    listed: int
    new: int


class Shown(NamedTuple):
    """A number that a platform showed."""

    read_at: datetime
    likes: int | None


_Row = TypeVar("_Row", Swept, Shown)
_Facts = tuple[tuple[Swept, ...], tuple[Shown, ...], Swept | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A post, its newest sweeps and readings, oldest first, and its newest complete sweep of the whole list."""

    work: Work
    sweeps: tuple[Swept, ...] = ()
    readings: tuple[Shown, ...] = ()
    full: Swept | None = None

    @property
    def campaign(self) -> CampaignFacts:
        return self.work.campaign

    @property
    def entry(self) -> Entry:
        return self.work.entry

    @property
    def entry_id(self) -> int:
        return self.work.entry_id

    @property
    def last_complete_at(self) -> datetime | None:
        """When the newest complete sweep began; what it did not see, nobody saw."""
        return next((one.started_at for one in reversed(self.sweeps) if _is_complete(one)), None)

    @property
    def had_its_turn_at(self) -> datetime | None:
        """When a post was last looked at, or that was tried in vain; a pause, or an end of ours, keeps its turn."""
        return self.failing[0].touched_at if self.has_failed else self.last_complete_at

    @property
    def has_failed(self) -> bool:
        """Tell whether the newest sweep came to nothing by itself."""
        return bool(self.failing) and not self.failing[0].resume_at and not self.was_interrupted

    @property
    def was_interrupted(self) -> bool:
        """Tell whether the newest sweep was stopped or killed, or is at work."""
        return bool(self.failing) and (self.failing[0].outcome is None or self.failing[0].cause is Cause.STOPPED)

    @property
    def failing(self) -> Sequence[Swept]:
        """The newest sweeps that did not end complete, newest first."""
        return [*takewhile(lambda sweep: not _is_complete(sweep), reversed(self.sweeps))]


def read_histories(session: Session, campaigns: Iterable[CampaignFacts]) -> Sequence[History]:
    """Give every post of these campaigns that is still read, in few statements however many there are."""
    work = [one for campaign in campaigns for one in open_work(session, campaign)]
    facts = dict(_read(session, {one.campaign.id for one in work}))
    histories = []
    for one in work:
        sweeps, readings, full = facts.get(one.entry_id, ((), (), None))
        histories.append(History(work=one, sweeps=sweeps, readings=readings, full=full))
    return histories


def pause_asked(history: History) -> datetime | None:
    """Say until when a post's platform asked to be left alone."""
    return history.failing[0].resume_at if history.failing else None


def not_before(history: History, now: datetime) -> datetime | None:
    """Say until when a post must wait: as its platform asked, or for as long again as it has been failing.

    A sweep that was stopped or killed has not failed: it goes on at once, while its cursor can be trusted. So does one
    that failed in the future, by a clock that was set back since.
    """
    if not history.has_failed:
        return pause_asked(history)
    newest = history.failing[0]
    if newest.touched_at > now:
        return None
    so_far = newest.touched_at - _failing_since(history)
    return newest.touched_at + min(max(so_far, _SHORTEST_PAUSE), _LONGEST_PAUSE)


def _failing_since(history: History) -> datetime:
    """Say when the failures began: one sweep that is gone on with has failed ever since, if nobody was listed yet."""
    oldest = history.failing[-1]
    return oldest.touched_at if oldest.listed else oldest.started_at


def watched(batch: Sequence[History], connector: Connector, now: datetime) -> Watched:
    """Put together what the cadence must know of posts that one request reads."""
    counted = batch[0].entry.basis is Basis.COUNT
    looks = [_before(now, history.had_its_turn_at) for history in batch]
    waits = [not_before(history, now) for history in batch]
    until = min((wait for wait in waits if wait), default=None) if all(waits) else None
    arrivals = _together(batch)
    born_at = (history.entry.published_at or history.entry.added_at for history in batch)
    post = Watched(
        entry_ids=tuple(history.entry_id for history in batch),
        arrivals=arrivals,
        born_at=min([now, *born_at, *(look.since for look in arrivals)]),  # a date may be stated wrongly
        last_poll_at=min((look for look in looks if look), default=None) if all(looks) else None,
        requests=1,
        window=None if counted else connector.traits.depth_limit,
        not_before=until,
        was_asked_to_wait=until is not None and until in map(pause_asked, batch),
    )
    return post if counted else replace(post, requests=_requests(post, batch[0], connector, now))


def _before(now: datetime, instant: datetime | None) -> datetime | None:
    """Forget an instant ahead: the clock was set back since, and nobody knows how long ago that was."""
    return instant if instant and instant <= now else None


def full_requests(history: History, connector: Connector) -> int:
    """Say what reading a whole list is expected to cost."""
    if history.entry.basis is Basis.COUNT:
        return 1
    traits, full = connector.traits, history.full
    likers = max(history.entry.displayed or 0, full.listed if full else 0)
    pages = max(ceil(min(likers, traits.depth_limit or likers) / traits.page_max), 1)
    known = full.requests // full.pass_number if full else 0
    return max(pages + (2 if isinstance(connector, CountsLikes) else 0), known)


def _requests(post: Watched, history: History, connector: Connector, now: datetime) -> int:
    """Say what the next look is expected to cost: only a list with the newest first is left at what is known."""
    if connector.traits.order is not Order.SERVER_DESC or history.failing or post.last_poll_at is None:
        return full_requests(history, connector)
    hours = max((now - post.last_poll_at).total_seconds(), 0) / 3600
    expected = 1 + int(rate_of(post, now) * hours / connector.traits.page_max)
    return min(expected, full_requests(history, connector))


def _together(batch: Sequence[History]) -> tuple[Arrivals, ...]:
    """Add up the likes of posts that were read by the same requests."""
    likes: defaultdict[tuple[datetime, datetime], int] = defaultdict(int)
    for history in batch:
        for one in (*_swept(history), *_glanced(history)):
            likes[one.until, one.since] += one.likes
    return tuple(Arrivals(since=since, until=until, likes=sum_) for (until, since), sum_ in sorted(likes.items()))


def _swept(history: History) -> Iterable[Arrivals]:
    """Say how many likers were new from one complete sweep to the next; broken-off ones count with the next."""
    is_first_known = len(history.sweeps) < _NEWEST
    since = history.entry.published_at if is_first_known else None
    new = 0
    for sweep in history.sweeps:
        new += sweep.new
        if _is_complete(sweep):
            if since and since < sweep.started_at:
                yield Arrivals(since=since, until=sweep.started_at, likes=new)
            since, new = sweep.started_at, 0


def _glanced(history: History) -> Iterable[Arrivals]:
    """Say how much the displayed number rose since the last sweep, beyond what sweeps found meanwhile."""
    last = next((sweep for sweep in reversed(history.sweeps) if _is_complete(sweep)), None)
    if last is None:
        return
    before = [one for one in history.readings if one.read_at <= last.touched_at and one.likes is not None]
    after = [one for one in history.readings if one.read_at > last.touched_at and one.likes is not None]
    if before:
        found = sum(sweep.new for sweep in history.sweeps if sweep.touched_at > before[-1].read_at)
        since, expected = last.started_at, (before[-1].likes or 0) + found
    elif after:
        since, expected = after[0].read_at, after.pop(0).likes or 0
    for one in after:
        yield Arrivals(since=since, until=one.read_at, likes=max((one.likes or 0) - expected, 0))
        since, expected = one.read_at, one.likes or 0


def _is_complete(sweep: Swept) -> bool:
    return sweep.outcome is SweepOutcome.COMPLETE


def _read(session: Session, campaign_ids: Collection[int]) -> Iterator[tuple[int, _Facts]]:
    """Find the newest rows of each post by subqueries that an index answers, whatever has piled up; then read those."""
    one, other = aliased(Sweep), aliased(Reading)
    own = select(one.id).where(one.entry_id == Entry.id).order_by(col(one.id).desc()).limit(1)
    shown = select(other.id).where(other.entry_id == Entry.id).order_by(col(other.read_at).desc()).limit(1)
    full = own.where(col(one.is_full).is_(True), one.outcome == SweepOutcome.COMPLETE)
    wanted = [full, *(query.offset(number) for query in (own, shown) for number in range(_NEWEST))]
    columns: list[Any] = [Entry.id, *(query.correlate(Entry).scalar_subquery() for query in wanted)]
    is_wanted = col(Entry.campaign_id).in_(campaign_ids)
    found = session.connection().execute(sa_select(*columns).where(is_wanted)).all()
    sweeps = _rows(session, Sweep, Swept, (number for row in found for number in row[1 : _NEWEST + 2]))
    readings = _rows(session, Reading, Shown, (number for row in found for number in row[_NEWEST + 2 :]))
    for entry_id, full_id, *ids in found:
        newest = tuple(sweeps[number] for number in reversed(ids[:_NEWEST]) if number)
        shows = tuple(readings[number] for number in reversed(ids[_NEWEST:]) if number)
        yield entry_id, (newest, shows, sweeps.get(full_id))


def _rows(session: Session, table: type[Any], kind: Callable[..., _Row], ids: Iterable[int | None]) -> dict[int, _Row]:
    """Read rows by id, only what is needed of each."""
    known = sorted({number for number in ids if number})
    columns = [getattr(table, name) for name in kind._fields]  # type: ignore[attr-defined]
    found: dict[int, _Row] = {}
    for start in range(0, len(known), _MOST_PARAMETERS):
        chunk = known[start : start + _MOST_PARAMETERS]
        rows = session.connection().execute(sa_select(table.id, *columns).where(table.id.in_(chunk)))
        found |= {number: kind(*values) for number, *values in rows}
    return found
