"""When a glance pays: one request shows the counts of many posts whose lists would not be read for a while."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester.collect.cadence import Limits
from harvester.connector import Basis, Budget, Connector, CountsLikes
from harvester.run.daemon.watched import History

_PART = 10
"""Glances take at most one request in this many, and none of a budget that has not more."""

_FEWEST_POSTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A post that one may glance at, when its list is read next and how often."""

    post: History
    poll_at: datetime
    interval: timedelta


def may_glance(connector: Connector, budgets: Sequence[Budget]) -> bool:
    """Tell whether many counts come in one request, and whether that costs little of what is allowed."""
    is_cheap = all(budget.requests > _PART for budget in budgets)
    return isinstance(connector, CountsLikes) and connector.traits.batch_max > 1 and is_cheap


def left_for_polls(budgets: Sequence[Budget]) -> tuple[Budget, ...]:
    """Give what remains of budgets beside the glances."""
    return tuple(Budget(requests=one.requests - one.requests // _PART, per=one.per) for one in budgets)


def glances(
    looks: Sequence[Look], connector: Connector, budgets: Sequence[Budget], limits: Limits
) -> Iterator[tuple[datetime, Sequence[History]]]:
    """Say when to glance at which posts of one server; a batch pays when it shows posts that are not read before."""
    batches = [*_batches(looks, connector.traits.batch_max)]
    pace = max((_PART * one.per / one.requests for one in budgets), default=timedelta(0)) * len(batches)
    for batch in batches:
        every = max(limits.shortest, min(look.interval for look in batch) / 2, pace)
        at = max([_last_shown(look.post) + every for look in batch] + [*_pauses(batch)])
        if sum(look.poll_at > at for look in batch) >= _FEWEST_POSTS:
            yield at, [look.post for look in batch]


def _batches(looks: Sequence[Look], size: int) -> Iterator[Sequence[Look]]:
    by_realm: defaultdict[str, list[Look]] = defaultdict(list)
    for look in looks:
        if look.post.entry.basis is Basis.IDENTITY:
            by_realm[look.post.entry.realm].append(look)
    for group in by_realm.values():
        yield from (group[start : start + size] for start in range(0, len(group), size))


def _last_shown(post: History) -> datetime:
    return post.entry.displayed_at or post.entry.added_at


def _pauses(batch: Sequence[Look]) -> Iterator[datetime]:
    yield from (sweep.resume_at for look in batch for sweep in look.post.failing[:1] if sweep.resume_at)
