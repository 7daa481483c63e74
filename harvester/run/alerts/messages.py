"""How alerts are worded: one message for all of a kind, with their number and the first few."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harvester.run.alerts.condition import write_utc
from harvester.store.kinds import AlertKind
from harvester.store.models import Alert

_HEADLINES = {
    AlertKind.RUN_OVERDUE: "nightly job overdue",
    AlertKind.NIGHT_INCOMPLETE: "night not complete",
    AlertKind.BOOKS_BROKEN: "books do not recompute",
    AlertKind.FINDING: "soon a trouble",
    AlertKind.SERVER_FAILING: "server cannot be read",
    AlertKind.POST_INCOMPLETE: "post not read to its end",
    AlertKind.POST_MISSING: "post missing",
    AlertKind.POST_GONE: "post gone",
    AlertKind.QUOTA_EXHAUSTED: "quota spent",
    AlertKind.GRANT_LOST: "access lost",
    AlertKind.GRANT_EXPIRING: "login ends soon",
    AlertKind.GAP: "gap in the likes",
    AlertKind.COUNT_FELL: "likes fell",
    AlertKind.COUNT_HIDDEN: "number of likes hidden",
    AlertKind.SETTLEMENT_BLOCKED: "settlement overdue",
    AlertKind.CAP_REACHED: "cap reached",
    AlertKind.MILESTONE: "milestone",
    AlertKind.HOLE: "likers passed unseen",
}
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one delivery says, and the alerts it settles."""

    title: str
    body: str
    alert_ids: Sequence[int]
    is_recovery: bool


def messages(alerts: Sequence[Alert], *, is_recovery: bool) -> Iterator[Message]:
    """Put alerts into messages, one a kind."""
    by_kind: defaultdict[AlertKind, list[Alert]] = defaultdict(list)
    for alert in alerts:
        by_kind[AlertKind(alert.kind)].append(alert)
    for kind, group in by_kind.items():
        over, times = "over: " if is_recovery else "", f", {len(group):,} times" if len(group) > 1 else ""
        yield Message(
            title=f"harvester: {over}{_HEADLINES[kind]}{times}",
            body="\n".join(_over(group) if is_recovery else _wrong(group)),
            alert_ids=[alert.id for alert in group if alert.id],
            is_recovery=is_recovery,
        )


def _wrong(alerts: Sequence[Alert]) -> Iterator[str]:
    named = alerts[:_MOST_NAMED]
    yield from (alert.message for alert in named)
    yield from _more(alerts, "harvester alerts list")
    yield from (f"What to do: {remedy}" for remedy in dict.fromkeys(alert.remedy for alert in named) if remedy)


def _over(alerts: Sequence[Alert]) -> Iterator[str]:
    for alert in alerts[:_MOST_NAMED]:
        since = f" since {write_utc(alert.recovered_at)}" if alert.recovered_at else ""
        yield f"Over{since}. It was: {alert.message}"
    yield from _more(alerts, "harvester alerts list --all")


def _more(alerts: Sequence[Alert], command: str) -> Iterator[str]:
    if len(alerts) > _MOST_NAMED:
        yield f"And {len(alerts) - _MOST_NAMED:,} more: see '{command}'."
