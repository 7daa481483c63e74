"""What is wrong now, or worth telling, read from the database alone: nothing is asked of any platform."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from harvester.books.ledger import balances
from harvester.collect.grants import Grant, read_grant
from harvester.collect.registry import installed
from harvester.connector import GrantLost
from harvester.contest.campaigns import CampaignFacts, list_campaigns
from harvester.run.post_conditions import Condition, post_conditions, read_posts
from harvester.run.settle import settlement_due_at
from harvester.store.installation import Installation
from harvester.store.kinds import AccountKind, AlertKind, SweepOutcome
from harvester.store.models import Campaign, Night, StoredGrant

__all__ = ["Condition", "conditions"]

_LONGEST_NIGHTLESS = timedelta(hours=36)
_PATIENCE_AFTER_DUE = timedelta(days=1)
_AGE_OF_NEWS = timedelta(days=7)
_RENEWED_BEFORE_END = timedelta(days=7)


def conditions(at: Installation) -> tuple[Condition, ...]:
    """Look at one moment of the database and give everything that holds in it."""
    with at.database.reading() as session:
        return tuple(_all(session, at, at.now()))


def _all(session: Session, at: Installation, now: datetime) -> Iterator[Condition]:
    campaigns = list_campaigns(session)
    unsettled = [one for one in campaigns if one.rules.settled_at is None]
    posts = read_posts(session, {one.id: one.slug for one in unsettled})
    yield from _run_overdue(session, unsettled, now)
    yield from _nights_incomplete(session, unsettled)
    yield from _settlement_blocked(at, unsettled, now)
    yield from _grants_ending(session, at, posts.connectors)
    for campaign in campaigns:
        yield from _earned(session, at, campaign, now)
    yield from post_conditions(session, posts, at.settings.alerts, now)


def _run_overdue(session: Session, unsettled: Sequence[CampaignFacts], now: datetime) -> Iterator[Condition]:
    """A contest that began, or was added later than that, may wait for its first night."""
    added = dict(session.exec(select(Campaign.id, Campaign.created_at)).all())
    begun = [max(one.rules.starts_at, added[one.id]) for one in unsettled]
    nights = session.exec(select(Night.started_at).order_by(col(Night.started_at).desc()).limit(1)).all()
    since = max([min(begun, default=now), *nights])
    if now - since > _LONGEST_NIGHTLESS:
        yield Condition(
            kind=AlertKind.RUN_OVERDUE,
            subject="the nightly job",
            message=f"The nightly job has not run since {since:%Y-%m-%d %H:%M} UTC, though a contest is being counted.",
            remedy="Start it by hand with 'harvester nightly'; then see that cron or 'harvester run' works.",
        )


def _nights_incomplete(session: Session, unsettled: Sequence[CampaignFacts]) -> Iterator[Condition]:
    last_two = session.exec(select(Night.outcome).order_by(col(Night.id).desc()).limit(2)).all()
    if unsettled and len(last_two) > 1 and SweepOutcome.COMPLETE not in last_two:
        yield Condition(
            kind=AlertKind.NIGHT_INCOMPLETE,
            subject="the nightly job",
            message=f"The last two nightly jobs did not end complete; the newest is {last_two[0]}.",
            remedy="Its report names each trouble and what to do; 'harvester status' shows the posts.",
        )


def _settlement_blocked(at: Installation, unsettled: Sequence[CampaignFacts], now: datetime) -> Iterator[Condition]:
    for campaign in unsettled:
        due_at = settlement_due_at(campaign, at.settings.schedule)
        if now - due_at > _PATIENCE_AFTER_DUE:
            yield Condition(
                kind=AlertKind.SETTLEMENT_BLOCKED,
                subject=campaign.slug,
                message=f"{campaign.slug} should have been settled on {due_at:%Y-%m-%d %H:%M} UTC, and is not.",
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
                message=f"The login of {connector} ends on {expires_at:%Y-%m-%d %H:%M} UTC.",
                remedy=f"Log in again: 'harvester connectors login {connector}'.",
            )


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


def _earned(session: Session, at: Installation, campaign: CampaignFacts, now: datetime) -> Iterator[Condition]:
    """Tell what a contest reached; of a settled one only while that is news."""
    settled_at, step = campaign.rules.settled_at, at.settings.alerts.milestone_likes
    if settled_at and now - settled_at > _AGE_OF_NEWS:
        return
    sponsor = next(one for one in balances(session, campaign.id) if one.kind is AccountKind.SPONSOR)
    cap, rate = campaign.rules.cap, campaign.rules.rate_at(now).per_like
    if cap and cap.bytes + sponsor.bytes < rate.bytes:
        yield Condition(
            kind=AlertKind.CAP_REACHED,
            subject=campaign.slug,
            message=f"{campaign.slug} reached its cap of {cap}: no further like earns anything.",
            remedy="Likes are still recorded, as over the cap. A larger budget is a new contest.",
        )
    reached = -sponsor.likes // step * step if step else 0
    if reached > 0:
        yield Condition(
            kind=AlertKind.MILESTONE,
            subject=f"{campaign.slug} {reached}",
            message=f"{campaign.slug} reached {reached:,} credited likes.",
            remedy="",
        )
