"""The nightly job: every list to its end, un-likes confirmed, settlements, the books checked, reports, alerts.

Each step stands alone: one that fails becomes a trouble of the summary and stops no other. A deadline ends what asks a
platform; what only asks the database is done every night all the same. A night that was killed, or whose sweeps the
database broke off, leaves no `Night` row: it is still due, and running it again is all there is to do.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import partial

import msgspec

from harvester.books.audit import Problem, audit_campaign
from harvester.collect.sweep import Stopped
from harvester.contest.campaigns import CampaignFacts, list_campaigns, open_campaigns
from harvester.errors import HarvesterError, StoreError
from harvester.run.alerts.attend import Notify, attend
from harvester.run.doctor.credentials import examine_connector
from harvester.run.doctor.doctor import time_zones
from harvester.run.doctor.findings import Finding, Health
from harvester.run.night.closings import campaign_nights, unconfirmed
from harvester.run.night.summary import Found, NightSummary, not_read, summed_up, with_trouble
from harvester.run.night.troubles import CORRECT_IT, REPORT_IT, Trouble
from harvester.run.poll import follow_up, read_all
from harvester.run.reader import EntryResult, Reader, ShouldStop, Work, open_work
from harvester.run.settle import SettlementResult, settle, settlement_due_at
from harvester.store.installation import Installation
from harvester.store.kinds import Cause, SweepOutcome
from harvester.store.models import Night

WriteReport = Callable[[NightSummary], None]
"""Leaves the night's report where people find it; raises `ConfigError` when it cannot."""

_STOPPED = Trouble(
    about="nightly job", what="stopped before its end", remedy="run it again: it is still due", cause=Cause.STOPPED
)
_PATIENCE = timedelta(hours=3)
"""How long a night may pace itself within the budgets, where no deadline says less."""

log = logging.getLogger(__name__)


def nightly(
    at: Installation,
    *,
    report: WriteReport,
    notify: Notify,
    author: str = "harvester",
    until: datetime | None = None,
    should_stop: ShouldStop = lambda: False,
    reader: Reader | None = None,
) -> NightSummary:
    """Do the night's work and keep its summary; a second nightly job beside a running one only says so.

    One that is asked to stop leaves no row and tells nobody, as if it had been killed: it is done again. `until` only
    ends the asking of platforms.

    Raise `StoreError` when the database cannot even keep the summary.
    """
    with ExitStack() as stack:
        if not stack.enter_context(at.database.lock("nightly")):
            return _refused(at.now())
        night = _Night(at, reader or stack.enter_context(Reader(at)), author, until, should_stop)
        night.work()
        if should_stop():
            return with_trouble(night.summary(), _STOPPED)
        return _told(at, night.summary() if night.is_broken_off else night.keep(report), notify)


def _refused(now: datetime) -> NightSummary:
    reason = "another nightly job is at work; nothing was done"
    return NightSummary(outcome=SweepOutcome.PARTIAL, reason=reason, started_at=now, ended_at=now)


def _told(at: Installation, summary: NightSummary, notify: Notify) -> NightSummary:
    """Send what is to be sent, the night's own row included; what did not arrive leaves the night partial."""
    unsent = 0

    def tell() -> None:
        nonlocal unsent
        unsent = attend(at, notify).unsent

    trouble = _attempted("alerts", tell)
    if unsent and at.settings.alerts.urls:
        what = f"{unsent:,} could not be delivered"
        trouble = Trouble(about="alerts", what=what, remedy="tried again at the next poll; see 'harvester alerts test'")
    return with_trouble(summary, trouble) if trouble else summary


def _attempted(about: str, step: Callable[[], object]) -> Trouble | None:
    """Do a step and say what ended it, if anything did."""
    try:
        step()
    except Stopped:
        return _STOPPED
    except HarvesterError as error:
        return Trouble(about=about, what=str(error), remedy=CORRECT_IT)
    except Exception as error:
        log.exception("%s broke off", about)
        what = f"broke off by an error in harvester ({type(error).__name__}): see the log"
        return Trouble(about=about, what=what, remedy=REPORT_IT, cause=Cause.DEFECT)
    return None


def _is_held_up(one: EntryResult, latest: datetime) -> bool:
    return one.cause is Cause.EXHAUSTED and one.resume_at is not None and one.resume_at <= latest


class _Night:
    """A night at work: its steps, what they found, and what troubled them."""

    def __init__(
        self, at: Installation, reader: Reader, author: str, until: datetime | None, should_stop: ShouldStop
    ) -> None:
        self._at, self._reader, self._author = at, reader, author
        self._until, self._should_stop = until, should_stop
        self._started_at = at.now()
        self._work: Sequence[Work] = ()
        self._results: dict[tuple[str, str], EntryResult] = {}
        self._confirmed = 0
        self._settlements: list[SettlementResult] = []
        self._problems: list[Problem] = []
        self._findings: list[Finding] = []
        self._troubles: list[Trouble] = []
        self.is_broken_off = False

    def work(self) -> None:
        """Do every step, whatever became of the one before."""
        steps = {
            "sweeps": self._sweep,
            "second sweeps": self._sweep_again,
            "settlements": self._settle,
            "integrity checks": self._audit,
            "expiry of handles": self._expire,
            "credentials": self._examine,
        }
        for about, step in steps.items():
            if not self._should_stop():
                self._attempt(about, step)

    def keep(self, report: WriteReport) -> NightSummary:
        """Write the night's report, and its summary into the database."""
        summary = self.summary()
        if trouble := _attempted("reports", lambda: report(summary)):
            summary = with_trouble(summary, trouble)
        with self._at.database.writing() as session:
            session.add(
                Night(
                    started_at=summary.started_at,
                    ended_at=summary.ended_at,
                    outcome=summary.outcome,
                    summary=msgspec.json.encode(summary).decode(),
                )
            )
        return summary

    def _attempt(self, about: str, step: Callable[[], object]) -> Trouble | None:
        if trouble := _attempted(about, step):
            self._troubles.append(trouble)
        return trouble

    def _sweep(self) -> None:
        try:
            self._sweep_all()
        except StoreError:
            self.is_broken_off = True
            raise

    def _sweep_all(self) -> None:
        with self._at.database.reading() as session:
            self._work = [one for campaign in open_campaigns(session) for one in open_work(session, campaign)]
        self._read(self._work)
        self._sweep_on()

    def _sweep_on(self) -> None:
        """Go on with what our own budgets held up, as they fill again; one that takes too long is not waited for."""
        latest = min(filter(None, (self._until, self._started_at + _PATIENCE)))
        while held_up := [one for one in self._work if _is_held_up(self._result(one), latest)]:
            goes_on = min(at for one in held_up if (at := self._result(one).resume_at))
            self._at.sleep(max((goes_on - self._at.now()).total_seconds(), 0))
            if self._is_over() or self._at.now() < goes_on:
                return
            self._read(held_up)

    def _is_over(self) -> bool:
        return self._should_stop() or (self._until is not None and self._at.now() >= self._until)

    def _read(self, work: Sequence[Work]) -> None:
        read_all(self._at, self._reader, work, wants_full=True, should_stop=self._is_over, on_done=self._note)

    def _note(self, result: EntryResult) -> None:
        self._results[result.campaign, result.url] = result

    def _sweep_again(self) -> None:
        """Read once more where somebody was absent once, and where another process was at it."""
        complete = [one.entry_id for one in self._work if self._result(one).outcome is SweepOutcome.COMPLETE]
        with self._at.database.reading() as session:
            waiting = unconfirmed(session, complete)
        was_taken = [one for one in self._work if self._result(one).cause is Cause.STOPPED and not self._is_over()]
        again = [one for one in self._work if one.entry_id in waiting]
        self._read([*again, *was_taken])
        self._confirmed = sum(self._result(one).outcome is SweepOutcome.COMPLETE for one in again)

    def _settle(self) -> None:
        with self._at.database.reading() as session:
            campaigns = open_campaigns(session)
        for campaign in campaigns:
            if settlement_due_at(campaign, self._at.settings.schedule) <= self._at.now():
                self._attempt(f"settlement of {campaign.slug}", partial(self._settle_one, campaign))

    def _settle_one(self, campaign: CampaignFacts) -> None:
        result = settle(
            self._at, self._reader, campaign, author=self._author, accept_gap=None, should_stop=self._is_over
        )
        self._settlements.append(result)

    def _audit(self) -> None:
        """Recompute every campaign, the settled ones too: what happened is appended, so it must still add up."""
        with self._at.database.reading() as session:
            slugs = [campaign.slug for campaign in list_campaigns(session)]
        for slug in slugs:
            about = f"integrity checks of {slug}"
            if self._attempt(about, partial(self._audit_one, slug)):
                what = "they broke off, so nothing is proven: rows may be missing that everything rests on"
                self._problems.append(Problem(campaign=slug, about="integrity checks", what=what))

    def _audit_one(self, slug: str) -> None:
        with self._at.database.reading() as session:
            self._problems.extend(audit_campaign(session, slug))

    def _expire(self) -> None:
        """Let credits follow and forget expired handles also where the sweeps came to nothing."""
        with self._at.database.reading() as session:
            campaigns = open_campaigns(session)
        follow_up(self._at, campaigns)

    def _examine(self) -> None:
        self._findings.append(time_zones(self._at.now()))
        for connector in self._connectors():
            self._attempt(connector, partial(self._examine_one, connector))

    def _examine_one(self, connector: str) -> None:
        self._findings.extend(examine_connector(self._at, connector, offline=self._is_over()))

    def _connectors(self) -> Sequence[str]:
        return sorted({one.entry.connector for one in self._work})

    def _result(self, one: Work) -> EntryResult:
        return self._results.get((one.campaign.slug, one.entry.pasted_url)) or not_read(one)

    def summary(self) -> NightSummary:
        """Sum up what was found until now."""
        results = [self._result(one) for one in self._work]
        slugs = dict.fromkeys(one.campaign.slug for one in self._work)
        with self._at.database.reading() as session:
            campaigns = campaign_nights(session, slugs, results, since=self._started_at, now=self._at.now())
        found = Found(
            campaigns=campaigns,
            results=results,
            settlements=tuple(self._settlements),
            problems=tuple(self._problems),
            findings=tuple(one for one in self._findings if one.health is not Health.OK),
            troubles=tuple(self._troubles),
        )
        return summed_up(found, self._started_at, self._at.now(), confirmed=self._confirmed)
