"""Alerts: what is wrong is told once, and once more when it is over.

They are kept before they are sent, so that a message which could not be delivered is sent later. Two rules keep people
from being flooded: the same alert is sent at most once an hour, however often it comes back; and what is wrong with
many posts at once is one message. An alert that was over before anybody was told is never sent.

Milestones, holes and a reached cap only happen: each is told once for ever and has no recovery.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlmodel import Session, col, select

from harvester.config import AlertSettings
from harvester.run.addresses import open_addresses
from harvester.run.conditions import Condition, conditions
from harvester.store.installation import Installation
from harvester.store.kinds import AlertKind
from harvester.store.models import Alert

Notify = Callable[[str, str], bool]
"""Delivers a title and a body; False when nobody could be told: it is tried again next time."""

HAPPENS_ONCE = frozenset({AlertKind.MILESTONE, AlertKind.HOLE, AlertKind.CAP_REACHED})
_HEADLINES = {
    AlertKind.RUN_OVERDUE: "nightly job overdue",
    AlertKind.NIGHT_INCOMPLETE: "nights not complete",
    AlertKind.POST_INCOMPLETE: "post not read to its end",
    AlertKind.POST_MISSING: "post missing",
    AlertKind.POST_GONE: "post gone",
    AlertKind.QUOTA_EXHAUSTED: "quota spent",
    AlertKind.GRANT_LOST: "access lost",
    AlertKind.GRANT_EXPIRING: "login ends soon",
    AlertKind.GAP: "gap in the likes",
    AlertKind.COUNT_FELL: "likes fell",
    AlertKind.SETTLEMENT_BLOCKED: "settlement overdue",
    AlertKind.CAP_REACHED: "cap reached",
    AlertKind.MILESTONE: "milestone",
    AlertKind.HOLE: "likers passed unseen",
}
_QUIET = timedelta(hours=1)
_MOST_SINGLE = 3
_MOST_FAILURES = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsDone:
    """How many alerts were raised, how many are over, and of how many nobody could be told yet."""

    raised: int = 0
    recovered: int = 0
    unsent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """What one delivery says, and the rows it settles."""

    title: str
    body: str
    alert_ids: Sequence[int]
    is_recovery: bool


def apprise_notify(settings: AlertSettings) -> Notify:
    """Tell every address of the settings; `ConfigError` when one is not an address.

    One that takes the message is enough: trying again for the others would tell the first ones again and again.
    Without any address nobody is told; alerts are kept all the same.
    """
    addresses = open_addresses(settings)

    def notify(title: str, body: str) -> bool:
        took = [address.deliver(title, body) for address in addresses]
        for address, was_taken in zip(addresses, took, strict=True):
            if not was_taken:
                log.warning("an alert could not be delivered to %s", address.name)
        return any(took)

    return notify


def attend(at: Installation, notify: Notify) -> AlertsDone:
    """Raise what is wrong now, close what is over, and tell what was not told yet.

    While another process does so, there is nothing to do.
    """
    with at.database.lock("alerts") as is_ours:
        if not is_ours:
            return AlertsDone()
        now = at.now()
        raised, over = _changes(at)
        if raised or over:
            with at.database.writing() as session:
                session.add_all(_row(one, now) for one in raised)
                session.exec(update(Alert).where(col(Alert.id).in_(over)).values(recovered_at=now))
        return AlertsDone(raised=len(raised), recovered=len(over), unsent=_send(at, notify))


def _changes(at: Installation) -> tuple[Sequence[Condition], Sequence[int | None]]:
    """Give what holds and has no alert, and the alerts of what no longer holds."""
    holding = {(one.kind.value, one.subject): one for one in conditions(at)}
    is_kept = col(Alert.recovered_at).is_(None) | col(Alert.kind).in_(HAPPENS_ONCE)
    with at.database.reading() as session:
        kept = session.exec(select(Alert).where(is_kept).order_by(col(Alert.id))).all()
    known = {(one.kind, one.subject) for one in kept}
    over = [one.id for one in kept if one.recovered_at is None and (one.kind, one.subject) not in holding]
    return [one for key, one in holding.items() if key not in known], over


def _row(condition: Condition, now: datetime) -> Alert:
    return Alert(
        kind=condition.kind,
        subject=condition.subject,
        message=condition.message,
        remedy=condition.remedy,
        raised_at=now,
        recovered_at=now if condition.kind in HAPPENS_ONCE else None,
    )


def _send(at: Installation, notify: Notify) -> int:
    """Deliver what is due and note it; give how many alerts are left. A few failures in a row end the attempt."""
    with at.database.reading() as session:
        messages = [*_messages(_untold(session, at.now())), *_messages(_untold_recoveries(session), is_recovery=True)]
    unsent, failures = 0, 0
    for message in messages:
        if failures < _MOST_FAILURES and notify(message.title, message.body):
            # A process that dies between these two lines sends the message again: rather twice than never.
            _mark(at, message)
            failures = 0
        else:
            unsent, failures = unsent + len(message.alert_ids), failures + 1
    return unsent


def _mark(at: Installation, message: _Message) -> None:
    column = "recovery_sent_at" if message.is_recovery else "sent_at"
    with at.database.writing() as session:
        session.exec(update(Alert).where(col(Alert.id).in_(message.alert_ids)).values({column: at.now()}))


def _untold(session: Session, now: datetime) -> Sequence[Alert]:
    """Give the alerts nobody was told of, but those whose like was sent within the hour: they wait."""
    is_due = col(Alert.sent_at).is_(None)
    still_matters = or_(col(Alert.recovered_at).is_(None), col(Alert.kind).in_(HAPPENS_ONCE))
    recent = select(Alert.kind, Alert.subject).where(col(Alert.sent_at) > now - _QUIET)
    quiet = set(session.exec(recent).all())
    rows = session.exec(select(Alert).where(is_due, still_matters).order_by(col(Alert.id)))
    return [one for one in rows if (one.kind, one.subject) not in quiet]


def _untold_recoveries(session: Session) -> Sequence[Alert]:
    """Give the alerts that people were told of and that are over."""
    was_told = col(Alert.sent_at).is_not(None) & col(Alert.recovery_sent_at).is_(None)
    is_over = col(Alert.recovered_at).is_not(None) & col(Alert.kind).not_in(HAPPENS_ONCE)
    return session.exec(select(Alert).where(was_told, is_over).order_by(col(Alert.id))).all()


def _messages(alerts: Sequence[Alert], *, is_recovery: bool = False) -> Iterator[_Message]:
    """Put alerts into messages: one each, or one for all of a kind where there are many."""
    by_kind: defaultdict[str, list[Alert]] = defaultdict(list)
    for alert in alerts:
        by_kind[alert.kind].append(alert)
    for group in by_kind.values():
        parts = [group] if len(group) > _MOST_SINGLE else [[alert] for alert in group]
        yield from (_message(part, is_recovery=is_recovery) for part in parts)


def _message(alerts: Sequence[Alert], *, is_recovery: bool) -> _Message:
    first, many = alerts[0], len(alerts)
    over = "over: " if is_recovery else ""
    times = f", {many:,} times" if many > 1 else ""
    lines = [_line(alert, is_recovery=is_recovery) for alert in alerts[:_MOST_SINGLE]]
    if many > _MOST_SINGLE:
        every = " --all" if is_recovery else ""
        lines.append(f"And {many - _MOST_SINGLE:,} more: see 'harvester alerts list{every}'.")
    if first.remedy and not is_recovery:
        lines.append(f"What to do: {first.remedy}")
    return _Message(
        title=f"harvester: {over}{_HEADLINES[AlertKind(first.kind)]}{times}",
        body="\n".join(lines),
        alert_ids=[alert.id for alert in alerts if alert.id],
        is_recovery=is_recovery,
    )


def _line(alert: Alert, *, is_recovery: bool) -> str:
    if not is_recovery:
        return alert.message
    return f"Over since {alert.recovered_at:%Y-%m-%d %H:%M} UTC. It was: {alert.message}"
