"""Settles a campaign: what still lacks its closing sweep is read first, then the end is booked, once."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from harvester.collect.progress import Ending
from harvester.config import ScheduleSettings
from harvester.contest.campaigns import CampaignFacts
from harvester.contest.closing import LeftOver, awaited
from harvester.contest.settlement import (
    SettlementResult,
    check_may_settle,
    check_was_a_contest,
    settle_campaign,
    settlement_of,
)
from harvester.run.poll import read_all
from harvester.run.reader import EntryResult, Reader, ShouldStop, open_work
from harvester.store.installation import Installation
from harvester.store.kinds import SweepOutcome

__all__ = ["LeftOver", "SettlementResult", "settle", "settlement_due_at"]

_MOST_ROUNDS = 3
"""The end of a sweep that began before the campaign's, the closing sweep, and the second look for who was missed."""


def settlement_due_at(campaign: CampaignFacts, schedule: ScheduleSettings) -> datetime:
    """Say when a campaign is settled by itself: the grace after its end."""
    return campaign.rules.ends_at + timedelta(hours=schedule.grace_hours)


def settle(
    at: Installation,
    reader: Reader,
    campaign: CampaignFacts,
    *,
    author: str,
    accept_gap: str | None,
    should_stop: ShouldStop = lambda: False,
) -> SettlementResult:
    """Read what still must be read, then book the end; a campaign that is settled stays as it is.

    Raise `UsageError` before the campaign's end, and when nobody says why a campaign without a post is to pay its
    floor. Who is asked to stop accepts no gap: it would be of his own making.
    """
    check_may_settle(campaign, at.now(), accept_gap)
    with at.database.reading() as session:
        if settled := settlement_of(session, campaign):
            return settled
        if accept_gap is None:
            check_was_a_contest(session, campaign)
    tried = _read_to_the_end(at, reader, campaign, should_stop)
    accepted = None if should_stop() else accept_gap
    with at.database.writing() as session:
        return settle_campaign(session, campaign, tried, author=author, accept_gap=accepted, now=at.now)


def _read_to_the_end(
    at: Installation, reader: Reader, campaign: CampaignFacts, should_stop: ShouldStop
) -> Mapping[int, Ending]:
    """Give every post the sweeps it still lacks; one whose sweep did not end complete is not asked again now."""
    tried: dict[int, Ending] = {}
    for _ in range(_MOST_ROUNDS):
        with at.database.reading() as session:
            wanted = awaited(session, campaign)
            posts = [one for one in open_work(session, campaign) if one.entry_id in wanted]
        work = [one for one in posts if _is_worth_it(one.entry_id, tried)]
        if not work:
            break
        results = read_all(at, reader, work, wants_full=True, should_stop=should_stop)
        tried |= {one.entry_id: _ending(result) for one, result in zip(work, results, strict=True)}
    return tried


def _is_worth_it(entry_id: int, tried: Mapping[int, Ending]) -> bool:
    return entry_id not in tried or tried[entry_id].outcome is SweepOutcome.COMPLETE


def _ending(result: EntryResult) -> Ending:
    return Ending(outcome=result.outcome, reason=result.reason, cause=result.cause, resume_at=result.resume_at)
