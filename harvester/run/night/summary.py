"""What a night came to, as frozen values: for a person in the morning, for cron's exit code, for the auditor later."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from harvester.books.audit import Problem
from harvester.contest.settlement import SettlementResult
from harvester.run.doctor.findings import Finding
from harvester.run.night import troubles
from harvester.run.night.troubles import Trouble
from harvester.run.reader import EntryResult, Work
from harvester.store.kinds import Cause, SweepOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignNight:
    """What the night did for a campaign, and what that has come to; `closing` is how many posts had theirs tonight.

    A post's closing sweep is its first complete one begun after the contest's end, its `late_closing` one the first
    begun a day after that or later; one sweep may be both.
    """

    campaign: str
    state: str
    posts: int
    complete: int
    credited: int
    likes: int
    bytes: int
    closing: int
    late_closing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """A post that was not read to its end."""

    campaign: str
    url: str
    connector: str
    outcome: SweepOutcome
    cause: Cause | None
    reason: str | None
    resume_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSummary:
    """A night as it ended; `confirmed` posts were read a second time because somebody was absent from them.

    `findings` are those that are not ok, the warnings too; `problems` are what does not recompute.
    """

    outcome: SweepOutcome
    reason: str | None
    started_at: datetime
    ended_at: datetime
    posts: int = 0
    complete: int = 0
    confirmed: int = 0
    campaigns: tuple[CampaignNight, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    settlements: tuple[SettlementResult, ...] = ()
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()
    remaining: tuple[Remaining, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the steps of a night found."""

    campaigns: tuple[CampaignNight, ...]
    results: Sequence[EntryResult]
    settlements: tuple[SettlementResult, ...]
    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]
    troubles: tuple[Trouble, ...]


def summed_up(found: Found, started_at: datetime, ended_at: datetime, *, confirmed: int) -> NightSummary:
    """Judge a night.

    It failed when the books do not add up or not one post could be read, for a reason that does not pass by itself;
    anything else that went wrong leaves it partial.
    """
    of_posts = troubles.of_posts(found.results)
    others = (*troubles.of_settlements(found.settlements), *troubles.of_findings(found.findings, of_posts))
    summary = NightSummary(
        outcome=SweepOutcome.COMPLETE,
        reason=None,
        started_at=started_at,
        ended_at=ended_at,
        posts=len(found.results),
        complete=sum(one.outcome is SweepOutcome.COMPLETE for one in found.results),
        confirmed=confirmed,
        campaigns=found.campaigns,
        troubles=(*of_posts, *others, *found.troubles),
        settlements=found.settlements,
        problems=found.problems,
        findings=found.findings,
        remaining=tuple(_remaining(one) for one in found.results if one.outcome is not SweepOutcome.COMPLETE),
    )
    return replace(summary, outcome=_outcome(summary), reason="; ".join(_reasons(summary)) or None)


def with_trouble(summary: NightSummary, trouble: Trouble) -> NightSummary:
    """Add what went wrong after the night was judged."""
    summary = replace(summary, troubles=(*summary.troubles, trouble))
    return replace(summary, outcome=_outcome(summary), reason="; ".join(_reasons(summary)))


def not_read(work: Work) -> EntryResult:
    """Say that a post was not even asked for, because the sweeps broke off before it."""
    return EntryResult(
        campaign=work.campaign.slug,
        url=work.entry.pasted_url,
        connector=work.entry.connector,
        outcome=SweepOutcome.FAILED,
        cause=Cause.STOPPED,
        reason="not read: the sweeps broke off before it",
        resume_at=None,
        pages=0,
        requests=0,
        new=0,
        credited=0,
    )


def _remaining(one: EntryResult) -> Remaining:
    return Remaining(
        campaign=one.campaign,
        url=one.url,
        connector=one.connector,
        outcome=one.outcome,
        cause=one.cause,
        reason=one.reason,
        resume_at=one.resume_at,
    )


def _outcome(summary: NightSummary) -> SweepOutcome:
    if summary.problems or _is_nothing_read(summary):
        return SweepOutcome.FAILED
    return SweepOutcome.PARTIAL if summary.troubles else SweepOutcome.COMPLETE


def _is_nothing_read(summary: NightSummary) -> bool:
    """A pause, a deadline or another process says nothing of whether anything could be read."""
    had_to_wait = (Cause.EXHAUSTED, Cause.THROTTLED, Cause.STOPPED)
    may_pass = any(one.cause in had_to_wait and one.outcome is SweepOutcome.PARTIAL for one in summary.remaining)
    return bool(summary.posts) and not summary.complete and not may_pass


def _reasons(summary: NightSummary) -> Iterator[str]:
    if summary.problems:
        yield f"the books do not recompute ({len(summary.problems):,})"
    if summary.remaining:
        yield f"not read to their end: {len(summary.remaining):,} of {summary.posts:,} posts"
    yield from (f"{one.about}: {one.what}" for one in summary.troubles if not one.posts)
