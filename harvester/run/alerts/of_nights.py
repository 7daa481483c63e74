"""What the nightly jobs say: that none runs or one failed, what does not recompute, and what soon will not work."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import msgspec
from sqlmodel import Session, col, select

from harvester.books.audit import Problem
from harvester.contest.campaigns import CampaignFacts
from harvester.run.alerts.condition import Condition, number_of, write_utc
from harvester.run.doctor.findings import Finding, Health
from harvester.store.kinds import AlertKind, SweepOutcome
from harvester.store.models import Campaign, Night

LONGEST_WITHOUT_A_NIGHT = timedelta(hours=36)
"""A day and a half leaves room for a long night, and for one that began late."""

THE_NIGHTLY_JOB = "the nightly job"
_MEASURED = re.compile(r"[0-9,]+(?= s\b)")


class _Told(msgspec.Struct, frozen=True):
    """What is read here of a night's summary."""

    reason: str | None = None
    problems: tuple[Problem, ...] = ()
    findings: tuple[Finding, ...] = ()


def night_conditions(session: Session, unsettled: Sequence[CampaignFacts], now: datetime) -> Iterator[Condition]:
    """Give what is wrong with the nights, and what the newest one found."""
    last_two = session.exec(select(Night).order_by(col(Night.id).desc()).limit(2)).all()
    yield from _overdue(session, unsettled, now)
    if not last_two:
        return
    told = _told(last_two[0])
    yield from _books_broken(told.problems)
    if unsettled:
        yield from _incomplete(last_two, told)
        yield from _findings(told.findings)


def _told(night: Night) -> _Told:
    """A summary that another version of harvester wrote may have another form: then the outcome must do."""
    try:
        return msgspec.json.decode(night.summary, type=_Told)
    except msgspec.ValidationError:
        return _Told()


def _overdue(session: Session, unsettled: Sequence[CampaignFacts], now: datetime) -> Iterator[Condition]:
    """A contest that began, or was added later than that, may wait for its first night."""
    added = dict(session.exec(select(Campaign.id, Campaign.created_at)).all())
    begun = [max(one.rules.starts_at, added[one.id]) for one in unsettled]
    nights = session.exec(select(Night.started_at).order_by(col(Night.started_at).desc()).limit(1)).all()
    since = max([min(begun, default=now), *nights])
    if now - since > LONGEST_WITHOUT_A_NIGHT:
        yield Condition(
            kind=AlertKind.RUN_OVERDUE,
            subject=THE_NIGHTLY_JOB,
            message=f"The nightly job has not run since {write_utc(since)}, though a contest is being counted.",
            remedy="Start it by hand with 'harvester nightly'; then see that cron or 'harvester run' works.",
        )


def _incomplete(last_two: Sequence[Night], told: _Told) -> Iterator[Condition]:
    """One that failed is told at once, unless because of the books: these are told by themselves."""
    newest = last_two[0]
    has_failed = newest.outcome is SweepOutcome.FAILED and not told.problems
    is_second = len(last_two) > 1 and SweepOutcome.COMPLETE not in [one.outcome for one in last_two]
    if has_failed or is_second:
        before = ", and the one before was not complete either" if is_second else ""
        yield Condition(
            kind=AlertKind.NIGHT_INCOMPLETE,
            subject=THE_NIGHTLY_JOB,
            message=f"The nightly job of {write_utc(newest.started_at)} ended {newest.outcome}{before}: "
            f"{told.reason or 'no reason was given'}.",
            remedy="Its report names each trouble and what to do; 'harvester status' shows the posts.",
        )


def _books_broken(problems: Sequence[Problem]) -> Iterator[Condition]:
    by_campaign = groupby(sorted(problems, key=lambda one: one.campaign), key=lambda one: one.campaign)
    for campaign, group in by_campaign:
        first, *others = group
        more = f", and {number_of(len(others), 'more problem')}" if others else ""
        yield Condition(
            kind=AlertKind.BOOKS_BROKEN,
            subject=campaign,
            message=f"The books of {campaign} do not recompute: {first.about}: {first.what}{more}.",
            remedy="Change nothing, keep a copy of the database as it is, and call the auditor.",
        )


def _findings(findings: Sequence[Finding]) -> Iterator[Condition]:
    """Tell each of what works today and soon will not; one that only measures otherwise tonight is the same."""
    by_subject = {_subject(one): one for one in findings if one.health is Health.WARN}
    for subject, first in by_subject.items():
        yield Condition(
            kind=AlertKind.FINDING,
            subject=subject,
            message=f"{first.about}: {first.what}.",
            remedy=f"{first.remedy[:1].upper()}{first.remedy[1:]}." if first.remedy else "See 'harvester doctor'.",
        )


def _subject(finding: Finding) -> str:
    return f"{finding.about}: {_MEASURED.sub('…', finding.what)}"
