"""What is wrong now, or worth telling, read from the database alone: nothing is asked of any platform."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from harvester.collect.grants import Grant, read_grant
from harvester.collect.registry import installed
from harvester.connector import GrantLost
from harvester.contest.campaigns import CampaignFacts, list_campaigns
from harvester.run.alerts.condition import AGE_OF_NEWS, Condition, OpenAlerts, write_utc
from harvester.run.alerts.of_counts import count_conditions
from harvester.run.alerts.of_earnings import CREDITED, REVERSED, sponsor_sums
from harvester.run.alerts.of_nights import THE_NIGHTLY_JOB, night_conditions
from harvester.run.alerts.of_sweeps import sweep_conditions
from harvester.run.alerts.open_posts import OpenPosts, read_open_posts
from harvester.run.settle import settlement_due_at
from harvester.store.installation import Installation
from harvester.store.kinds import AlertKind
from harvester.store.models import Alert, StoredGrant

__all__ = ["Condition", "Survey", "survey"]

_PATIENCE_AFTER_DUE = timedelta(days=1)
_RENEWED_BEFORE_END = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Everything that holds at one moment, and the `subjects` of which something could hold.

    What no longer holds of any other subject was not mended: the contest is settled, or the post was removed.
    """

    conditions: tuple[Condition, ...]
    subjects: Set[str]

    def is_mended(self, subject: str) -> bool:
        """Tell whether it is good news that nothing is wrong with this any more; of a finding only the first words."""
        return subject in self.subjects or subject.partition(": ")[0] in self.subjects


def survey(at: Installation) -> Survey:
    """Look at one moment of the database."""
    with at.database.reading() as session:
        campaigns = list_campaigns(session)
        unsettled = [one for one in campaigns if one.rules.settled_at is None]
        posts = read_open_posts(session, unsettled)
        ours = {one.slug for one in campaigns} | ({THE_NIGHTLY_JOB, "time zones"} if unsettled else set())
        found = tuple(_all(session, at, campaigns, posts))
    return Survey(conditions=found, subjects=posts.subjects | ours)


def _all(
    session: Session, at: Installation, campaigns: Sequence[CampaignFacts], posts: OpenPosts
) -> Iterator[Condition]:
    now, known, unsettled = at.now(), _open_alerts(session), [*posts.campaigns.values()]
    ending = [*_grants_ending(session, at, posts.connectors)]
    yield from ending
    yield from _not_told_twice(night_conditions(session, unsettled, now), ending)
    yield from _settlement_blocked(at, unsettled, now)
    yield from _earned(session, at, campaigns, now)
    yield from sweep_conditions(session, posts, known, now)
    yield from count_conditions(session, posts, at.settings.alerts, known, now)


def _open_alerts(session: Session) -> OpenAlerts:
    return set(session.exec(select(Alert.kind, Alert.subject).where(col(Alert.recovered_at).is_(None))))


def _not_told_twice(conditions: Iterator[Condition], ending: Sequence[Condition]) -> Iterator[Condition]:
    """Leave out the findings that the same login would mend."""
    logins = [_login(one.subject) for one in ending]
    for one in conditions:
        if one.kind is not AlertKind.FINDING or not any(login in one.remedy for login in logins):
            yield one


def _settlement_blocked(at: Installation, unsettled: Sequence[CampaignFacts], now: datetime) -> Iterator[Condition]:
    for campaign in unsettled:
        due_at = settlement_due_at(campaign, at.settings.schedule)
        if now - due_at > _PATIENCE_AFTER_DUE:
            yield Condition(
                kind=AlertKind.SETTLEMENT_BLOCKED,
                subject=campaign.slug,
                message=f"{campaign.slug} should have been settled on {write_utc(due_at)}, and is not.",
                remedy=f"'harvester campaign settle {campaign.slug}' says which posts it waits for; with --accept-gap "
                "REASON it is settled without them.",
            )


def _grants_ending(session: Session, at: Installation, used: Sequence[str]) -> Iterator[Condition]:
    """Tell of grants that only a person can renew, and of those whose renewal is a day late."""
    soon = timedelta(days=at.settings.alerts.grant_days)
    is_used = col(StoredGrant.connector).in_(used) & col(StoredGrant.expires_at).is_not(None)
    for connector in session.exec(select(StoredGrant.connector).where(is_used).order_by(StoredGrant.connector)):
        grant = _readable(at, connector)
        expires_at = grant.tokens.expires_at if grant else None
        if not grant or not expires_at or grant.tokens.refresh:
            continue
        if expires_at - at.now() <= min(soon, _renewed_by(connector, grant)):
            yield Condition(
                kind=AlertKind.GRANT_EXPIRING,
                subject=connector,
                message=f"The login of {connector} ends on {write_utc(expires_at)}.",
                remedy=f"Log in again: {_login(connector)}.",
            )


def _login(connector: str) -> str:
    return f"'harvester connectors login {connector}'"


def _readable(at: Installation, connector: str) -> Grant | None:
    """One that another master key sealed cannot be used: the next sweep says so."""
    try:
        return read_grant(at, connector)
    except GrantLost:
        return None


def _renewed_by(connector: str, grant: Grant) -> timedelta:
    """Say how long before its end a grant that renews itself should have been renewed, and a day to do it."""
    oauth = getattr(installed().get(connector), "oauth", None)
    if oauth is None or not oauth.renew_url or grant.tokens.expires_at is None:
        return timedelta.max
    half_a_life = (grant.tokens.expires_at - grant.renewed_at) / 2
    return min(_RENEWED_BEFORE_END, half_a_life) - timedelta(days=1)


def _earned(
    session: Session, at: Installation, campaigns: Sequence[CampaignFacts], now: datetime
) -> Iterator[Condition]:
    """Tell what contests reached; of a settled one only while that is news."""
    news = {one.id: one for one in campaigns if not one.rules.settled_at or now - one.rules.settled_at <= AGE_OF_NEWS}
    credited, taken_back = (sponsor_sums(session, news, side) for side in (CREDITED, REVERSED))
    for key, campaign in news.items():
        (likes, volume), (fewer, less) = credited.get(key, (0, 0)), taken_back.get(key, (0, 0))
        yield from _cap_reached(campaign, volume - less, now)
        yield from _milestone(campaign, likes - fewer, at.settings.alerts.milestone_likes)


def _cap_reached(campaign: CampaignFacts, credited_bytes: int, now: datetime) -> Iterator[Condition]:
    cap, rate = campaign.rules.cap, campaign.rules.rate_at(now).per_like
    if cap and cap.bytes - credited_bytes < rate.bytes:
        yield Condition(
            kind=AlertKind.CAP_REACHED,
            subject=campaign.slug,
            message=f"{campaign.slug} reached its cap of {cap}: no further like earns anything.",
            remedy="Likes are still recorded, as over the cap. A larger budget is a new contest.",
        )


def _milestone(campaign: CampaignFacts, likes: int, step: int) -> Iterator[Condition]:
    reached = likes // step * step if step else 0
    if reached > 0:
        yield Condition(
            kind=AlertKind.MILESTONE,
            subject=f"{campaign.slug} {reached}",
            message=f"{campaign.slug} reached {reached:,} credited likes.",
            remedy="",
        )
