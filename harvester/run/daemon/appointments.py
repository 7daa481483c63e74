"""What can be due, and the dates that a campaign's end sets: its closing sweeps and its settlement.

What is done is decided by facts: a post is closed by a complete sweep of its whole list, begun at the edge or later.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from harvester.config import ScheduleSettings
from harvester.contest.campaigns import CampaignFacts
from harvester.run.daemon.watched import History, not_before, pause_asked
from harvester.run.settle import settlement_due_at

LATE_CLOSING_AFTER = timedelta(hours=24)
_BETWEEN_SETTLEMENTS = timedelta(hours=1)


class Purpose(StrEnum):
    """What an appointment is for."""

    POLL = "poll"
    GLANCE = "glance"
    CLOSING = "closing"
    LATE_CLOSING = "late_closing"
    SETTLEMENT = "settlement"
    NIGHTLY = "nightly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """Something to do, and when; what is overdue has an `at` in the past."""

    purpose: Purpose
    at: datetime
    entry_ids: tuple[int, ...] = ()
    campaign: str | None = None
    reason: str = ""

    @property
    def key(self) -> str:
        """Name the appointment the same way each time it is derived: 'poll:12', 'closing:afcon', 'nightly'."""
        about = self.campaign or (str(self.entry_ids[0]) if self.entry_ids else "")
        return f"{self.purpose}:{about}" if about else str(self.purpose)


def edges(campaign: CampaignFacts, schedule: ScheduleSettings) -> Sequence[tuple[Purpose, datetime]]:
    """Give the instants from which every post is read to its end once more; without any grace one settles by that."""
    end = campaign.rules.ends_at
    late = end + LATE_CLOSING_AFTER
    both = ((Purpose.CLOSING, end), (Purpose.LATE_CLOSING, late))
    return both if late < settlement_due_at(campaign, schedule) else both[:1]


def closings(
    campaign: CampaignFacts, posts: Sequence[History], schedule: ScheduleSettings, now: datetime
) -> Iterator[Appointment]:
    """Give what is left of a campaign's end: the closing sweeps, those a day later, the settlement."""
    settled = settlement_due_at(campaign, schedule)
    for purpose, edge in edges(campaign, schedule):
        is_made_up_for = purpose is Purpose.CLOSING and edge + LATE_CLOSING_AFTER <= now
        if max(now, edge) < settled and not is_made_up_for:
            yield from _closing(purpose, campaign, posts, edge, now)
    yield Appointment(
        purpose=Purpose.SETTLEMENT,
        at=_settlement_at(posts, settled),
        campaign=campaign.slug,
        reason="the grace after the contest's end is over",
    )


def closes_at(history: History, edge: datetime, now: datetime) -> datetime | None:
    """Say when to read a post for its closing at `edge`; None when that is done."""
    if history.full and history.full.started_at >= edge:
        return None
    wait = not_before(history, now)
    has_failed_since = history.has_failed and history.failing[0].touched_at >= edge
    return max(edge, wait) if wait and (pause_asked(history) or has_failed_since) else edge


def _closing(
    purpose: Purpose, campaign: CampaignFacts, posts: Iterable[History], edge: datetime, now: datetime
) -> Iterator[Appointment]:
    """Plan one reading of every post that may be read at the earliest time at which any may."""
    due = {post.entry_id: at for post in posts if (at := closes_at(post, edge, now))}
    if due:
        at = min(due.values())
        together = tuple(entry_id for entry_id, when in due.items() if when <= max(at, now))
        reason = "the contest ends" if purpose is Purpose.CLOSING else "a day after the contest's end"
        yield Appointment(purpose=purpose, at=at, entry_ids=together, campaign=campaign.slug, reason=reason)


def _settlement_at(posts: Iterable[History], due: datetime) -> datetime:
    """Settle when it is due; a post that could not be read since then says that this was tried, as it is hourly."""
    unread = [post.failing[0].touched_at for post in posts if post.failing and not post.was_interrupted]
    tried = [at for at in unread if at >= due]
    return max(tried) + _BETWEEN_SETTLEMENTS if tried else due
