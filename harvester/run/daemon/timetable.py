"""What is to happen next, derived from the database alone: after a crash nothing is lost and nothing done twice."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, update
from sqlmodel import Session, col

from harvester.collect.cadence import Limits, NextPoll, Reserve, Spent, next_polls
from harvester.collect.registry import Platform
from harvester.collect.spending import spent_since
from harvester.config import ScheduleSettings
from harvester.connector import Basis, Budget, Connector
from harvester.contest.campaigns import CampaignFacts, open_campaigns
from harvester.errors import HarvesterError
from harvester.run.daemon.appointments import Appointment, Purpose, closes_at, closings, edges
from harvester.run.daemon.looks import Look, glances, left_for_polls, may_glance
from harvester.run.daemon.watched import History, full_requests, read_histories, watched
from harvester.run.night.nights import is_due, last_night, next_night
from harvester.run.reader import Reader
from harvester.run.settle import settlement_due_at
from harvester.run.work import Work, server_of
from harvester.store.installation import Installation
from harvester.store.models import Entry

__all__ = ["Appointment", "Purpose", "timetable"]

_BEFORE_THE_START = timedelta(minutes=5)
"""When posts are looked at once more before a contest, which fixes the likes that are older than it."""

_NEAR = timedelta(minutes=1)
"""People are shown minutes, and every poll moves all that come after it by a breath."""

_RARELY = "the contest is over: rarely until it is settled"
_NOT_YET = "the contest has not begun: rarely until then"
_LAST_LOOK = "the last look before the contest begins"
_ENDS = "the contest ends"
_SET_NEXT_POLL = (
    update(Entry)
    .where(col(Entry.id) == bindparam("this"))
    .values(next_poll_at=bindparam("next_poll_at"), next_poll_reason=bindparam("next_poll_reason"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The posts whose requests one server counts together, as the batches that one request or list reads."""

    platform: Platform
    batches: Sequence[Sequence[History]]
    spent: Sequence[Spent]
    may_glance: bool

    @property
    def connector(self) -> Connector:
        return self.platform.connector

    @property
    def budgets(self) -> Sequence[Budget]:
        return self.platform.client.budgets


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """When a batch is read next, how often, and why; `by_itself` is False when that is its contest's closing sweep."""

    batch: Sequence[History]
    at: datetime
    interval: timedelta
    reason: str
    by_itself: bool = True


def timetable(at: Installation, reader: Reader) -> tuple[Appointment, ...]:
    """Give everything that is to happen next, soonest first, and store beside each post when it is read."""
    now, schedule = at.now(), at.settings.schedule
    with at.database.reading() as session:
        campaigns = open_campaigns(session)
        histories = read_histories(session, campaigns)
        nightly = _nightly(session, schedule, now)
        opened, unopened = _by_connector(reader, histories)
        groups = [one for platform, posts in opened for one in _groups(session, reader, platform, posts, now)]
    planned = [(group, [*_plans(group, schedule, now)]) for group in groups]
    plans = [plan for _, of_group in planned for plan in of_group]
    looks = [look for group, of_group in planned for look in _glances(group, of_group, schedule, now)]
    posts_of = _by_campaign(post for post in histories if post.entry_id not in unopened)
    ends = [one for campaign in campaigns for one in closings(campaign, posts_of[campaign.id], schedule, now)]
    _store(at, histories, {**unopened, **_next(plans)})
    return tuple(sorted((*ends, nightly, *_polls(plans), *looks), key=_by_time))


def _by_time(appointment: Appointment) -> tuple[datetime, bool]:
    """Put what must be on time before what may wait."""
    return appointment.at, appointment.purpose in (Purpose.POLL, Purpose.GLANCE)


def _nightly(session: Session, schedule: ScheduleSettings, now: datetime) -> Appointment:
    at = last_night(now, schedule) if is_due(session, now, schedule) else next_night(now, schedule)
    return Appointment(purpose=Purpose.NIGHTLY, at=at, reason=f"every night at {schedule.nightly:%H:%M}")


def _by_campaign(histories: Iterable[History]) -> Mapping[int, list[History]]:
    found: defaultdict[int, list[History]] = defaultdict(list)
    for history in histories:
        found[history.campaign.id].append(history)
    return found


def _by_connector(
    reader: Reader, histories: Iterable[History]
) -> tuple[list[tuple[Platform, list[History]]], dict[int, tuple[None, str]]]:
    """Open the connectors; the posts of one that cannot be opened are read as soon as its settings are right."""
    named: defaultdict[str, list[History]] = defaultdict(list)
    for history in histories:
        named[history.entry.connector].append(history)
    opened: list[tuple[Platform, list[History]]] = []
    unopened: dict[int, tuple[None, str]] = {}
    for name, posts in named.items():
        try:
            opened.append((reader.platform(name), posts))
        except HarvesterError as error:
            unopened |= {post.entry_id: (None, str(error)) for post in posts}
    return opened, unopened


def _groups(
    session: Session, reader: Reader, platform: Platform, posts: Sequence[History], now: datetime
) -> Iterator[_Group]:
    """Put together what one server counts; running contests share requests, the others are read apart and rarely."""
    of = {post.entry_id: post for post in posts}
    together: defaultdict[int | None, list[Work]] = defaultdict(list)
    for post in posts:
        together[None if _is_running(post, now) else post.campaign.id].append(post.work)
    by_server: defaultdict[str, list[Sequence[History]]] = defaultdict(list)
    for work in together.values():
        for batch in reader.batches(work):
            server = server_of(platform.connector, batch[0].entry)
            by_server[server].append([of[one.entry_id] for one in batch])
    spent, may = _spent(session, platform, now), may_glance(platform.connector, platform.client.budgets)
    for server, batches in by_server.items():
        listed = sum(batch[0].entry.basis is Basis.IDENTITY for batch in batches)
        yield _Group(platform=platform, batches=batches, spent=spent[server], may_glance=may and listed > 1)


def _is_running(post: History, now: datetime) -> bool:
    return post.campaign.state(now) == "running"


def _plans(group: _Group, schedule: ScheduleSettings, now: datetime) -> Iterator[_Plan]:
    """Let the cadence say when each batch is read, then keep to what its contest wants."""
    polls = next_polls(
        [watched(batch, group.connector, now) for batch in group.batches],
        left_for_polls(group.budgets) if group.may_glance else group.budgets,
        now=now,
        limits=limits_of(schedule),
        reserves=_reserves(group, schedule, now),
        spent=group.spent,
    )
    for batch, poll in zip(group.batches, polls, strict=True):
        if now < settlement_due_at(batch[0].campaign, schedule):
            yield _fitted(batch, poll, schedule, now)


def _glances(group: _Group, plans: Iterable[_Plan], schedule: ScheduleSettings, now: datetime) -> Iterator[Appointment]:
    if not group.may_glance:
        return
    looks = [
        Look(post=plan.batch[0], poll_at=plan.at, interval=plan.interval)
        for plan in plans
        if _is_running(plan.batch[0], now)
    ]
    for at, batch in glances(looks, group.connector, group.budgets, limits_of(schedule)):
        entry_ids = tuple(post.entry_id for post in batch)
        reason = f"one request shows {len(entry_ids)} counts"
        yield Appointment(purpose=Purpose.GLANCE, at=at, entry_ids=entry_ids, reason=reason)


def limits_of(schedule: ScheduleSettings) -> Limits:
    shortest, longest = schedule.shortest_interval_seconds, schedule.longest_interval_seconds
    return Limits(shortest=timedelta(seconds=shortest), longest=timedelta(seconds=max(shortest, longest)))


def _spent(session: Session, platform: Platform, now: datetime) -> Mapping[str, list[Spent]]:
    found: defaultdict[str, list[Spent]] = defaultdict(list)
    longest = max((budget.per for budget in platform.client.budgets), default=None)
    if longest:
        for server, at, requests in spent_since(session, platform.connector, now - longest):
            if at <= now:  # else the clock was set back, and nobody knows how long ago that was
                found[server].append(Spent(at=at, requests=requests))
    return found


def _reserves(group: _Group, schedule: ScheduleSettings, now: datetime) -> Sequence[Reserve]:
    """Keep free what the closing sweeps cost that begin within the longest period of the budgets."""
    until = now + max((budget.per for budget in group.budgets), default=timedelta(0))
    needed: defaultdict[datetime, int] = defaultdict(int)
    for batch in group.batches:
        ahead = {edge for post in batch for _, edge in edges(post.campaign, schedule) if now < edge <= until}
        for edge in ahead:
            needed[edge] += full_requests(batch[0], group.connector)
    return [Reserve(at=edge, requests=requests) for edge, requests in sorted(needed.items())]


def _fitted(batch: Sequence[History], poll: NextPoll, schedule: ScheduleSettings, now: datetime) -> _Plan:
    """Keep a poll to its contest: rarely before the start and after the end, and never instead of a closing sweep."""
    plan = _Plan(batch=batch, at=poll.at, interval=poll.interval, reason=poll.reason)
    campaign = batch[0].campaign
    if (state := campaign.state(now)) != "running":
        plan = _rarely(plan, schedule, reason=_NOT_YET if state == "scheduled" else _RARELY)
    if state == "scheduled":
        return _before_the_start(plan, campaign, now)
    closing = [_closing_at(post, schedule, now) for post in batch]
    if all(closing) and (first := min(at for at in closing if at)) <= plan.at:
        return replace(plan, at=first, reason=_ENDS, by_itself=False)
    return plan


def _rarely(plan: _Plan, schedule: ScheduleSettings, reason: str) -> _Plan:
    looks = [at for post in plan.batch if (at := post.had_its_turn_at)]
    if len(looks) < len(plan.batch):
        return plan
    return replace(plan, at=max(plan.at, min(looks) + limits_of(schedule).longest), reason=reason)


def _before_the_start(plan: _Plan, campaign: CampaignFacts, now: datetime) -> _Plan:
    look_at = campaign.rules.starts_at - _BEFORE_THE_START
    has_looked = all(post.sweeps and post.sweeps[-1].touched_at >= look_at for post in plan.batch)
    if has_looked or plan.at <= look_at:
        return plan
    return replace(plan, at=max(look_at, now), reason=_LAST_LOOK)


def _closing_at(post: History, schedule: ScheduleSettings, now: datetime) -> datetime | None:
    """Say when a post's next closing sweep is."""
    return min((at for edge in edges(post.campaign, schedule) if (at := closes_at(post, edge[1], now))), default=None)


def _polls(plans: Iterable[_Plan]) -> Iterator[Appointment]:
    for plan in plans:
        if plan.by_itself:
            entry_ids = tuple(post.entry_id for post in plan.batch)
            yield Appointment(purpose=Purpose.POLL, at=plan.at, entry_ids=entry_ids, reason=plan.reason)


def _next(plans: Iterable[_Plan]) -> Mapping[int, tuple[datetime | None, str]]:
    return {post.entry_id: (plan.at.replace(microsecond=0), plan.reason) for plan in plans for post in plan.batch}


def _store(
    at: Installation, histories: Iterable[History], found: Mapping[int, tuple[datetime | None, str | None]]
) -> None:
    """Put beside each post when it is read next and why, where that has changed enough to be worth a write."""
    changes, now = [], at.now()
    for history in histories:
        entry, (next_poll_at, reason) = history.entry, found.get(history.entry_id, (None, None))
        if entry.next_poll_reason != reason or _is_another_time(entry.next_poll_at, next_poll_at, now):
            changes.append({"this": entry.id, "next_poll_at": next_poll_at, "next_poll_reason": reason})
    if changes:
        with at.database.writing() as session:
            session.connection().execute(_SET_NEXT_POLL, changes)


def _is_another_time(before: datetime | None, after: datetime | None, now: datetime) -> bool:
    """Tell two times apart, but not two that are over: a poll that is overdue is planned for now, again and again."""
    if before is None or after is None:
        return before is not after
    return abs(after - before) >= _NEAR and max(before, after) > now
