"""Alerts: what is wrong is told once, and once more when it is over.

They are kept before they are sent, so that a message which could not be delivered is sent later. Three rules keep
people from being flooded: the same alert is sent at most once an hour, however often it comes back; a kind is sent at
most once in a quarter of an hour, so that what posts suffer from one after another is one message; and what was over
before anybody was told is never sent.

Milestones, holes and a reached cap only happen: each is told once for ever and has no recovery. What ends because its
contest is settled or its post removed was not mended: it is closed without a word.
"""

import logging
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, update
from sqlmodel import Session, col, select

from harvester.run.alerts.addresses import Address
from harvester.run.alerts.messages import Message, messages
from harvester.run.alerts.survey import Condition, Survey, survey
from harvester.store.installation import Installation
from harvester.store.kinds import AlertKind
from harvester.store.models import Alert

Notify = Callable[[str, str], bool]
"""Delivers a title and a body; False when nobody could be told: it is tried again next time."""

HAPPENS_ONCE = frozenset({AlertKind.MILESTONE, AlertKind.HOLE, AlertKind.CAP_REACHED})
_QUIET = timedelta(hours=1)
_TOGETHER = timedelta(minutes=15)
_MOST_FAILURES = 3
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsDone:
    """How many alerts were raised, how many are over, and of how many nobody could be told yet."""

    raised: int = 0
    recovered: int = 0
    unsent: int = 0


def notify_all(addresses: Sequence[Address]) -> Notify:
    """Tell every address.

    One that takes the message is enough: trying again for the others would tell the first ones again and again.
    Without any address nobody is told; alerts are kept all the same. An address that fails is logged when that begins.
    """
    failing: set[str] = set()

    def notify(title: str, body: str) -> bool:
        took = {address.name: address.deliver(title, body) for address in addresses}
        for name in [name for name, was_taken in took.items() if was_taken == (name in failing)]:
            if took[name]:
                log.info("alerts are delivered to %s again", name)
            else:
                log.warning("an alert could not be delivered to %s", name)
        failing.clear()
        failing.update(name for name, was_taken in took.items() if not was_taken)
        return any(took.values())

    return notify


def attend(at: Installation, notify: Notify) -> AlertsDone:
    """Raise what is wrong now, close what is over, and tell what was not told yet.

    While another process does so, there is nothing to do.
    """
    with at.database.lock("alerts") as is_ours:
        if not is_ours:
            return AlertsDone()
        raised, over = _changes(at)
        if raised or over:
            _log(raised)
            with at.database.writing() as session:
                session.add_all(raised)
                session.add_all(over)
        return AlertsDone(raised=len(raised), recovered=len(over), unsent=_send(at, notify))


def count_untold(session: Session) -> int:
    """Count the alerts that still matter and nobody was told of."""
    return session.exec(select(func.count()).select_from(Alert).where(*_matters_untold())).one()


def _changes(at: Installation) -> tuple[Sequence[Alert], Sequence[Alert]]:
    """Give what holds and has no alert, as new alerts, and the alerts of what no longer holds, closed."""
    found, now = survey(at), at.now()
    holding = {(one.kind.value, one.subject): one for one in found.conditions}
    is_kept = col(Alert.recovered_at).is_(None) | col(Alert.kind).in_(HAPPENS_ONCE)
    with at.database.reading() as session:
        kept = session.exec(select(Alert).where(is_kept).order_by(col(Alert.id))).all()
    known = {(one.kind, one.subject) for one in kept}
    over = [one for one in kept if one.recovered_at is None and (one.kind, one.subject) not in holding]
    raised = [_raised(one, now) for key, one in holding.items() if key not in known]
    return raised, [_closed(one, found, now) for one in over]


def _log(raised: Sequence[Alert]) -> None:
    """Log every alert, so that it is not only known where the addresses lead; a milestone is no warning."""
    for one in raised:
        level = logging.INFO if one.kind == AlertKind.MILESTONE else logging.WARNING
        fields = {"kind": one.kind, "subject": one.subject, "remedy": one.remedy}
        log.log(level, "%s", f"{one.message} {one.remedy}".rstrip(), extra=fields)


def _raised(condition: Condition, now: datetime) -> Alert:
    return Alert(
        kind=condition.kind,
        subject=condition.subject,
        message=condition.message,
        remedy=condition.remedy,
        raised_at=now,
        recovered_at=now if condition.kind in HAPPENS_ONCE else None,
    )


def _closed(alert: Alert, found: Survey, now: datetime) -> Alert:
    alert.recovered_at = now
    if not found.is_mended(alert.subject):
        alert.recovery_sent_at = now  # nobody is to be told
    return alert


def _send(at: Installation, notify: Notify) -> int:
    """Deliver what is due and note it; give how many alerts are left. A few failures in a row end the attempt."""
    with at.database.reading() as session:
        due = [*messages(_untold(session, at.now()), is_recovery=False)]
        due += messages(_untold_recoveries(session, at.now()), is_recovery=True)
    unsent, failures = 0, 0
    for message in due:
        if failures < _MOST_FAILURES and notify(message.title, message.body):
            # A process that dies between these two lines sends the message again: rather twice than never.
            _mark(at, message)
            failures = 0
        else:
            unsent, failures = unsent + len(message.alert_ids), failures + 1
    return unsent


def _mark(at: Installation, message: Message) -> None:
    column = "recovery_sent_at" if message.is_recovery else "sent_at"
    with at.database.writing() as session:
        session.exec(update(Alert).where(col(Alert.id).in_(message.alert_ids)).values({column: at.now()}))


def _matters_untold() -> tuple[Any, ...]:
    still_matters = or_(col(Alert.recovered_at).is_(None), col(Alert.kind).in_(HAPPENS_ONCE))
    return col(Alert.sent_at).is_(None), still_matters


def _untold(session: Session, now: datetime) -> Sequence[Alert]:
    """Give the alerts nobody was told of, but those whose like was sent within the hour: they wait."""
    recent = session.exec(select(Alert.kind, Alert.subject).where(col(Alert.sent_at) > now - _QUIET))
    quiet, held = set(recent.all()), _sent_just_now(session, col(Alert.sent_at), now)
    rows = session.exec(select(Alert).where(*_matters_untold()).order_by(col(Alert.id)))
    return [one for one in rows if one.kind not in held and (one.kind, one.subject) not in quiet]


def _untold_recoveries(session: Session, now: datetime) -> Sequence[Alert]:
    """Give the alerts that people were told of and that are over."""
    was_told = col(Alert.sent_at).is_not(None) & col(Alert.recovery_sent_at).is_(None)
    is_over = col(Alert.recovered_at).is_not(None) & col(Alert.kind).not_in(HAPPENS_ONCE)
    held = _sent_just_now(session, col(Alert.recovery_sent_at), now)
    rows = session.exec(select(Alert).where(was_told, is_over).order_by(col(Alert.id)))
    return [one for one in rows if one.kind not in held]


def _sent_just_now(session: Session, sent_at: Any, now: datetime) -> Set[str]:
    """Name the kinds of which people have just heard: the next ones are put together."""
    return set(session.exec(select(Alert.kind).where(sent_at > now - _TOGETHER).distinct()))
