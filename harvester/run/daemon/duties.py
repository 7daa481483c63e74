"""What the daemon does at each appointment; what a command or a night has done meanwhile is not done again."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from harvester.contest.campaigns import find_campaign
from harvester.run.alerts.attend import Notify, attend
from harvester.run.daemon.timetable import Appointment, Purpose
from harvester.run.night.nightly import WriteReport, nightly
from harvester.run.poll import follow_up, read_all
from harvester.run.reader import Reader, ShouldStop, Work
from harvester.run.settle import settle
from harvester.run.work import work_of
from harvester.store.installation import Installation
from harvester.store.kinds import SweepOutcome

log = logging.getLogger(__name__)


class Duties:
    """Keeps appointments, many at a time: the connectors stay open between them."""

    def __init__(
        self,
        at: Installation,
        reader: Reader,
        *,
        report: WriteReport,
        notify: Notify,
        author: str,
        should_stop: ShouldStop,
    ) -> None:
        self._at = at
        self._reader = reader
        self._report = report
        self._notify = notify
        self._author = author
        self._should_stop = should_stop
        self._claims = reader.claims
        self._by_purpose: Mapping[Purpose, Callable[[Appointment], None]] = {
            Purpose.POLL: self._poll,
            Purpose.GLANCE: self._glance,
            Purpose.CLOSING: self._close,
            Purpose.LATE_CLOSING: self._close,
            Purpose.SETTLEMENT: self._settle,
            Purpose.NIGHTLY: self._nightly,
        }

    def keep(self, appointment: Appointment) -> None:
        """Do what an appointment is for, unless everything is to end."""
        if not self._should_stop():
            self._by_purpose[appointment.purpose](appointment)

    def attend(self) -> None:
        """Tell what is wrong, and what no longer is."""
        if not self._should_stop():
            attend(self._at, self._notify)

    def _poll(self, appointment: Appointment) -> None:
        entry_ids = appointment.entry_ids
        with self._claims.poll(entry_ids) as is_free:
            work = self._work(entry_ids) if is_free else ()
            for batch in self._reader.batches(work):
                self._reader.read(
                    batch,
                    wants_full=False,
                    should_stop=lambda: self._should_stop() or self._claims.are_claimed(entry_ids),
                )
        if work:
            follow_up(self._at, {one.campaign.id: one.campaign for one in work}.values())

    def _glance(self, appointment: Appointment) -> None:
        if work := self._work(appointment.entry_ids):
            self._reader.glance(work)

    def _close(self, appointment: Appointment) -> None:
        """Begin at once with the posts that nobody polls, for it is late already; then take the others."""
        work = self._work(appointment.entry_ids)
        fields = {"task": appointment.key, "posts": len(work), "due_at": appointment.at.isoformat()}
        log.info("%s: reading %s posts to their end", appointment.key, len(work), extra=fields)
        with self._claims.claim(appointment.entry_ids) as polled:
            self._read_to_the_end([one for one in work if one.entry_id not in polled])
            self._read_to_the_end([one for one in work if one.entry_id in polled])

    def _read_to_the_end(self, work: Sequence[Work]) -> None:
        read_all(self._at, self._reader, work, wants_full=True, should_stop=self._should_stop)

    def _settle(self, appointment: Appointment) -> None:
        with self._at.database.reading() as session:
            campaign = find_campaign(session, str(appointment.campaign))
        result = settle(
            self._at, self._reader, campaign, author=self._author, accept_gap=None, should_stop=self._should_stop
        )
        if result.is_settled:
            fields = {"campaign": result.campaign, "likes": result.likes, "bytes": result.bytes}
            log.info("%s is settled: %s likes, %s bytes", result.campaign, result.likes, result.bytes, extra=fields)
        for post in result.left_over:
            fields = {"campaign": result.campaign, "post": post.url}
            log.warning("%s is not settled: %s: %s", result.campaign, post.url, post.reason, extra=fields)

    def _nightly(self, _: Appointment) -> None:
        summary = nightly(
            self._at,
            report=self._report,
            notify=self._notify,
            author=self._author,
            should_stop=self._should_stop,
            reader=self._reader,
        )
        level = logging.INFO if summary.outcome is SweepOutcome.COMPLETE else logging.WARNING
        why = f": {summary.reason}" if summary.reason else ""
        log.log(level, "the night's work is %s%s", summary.outcome, why, extra={"outcome": str(summary.outcome)})

    def _work(self, entry_ids: Collection[int]) -> Sequence[Work]:
        """Find the posts of an appointment that are still to be read."""
        with self._at.database.reading() as session:
            return [one for one in work_of(session, entry_ids) if one.is_open]
