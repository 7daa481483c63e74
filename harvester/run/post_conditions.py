"""What is wrong with posts now, read from what their sweeps left in the database.

Each kind is judged by facts that stay until a sweep brings better ones, so that an alert does not come and go between
two of them. What is wrong with a whole platform is one condition, not one a post.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Subquery, case, func, or_
from sqlmodel import Session, col, select

from harvester.config import AlertSettings
from harvester.connector import Basis
from harvester.store.kinds import AlertKind, Cause, EntryState, SweepOutcome
from harvester.store.models import Entry, Hole, Sweep

_TOLD_APART = (Cause.EXHAUSTED, Cause.GRANT_LOST, Cause.MISSING, Cause.STOPPED)
_TIMES_IN_A_ROW = 2
_TOO_LONG = timedelta(days=1)
_A_FEW = 5
_AGE_OF_NEWS = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that holds now: its kind, what it is about, a sentence that says it, and what a person can do."""

    kind: AlertKind
    subject: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Posts:
    """The posts of open campaigns by id, the slugs of these campaigns by id, and how each post's last sweep ended."""

    slugs: Mapping[int, str]
    entries: Mapping[int, Entry]
    ended: Mapping[int, Sweep]

    def name(self, entry_id: int) -> str:
        entry = self.entries[entry_id]
        return f"{entry.pasted_url} ({self.slugs[entry.campaign_id]})"

    @property
    def connectors(self) -> Sequence[str]:
        """Name the connectors that still read any of the posts."""
        return sorted({one.connector for one in self.entries.values() if one.state is not EntryState.GONE})


def read_posts(session: Session, slugs: Mapping[int, str]) -> Posts:
    """Read every post of these campaigns that nobody removed."""
    is_here = col(Entry.campaign_id).in_(slugs) & (col(Entry.state) != EntryState.REMOVED)
    entries = {row.id: row for row in session.exec(select(Entry).where(is_here).order_by(col(Entry.id))) if row.id}
    newest = _newest(slugs, col(Sweep.outcome).is_not(None))
    ended = session.exec(select(Sweep).join(newest, newest.c.id == Sweep.id))
    return Posts(slugs=slugs, entries=entries, ended={one.entry_id: one for one in ended if one.entry_id in entries})


def post_conditions(session: Session, posts: Posts, settings: AlertSettings, now: datetime) -> Iterator[Condition]:
    """Give everything that is wrong with these posts."""
    yield from _missing(posts)
    yield from _not_read_to_the_end(session, posts, now)
    yield from _quota_exhausted(posts)
    yield from _grant_lost(posts)
    yield from _gaps(session, posts, settings)
    yield from _falls(session, posts, settings)
    yield from _holes(session, posts, now)


def _missing(posts: Posts) -> Iterator[Condition]:
    """A post that is gone is still missing: nobody is told that it is over."""
    for key, entry in posts.entries.items():
        since = f"{entry.missing_since:%Y-%m-%d %H:%M} UTC" if entry.missing_since else "an unknown time"
        if entry.state in (EntryState.MISSING, EntryState.GONE):
            yield Condition(
                kind=AlertKind.POST_MISSING,
                subject=posts.name(key),
                message=f"{posts.name(key)} is not shown by its platform since {since}.",
                remedy="Open it in a browser. Its credited likes stay. It is asked again for a day, then it is closed.",
            )
        if entry.state is EntryState.GONE:
            yield Condition(
                kind=AlertKind.POST_GONE,
                subject=posts.name(key),
                message=f"{posts.name(key)} has been missing since {since} and is no longer read.",
                remedy="Its credited likes stay. If it is back: 'harvester post remove' it, then 'harvester post add'.",
            )


def _not_read_to_the_end(session: Session, posts: Posts, now: datetime) -> Iterator[Condition]:
    """Count sweeps since the last complete one; a sweep that is resumed again and again is one, so its age counts too.

    What a spent quota, a lost grant or a missing post ended has a kind of its own.
    """
    complete = _newest(posts.slugs, col(Sweep.outcome) == SweepOutcome.COMPLETE)
    times, since = func.count(), func.min(Sweep.started_at)
    rows = session.exec(
        select(Sweep.entry_id, times)
        .outerjoin(complete, complete.c.entry_id == Sweep.entry_id)
        .where(col(Sweep.entry_id).in_(posts.entries), col(Sweep.id) > func.coalesce(complete.c.id, 0))
        .where(col(Sweep.outcome).is_not(None), col(Sweep.cause).not_in(_TOLD_APART))
        .group_by(col(Sweep.entry_id))
        .having(or_(times >= _TIMES_IN_A_ROW, since <= now - _TOO_LONG))
    ).all()
    for key, number in rows:
        yield Condition(
            kind=AlertKind.POST_INCOMPLETE,
            subject=posts.name(key),
            message=f"{posts.name(key)} was not read to its end, {_number(number, 'sweep')} in a row: "
            f"{posts.ended[key].reason or 'no reason was given'}.",
            remedy="See 'harvester status' and 'harvester doctor'. No credited like is lost; later sweeps go on.",
        )


def _quota_exhausted(posts: Posts) -> Iterator[Condition]:
    for connector, sweeps in _ended_by(Cause.EXHAUSTED, posts).items():
        until = max((one.resume_at for one in sweeps if one.resume_at), default=None)
        yield Condition(
            kind=AlertKind.QUOTA_EXHAUSTED,
            subject=connector,
            message=f"The quota of {connector} is spent{f' until {until:%Y-%m-%d %H:%M} UTC' if until else ''}: "
            f"{_number(len(sweeps), 'post')} must wait.",
            remedy="It goes on by itself. If it happens often: fewer posts, a longer interval, or ask for more quota.",
        )


def _grant_lost(posts: Posts) -> Iterator[Condition]:
    for connector, sweeps in _ended_by(Cause.GRANT_LOST, posts).items():
        yield Condition(
            kind=AlertKind.GRANT_LOST,
            subject=connector,
            message=f"{connector} no longer lets harvester read {_number(len(sweeps), 'post')}: {sweeps[-1].reason}.",
            remedy=f"A person must act: 'harvester doctor' says how to give {connector} a new credential.",
        )


def _gaps(session: Session, posts: Posts, settings: AlertSettings) -> Iterator[Condition]:
    """Compare what was shown and held at the end of the last complete full sweep.

    Only then are they of one moment; a number that is asked later has likers in it that nobody listed yet.
    """
    full = _newest(posts.slugs, (col(Sweep.outcome) == SweepOutcome.COMPLETE) & col(Sweep.is_full))
    rows: Sequence[tuple[int, int | None, Any]] = session.exec(
        select(
            Sweep.entry_id,
            func.max(case((col(Sweep.id) == full.c.id, Sweep.displayed_after))),
            func.sum(col(Sweep.new) - col(Sweep.unliked) + col(Sweep.returned)),
        )
        .join(full, (full.c.entry_id == Sweep.entry_id) & (col(Sweep.id) <= full.c.id))
        .where(col(Sweep.entry_id).in_([key for key, one in posts.entries.items() if one.basis is Basis.IDENTITY]))
        .group_by(col(Sweep.entry_id))
    ).all()
    for key, displayed, held in rows:
        gap = (displayed or 0) - int(held)
        if displayed and gap >= settings.gap_likes and gap * 100 >= settings.gap_percent * displayed:
            yield Condition(
                kind=AlertKind.GAP,
                subject=posts.name(key),
                message=f"{posts.name(key)} displays {displayed:,} likes, but its whole list names {int(held):,}: "
                f"a gap of {gap:,}.",
                remedy="Only named likers earn. Compare with the platform by hand, and say so before the settlement.",
            )


def _falls(session: Session, posts: Posts, settings: AlertSettings) -> Iterator[Condition]:
    """Compare with the highest number a sweep was shown, not with the one before: a fall lasts until it is made up."""
    named = [key for key, one in posts.entries.items() if one.basis is Basis.IDENTITY]
    highest = select(Sweep.entry_id, func.max(Sweep.displayed_after)).where(col(Sweep.entry_id).in_(named))
    peaks = dict(session.exec(highest.group_by(col(Sweep.entry_id))).all())
    for key, entry in posts.entries.items():
        peak = entry.high_water or peaks.get(key) or 0
        fall = peak - (peak if entry.displayed is None else entry.displayed)
        if fall >= _A_FEW and fall * 100 >= settings.fall_percent * peak:
            yield Condition(
                kind=AlertKind.COUNT_FELL,
                subject=posts.name(key),
                message=f"{posts.name(key)} displays {entry.displayed:,} likes, {fall:,} less than {peak:,} before.",
                remedy="The platform may have removed false likes, or fans took theirs back. No credit is taken "
                "back now: look at the post before the settlement.",
            )


def _holes(session: Session, posts: Posts, now: datetime) -> Iterator[Condition]:
    """Tell of one hole a post and day; older ones were told when they were news."""
    query = select(Hole).where(col(Hole.entry_id).in_(posts.entries), Hole.found_at > now - _AGE_OF_NEWS)
    days: defaultdict[tuple[int, str], list[Hole]] = defaultdict(list)
    for hole in session.exec(query.order_by(col(Hole.id))):
        days[hole.entry_id, f"{hole.found_at:%Y-%m-%d}"].append(hole)
    for (key, day), (hole, *_) in days.items():
        unseen = "an unknown number" if hole.unseen is None else f"at least {hole.unseen:,}"
        yield Condition(
            kind=AlertKind.HOLE,
            subject=f"{posts.name(key)} on {day}",
            message=f"{posts.name(key)}: likers passed unseen between {hole.since:%Y-%m-%d %H:%M} and "
            f"{hole.found_at:%Y-%m-%d %H:%M} UTC, {unseen}.",
            remedy="This platform lists only its newest likers: read the post oftener "
            "(schedule.shortest_interval_seconds, or polls from cron). Who passed cannot be named any more.",
        )


def _newest(slugs: Mapping[int, str], is_wanted: Any) -> Subquery:
    """Give the newest sweep of its kind for each entry."""
    return (
        select(col(Sweep.entry_id), func.max(Sweep.id).label("id"))
        .join(Entry, col(Entry.id) == Sweep.entry_id)
        .where(col(Entry.campaign_id).in_(slugs), is_wanted)
        .group_by(col(Sweep.entry_id))
        .subquery()
    )


def _ended_by(cause: Cause, posts: Posts) -> Mapping[str, Sequence[Sweep]]:
    """Give, by connector, the last sweeps that this ended."""
    found: defaultdict[str, list[Sweep]] = defaultdict(list)
    for key, sweep in posts.ended.items():
        if sweep.cause is cause:
            found[posts.entries[key].connector].append(sweep)
    return found


def _number(many: int, noun: str) -> str:
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"
