"""What Prometheus may know: read from the database when it asks, in few statements, and kept for seconds.

A post is labelled by its platform's id, not by its link, which names a person. Posts are followed until their contest
is settled, so that the age of a sweep that nobody will make any more alarms nobody.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.collect.gaps import held, told_apart
from harvester.contest.campaigns import CampaignFacts, list_campaigns
from harvester.run.alerts.attend import count_untold
from harvester.run.alerts.of_earnings import CREDITED, REVERSED, sponsor_sums
from harvester.store.installation import Installation
from harvester.store.kinds import EntryState, SweepOutcome
from harvester.store.models import Alert, Entry, Night, Sweep

_POST = ("campaign", "connector", "realm", "post")
_READ = (EntryState.OPEN, EntryState.MISSING)
KEPT = timedelta(seconds=10)
"""For how long numbers answer that were read once: some of them add up a whole contest."""


def new_registry(at: Installation, pulse: Callable[[], datetime], *, kept: timedelta = KEPT) -> CollectorRegistry:
    """Give a registry of its own, which asks the database when it is asked, and keeps the answer for a while."""
    registry = CollectorRegistry()
    registry.register(_Numbers(at, pulse, kept))
    return registry


class _Numbers(Collector):
    def __init__(self, at: Installation, pulse: Callable[[], datetime], kept: timedelta) -> None:
        self._at = at
        self._pulse = pulse
        self._kept = kept
        self._reading = Lock()
        self._read_at = datetime.min.replace(tzinfo=UTC)
        self._found: Sequence[Metric] = ()

    def collect(self) -> Iterator[Metric]:
        """Give what is known, and the pulse as it is now; two who ask at once wait for one reading."""
        now = self._at.now()
        with self._reading:
            if not timedelta(0) <= now - self._read_at < self._kept:
                self._found, self._read_at = self._read(now), now
            found = self._found
        yield from found
        age = max(0.0, (now - self._pulse()).total_seconds())
        yield GaugeMetricFamily("harvester_pulse_age_seconds", "Since the scheduler's loop last turned.", value=age)

    def _read(self, now: datetime) -> Sequence[Metric]:
        """Read everything in one moment of the database, and let go of it before anything is sent."""
        with self._at.database.reading() as session:
            campaigns = list_campaigns(session)
            return [
                *_credits(session, campaigns),
                *_about_posts(list(_posts(session, campaigns)), now),
                _requests(session),
                *_alerts(session),
                *_last_night(session, now),
            ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    labels: tuple[str, ...]
    displayed: int | None
    held: int | None
    gap: int | None
    complete_at: datetime | None
    outcome: SweepOutcome | None


def _credits(session: Session, campaigns: Sequence[CampaignFacts]) -> Iterator[Metric]:
    """Count what left the sponsor and what came back apart: a counter never falls."""
    for word, side in (("credited", CREDITED), ("reversed", REVERSED)):
        likes = CounterMetricFamily(f"harvester_{word}_likes", f"Likes {word}.", labels=("campaign",))
        volume = CounterMetricFamily(f"harvester_{word}_bytes", f"Bytes {word}.", labels=("campaign",))
        sums = sponsor_sums(session, [campaign.id for campaign in campaigns], side)
        for campaign in campaigns:
            for family, number in zip((likes, volume), sums.get(campaign.id, (0, 0)), strict=True):
                family.add_metric((campaign.slug,), number)
        yield from (likes, volume)


def _posts(session: Session, campaigns: Iterable[CampaignFacts]) -> Iterator[_Post]:
    """Give the posts that are still read."""
    open_ones = {campaign.id: campaign.slug for campaign in campaigns if campaign.rules.settled_at is None}
    likers = {entry: number for campaign in open_ones for entry, number in held(session, campaign).items()}
    newest_first = select(Sweep).where(Sweep.entry_id == Entry.id).order_by(col(Sweep.id).desc()).limit(1)
    ended = newest_first.where(col(Sweep.outcome).is_not(None)).with_only_columns(col(Sweep.outcome))
    complete = newest_first.where(Sweep.outcome == SweepOutcome.COMPLETE).with_only_columns(col(Sweep.touched_at))
    rows = session.exec(
        select(Entry, ended.scalar_subquery(), complete.scalar_subquery())
        .where(col(Entry.campaign_id).in_(open_ones), col(Entry.state).in_(_READ))
        .order_by(col(Entry.id))
    )
    apart = {entry for campaign in open_ones for entry in told_apart(session, campaign)}
    for entry, outcome, complete_at in rows:
        known = likers.get(entry.id)
        is_known = entry.displayed is not None and known is not None and entry.id not in apart
        yield _Post(
            labels=(open_ones[entry.campaign_id], entry.connector, entry.realm, entry.native_id),
            displayed=entry.displayed,
            held=known,
            gap=(entry.displayed or 0) - (known or 0) if is_known else None,
            complete_at=complete_at,
            outcome=outcome,
        )


def _about_posts(posts: Iterable[_Post], now: datetime) -> Iterator[Metric]:
    """Leave out what is not known: a missing number is not zero."""
    for name, what in (
        ("displayed", "Likes that the platform shows."),
        ("held", "Likers that we know and who still like the post."),
        ("gap", "Displayed less held."),
    ):
        family = GaugeMetricFamily(f"harvester_post_{name}_likes", what, labels=_POST)
        for post in posts:
            if (number := getattr(post, name)) is not None:
                family.add_metric(post.labels, number)
        yield family
    ages = GaugeMetricFamily(
        "harvester_post_complete_sweep_age_seconds", "Since the post was last read to the end.", labels=_POST
    )
    outcomes = GaugeMetricFamily(
        "harvester_post_last_outcome", "1 for how the newest sweep ended.", labels=(*_POST, "outcome")
    )
    for post in posts:
        if post.complete_at:
            ages.add_metric(post.labels, (now - post.complete_at).total_seconds())
        _add_outcome(outcomes, post.labels, post.outcome)
    yield from (ages, outcomes)


def _add_outcome(family: GaugeMetricFamily, labels: tuple[str, ...], outcome: SweepOutcome | None) -> None:
    if outcome:
        for word in SweepOutcome:
            family.add_metric((*labels, word), outcome is word)


def _requests(session: Session) -> Metric:
    family = CounterMetricFamily("harvester_requests", "Requests that sweeps sent.", labels=("connector",))
    rows = session.exec(
        select(Entry.connector, func.sum(Sweep.requests))
        .join(Sweep, col(Sweep.entry_id) == Entry.id)
        .group_by(col(Entry.connector))
        .order_by(col(Entry.connector))
    )
    for connector, number in rows:
        family.add_metric((connector,), int(number))
    return family


def _alerts(session: Session) -> Iterator[Metric]:
    """Count by kind; a kind that was ever raised stays, with zero when it is over."""
    family = GaugeMetricFamily("harvester_open_alerts", "Alerts that are not over.", labels=("kind",))
    still_open = func.count().filter(col(Alert.recovered_at).is_(None))
    for kind, number in session.exec(select(Alert.kind, still_open).group_by(Alert.kind).order_by(Alert.kind)):
        family.add_metric((kind,), number)
    yield family
    untold = count_untold(session)
    yield GaugeMetricFamily("harvester_alerts_unsent", "Alerts that nobody was told of yet.", value=untold)


def _last_night(session: Session, now: datetime) -> Iterator[Metric]:
    age = GaugeMetricFamily("harvester_night_age_seconds", "Since the last nightly job ended.", labels=())
    outcome = GaugeMetricFamily("harvester_night_outcome", "1 for how it ended.", labels=("outcome",))
    if night := session.exec(select(Night).order_by(col(Night.id).desc()).limit(1)).first():
        age.add_metric((), (now - night.ended_at).total_seconds())
        _add_outcome(outcome, (), night.outcome)
    yield from (age, outcome)
