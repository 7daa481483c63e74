"""What is wrong with posts by what became of their sweeps.

Judged by causes, which stay until an attempt has ended: an attempt at work neither mends nor breaks anything. What is
wrong with a whole server is one condition, not one a post.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Subquery, case, func, or_
from sqlmodel import Session, col, select

from harvester.run.alerts.condition import AGE_OF_NEWS, Condition, OpenAlerts, number_of, write_utc
from harvester.run.alerts.open_posts import OpenPosts, is_complete, newest_sweep, server_of
from harvester.store.kinds import AlertKind, Cause, EntryState, SweepOutcome
from harvester.store.models import Entry, Hole, Sweep

# A sweep that we stopped after an attempt had failed was failing by its server: only such a sweep is gone on with.
_OF_SERVERS = (Cause.UNSTABLE, Cause.THROTTLED, Cause.CONTRACT_BROKEN, Cause.STOPPED)
_TOLD_APART = (Cause.EXHAUSTED, Cause.GRANT_LOST, Cause.MISSING)
_TIMES_IN_A_ROW = 2
_TOO_LONG = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failing:
    """A post that is not read to its end: how often that was tried, since when, and the newest sweep that shows it."""

    entry_id: int
    attempts: int
    since: datetime
    sweep: Sweep

    def __str__(self) -> str:
        attempts, since = number_of(self.attempts, "attempt"), write_utc(self.since)
        return f"{attempts} since {since}: {self.sweep.reason or 'no reason was given'}"


def sweep_conditions(session: Session, posts: OpenPosts, known: OpenAlerts, now: datetime) -> Iterator[Condition]:
    """Give everything that is wrong with the sweeps of these posts."""
    yield from _missing(posts)
    failing = _failing(session, posts, now)
    yield from _servers_failing(posts, failing)
    yield from _posts_incomplete(posts, failing)
    yield from _quota_exhausted(posts, known)
    yield from _grant_lost(posts, known)
    yield from _holes(session, posts, now)


def _missing(posts: OpenPosts) -> Iterator[Condition]:
    """A post that is gone is still missing: nobody is told that it is over."""
    for key, entry in posts.entries.items():
        since = write_utc(entry.missing_since) if entry.missing_since else "an unknown time"
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


def _failing(session: Session, posts: OpenPosts, now: datetime) -> Sequence[_Failing]:
    """Find the shown posts of which no attempt since the last complete sweep came to the end, twice or for a day."""
    judged = [key for key, sweep in posts.last.items() if _is_judged(posts.entries[key], sweep)]
    since = _after_the_last_complete(judged)
    # A number that is read in one request, and what an older harvester left, is one attempt a row.
    attempts = func.sum(case((col(Sweep.tries) > 0, Sweep.tries), (col(Sweep.outcome).is_(None), 0), else_=1))
    began_at = func.min(Sweep.started_at)
    rows = session.exec(
        select(Sweep.entry_id, attempts, began_at, func.max(Sweep.id))
        .join(since, (since.c.id == Sweep.entry_id) & (col(Sweep.id) > since.c.complete))
        .where(_failed_by_itself())
        .group_by(col(Sweep.entry_id))
        .having(or_(attempts >= _TIMES_IN_A_ROW, began_at <= now - _TOO_LONG))
    ).all()
    newest = {one.id: one for one in session.exec(select(Sweep).where(col(Sweep.id).in_([row[3] for row in rows])))}
    return [_Failing(entry_id=key, attempts=int(n), since=at, sweep=newest[last]) for key, n, at, last in rows]


def _is_judged(entry: Entry, last: Sweep) -> bool:
    return last.outcome is not SweepOutcome.COMPLETE and entry.state is EntryState.OPEN


def _after_the_last_complete(entry_ids: Sequence[int]) -> Subquery:
    """Give each post's last complete sweep; with a limit, databases look for it once a post, and not once a sweep."""
    complete = func.coalesce(newest_sweep(is_complete()), 0).label("complete")
    return select(Entry.id, complete).where(col(Entry.id).in_(entry_ids)).limit(len(entry_ids)).subquery()


def _failed_by_itself() -> Any:
    """A spent quota, a lost grant and a missing post have kinds of their own; what we stopped had not failed yet."""
    was_stopped = (col(Sweep.cause) == Cause.STOPPED) & (col(Sweep.tries) == 0)
    return col(Sweep.cause).not_in(_TOLD_APART) & ~was_stopped


def _posts_incomplete(posts: OpenPosts, failing: Sequence[_Failing]) -> Iterator[Condition]:
    for one in failing:
        if one.sweep.cause not in _OF_SERVERS:
            yield Condition(
                kind=AlertKind.POST_INCOMPLETE,
                subject=posts.name(one.entry_id),
                message=f"{posts.name(one.entry_id)} was not read to its end, {one}.",
                remedy="See 'harvester status' and 'harvester doctor'. No credited like is lost; later sweeps go on.",
            )


def _servers_failing(posts: OpenPosts, failing: Sequence[_Failing]) -> Iterator[Condition]:
    by_server: defaultdict[str, list[_Failing]] = defaultdict(list)
    for one in failing:
        if one.sweep.cause in _OF_SERVERS:
            by_server[server_of(posts.entries[one.entry_id])].append(one)
    for server, group in by_server.items():
        worst = min(group, key=lambda one: (one.since, -one.attempts))
        also = f" and {number_of(len(group) - 1, 'other post')} of {server}" if len(group) > 1 else ""
        yield Condition(
            kind=AlertKind.SERVER_FAILING,
            subject=server,
            message=f"{server} does not let posts be read to their end: {posts.name(worst.entry_id)}{also}, {worst}.",
            remedy="Look whether its site works. No credited like is lost; later sweeps go on. If it lasts: "
            "'harvester doctor'.",
        )


def _quota_exhausted(posts: OpenPosts, known: OpenAlerts) -> Iterator[Condition]:
    for server, sweeps in _ended_by(Cause.EXHAUSTED, AlertKind.QUOTA_EXHAUSTED, posts, known).items():
        until = max((one.resume_at for one in sweeps if one.resume_at), default=None)
        yield Condition(
            kind=AlertKind.QUOTA_EXHAUSTED,
            subject=server,
            message=f"The quota of {server} is spent{f' until {write_utc(until)}' if until else ''}: "
            f"{number_of(len(sweeps), 'post')} must wait.",
            remedy="It goes on by itself. If it happens often: fewer posts, a longer interval, or ask for more quota.",
        )


def _grant_lost(posts: OpenPosts, known: OpenAlerts) -> Iterator[Condition]:
    for server, sweeps in _ended_by(Cause.GRANT_LOST, AlertKind.GRANT_LOST, posts, known).items():
        yield Condition(
            kind=AlertKind.GRANT_LOST,
            subject=server,
            message=f"{server} no longer lets harvester read {number_of(len(sweeps), 'post')}: {sweeps[-1].reason}.",
            remedy=f"A person must act: 'harvester doctor' says how to give {server} a new credential.",
        )


def _ended_by(cause: Cause, kind: AlertKind, posts: OpenPosts, known: OpenAlerts) -> Mapping[str, Sequence[Sweep]]:
    """Give, by server, the last sweeps that this ended; one that we stopped meanwhile has mended nothing."""
    found: defaultdict[str, list[Sweep]] = defaultdict(list)
    for key, sweep in posts.last.items():
        server = server_of(posts.entries[key])
        is_unknown = sweep.cause is Cause.STOPPED and sweep.tries > 0 and (kind, server) in known
        if sweep.cause is cause or is_unknown:
            found[server].append(sweep)
    return found


def _holes(session: Session, posts: OpenPosts, now: datetime) -> Iterator[Condition]:
    """Tell of one hole a post and day; older ones were told when they were news."""
    query = select(Hole).where(col(Hole.entry_id).in_(posts.entries), Hole.found_at > now - AGE_OF_NEWS)
    days: defaultdict[tuple[int, str], list[Hole]] = defaultdict(list)
    for hole in session.exec(query.order_by(col(Hole.id))):
        days[hole.entry_id, f"{hole.found_at:%Y-%m-%d}"].append(hole)
    for (key, day), (hole, *_) in days.items():
        unseen = "an unknown number" if hole.unseen is None else f"at least {hole.unseen:,}"
        yield Condition(
            kind=AlertKind.HOLE,
            subject=f"{posts.name(key)} on {day}",
            message=f"{posts.name(key)}: likers passed unseen between {hole.since:%Y-%m-%d %H:%M} and "
            f"{write_utc(hole.found_at)}, {unseen}.",
            remedy="This platform lists only its newest likers: read the post oftener "
            "(schedule.shortest_interval_seconds, or polls from cron). Who passed cannot be named any more.",
        )
