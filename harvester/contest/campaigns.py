"""Campaigns: a window, a zone, and rules that are fixed when it is made; only the rate has later versions."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from harvester.books.ledger import open_campaign_accounts
from harvester.books.rules import RateVersion, Rules
from harvester.clock import time_zone
from harvester.contest.times import write_time
from harvester.errors import UsageError
from harvester.store.keys import MasterKey
from harvester.store.kinds import Keeps, UniquePer
from harvester.store.models import Campaign, Rate, Settlement
from harvester.volume import Volume

DEFAULT_RATE = Volume(10_000_000)
DEFAULT_ZONE = "Africa/Casablanca"
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCampaign:
    """A campaign as a person asks for it."""

    slug: str
    name: str
    starts_at: datetime
    ends_at: datetime
    zone: ZoneInfo
    rate: Volume = DEFAULT_RATE
    cap: Volume | None = None
    floor: Volume | None = None
    keeps: Keeps = Keeps.EVER
    unique_per: UniquePer = UniquePer.POST

    def __post_init__(self) -> None:
        check_slug(self.slug)
        check_name("the name of a campaign", self.name)
        if self.ends_at <= self.starts_at:
            start, end = (write_time(edge, self.zone) for edge in (self.starts_at, self.ends_at))
            raise UsageError(f"campaign {self.slug!r} would end {end}, which is not after its start {start}")
        if self.rate == Volume(0):
            raise UsageError(f"campaign {self.slug!r} needs a rate above zero, such as 10MB")
        self._check_limits()

    def _check_limits(self) -> None:
        if self.cap is not None and self.cap < self.rate:
            raise UsageError(f"the cap {self.cap} is less than one like earns ({self.rate})")
        if self.floor == Volume(0):
            raise UsageError("a floor of nothing guarantees nothing: leave it out, or give one such as 20GB")
        if self.cap is not None and self.floor is not None and self.floor > self.cap:
            raise UsageError(f"the floor {self.floor} is above the cap {self.cap}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFacts:
    """A campaign as it stands."""

    id: int
    slug: str
    name: str
    zone: ZoneInfo
    rules: Rules
    sealed_key: bytes

    def state(self, now: datetime) -> str:
        """Say 'scheduled', 'running', 'ended' or 'settled'."""
        if self.rules.settled_at:
            return "settled"
        if now < self.rules.starts_at:
            return "scheduled"
        return "running" if now < self.rules.ends_at else "ended"


def check_slug(slug: str) -> None:
    """Refuse a name that would not survive a URL, a file name and a command line."""
    if not _SLUG.fullmatch(slug):
        raise UsageError(f"{slug!r} is not a slug: expected a-z, 0-9 and hyphens, at most 63, such as afcon-2027")


def check_name(what: str, name: str) -> None:
    """Refuse a name that nobody could read; `what` says whose it is."""
    if not name.strip():
        raise UsageError(f"{what} is blank: write the one that people read")


def check_reason(reason: str) -> None:
    """Refuse a decision that does not say why."""
    if not reason.strip():
        raise UsageError("a decision needs a reason, and this one is blank: say why")


def add_campaign(session: Session, master: MasterKey, new: NewCampaign, *, author: str, now: datetime) -> CampaignFacts:
    """Create a campaign with its key, its first rate and its accounts; one that is over would be settled unread."""
    if session.exec(select(Campaign.id).where(Campaign.slug == new.slug)).first():
        raise UsageError(f"the slug {new.slug!r} is taken: choose another, or see 'harvester campaign show {new.slug}'")
    if new.ends_at <= now:
        end, today = write_time(new.ends_at, new.zone), write_time(now, new.zone)
        raise UsageError(f"campaign {new.slug!r} would end {end}, but it is {today} already: expected an end to come")
    row = Campaign(
        slug=new.slug,
        name=new.name,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        timezone=new.zone.key,
        keeps=new.keeps,
        unique_per=new.unique_per,
        cap_bytes=new.cap.bytes if new.cap else None,
        floor_bytes=new.floor.bytes if new.floor else None,
        sealed_key=master.new_campaign_key(),
        created_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    session.add(
        _rate(row.id, new.rate, min(new.starts_at, now), reason="the campaign's first rate", author=author, now=now)
    )
    open_campaign_accounts(session, row.id)
    return find_campaign(session, new.slug)


def find_campaign(session: Session, slug: str) -> CampaignFacts:
    """Give a campaign by its slug."""
    row = session.exec(select(Campaign).where(Campaign.slug == slug)).one_or_none()
    if row is None:
        known = session.exec(select(Campaign.slug).order_by(Campaign.slug)).all()
        raise UsageError(f"no campaign is called {slug!r} (known: {', '.join(known) or 'none yet'})")
    return _facts(session, row)


def list_campaigns(session: Session) -> tuple[CampaignFacts, ...]:
    """Give all campaigns by their start."""
    rows = session.exec(select(Campaign).order_by(col(Campaign.starts_at), col(Campaign.id))).all()
    return tuple(_facts(session, row) for row in rows)


def open_campaigns(session: Session) -> tuple[CampaignFacts, ...]:
    """Give the campaigns that are still counted: those that are not settled."""
    return tuple(one for one in list_campaigns(session) if one.rules.settled_at is None)


def check_open(campaign: CampaignFacts) -> None:
    """Refuse to change what a settled campaign counts."""
    if campaign.rules.settled_at:
        on = write_time(campaign.rules.settled_at, campaign.zone)
        raise UsageError(f"campaign {campaign.slug!r} was settled on {on}: nothing is counted any more")


def change_rate(
    session: Session,
    campaign: CampaignFacts,
    rate: Volume,
    valid_from: datetime,
    *,
    reason: str,
    author: str,
    now: datetime,
) -> None:
    """Add a version of the rate; what was credited under earlier ones stays."""
    check_reason(reason)
    check_open(campaign)
    newest = campaign.rules.rates[-1]
    if rate == Volume(0):
        raise UsageError("a rate is above zero, such as 10MB")
    if valid_from < now:
        raise UsageError(f"a rate cannot change the past: {valid_from:%Y-%m-%d %H:%M} UTC is over")
    if valid_from <= newest.valid_from:
        raise UsageError(f"there is already a rate from {newest.valid_from:%Y-%m-%d %H:%M} UTC on: choose a later time")
    session.add(_rate(campaign.id, rate, valid_from, reason=reason, author=author, now=now))


def _rate(campaign_id: int, rate: Volume, valid_from: datetime, *, reason: str, author: str, now: datetime) -> Rate:
    return Rate(
        campaign_id=campaign_id,
        bytes_per_like=rate.bytes,
        valid_from=valid_from,
        reason=reason,
        author=author,
        made_at=now,
    )


def _facts(session: Session, row: Campaign) -> CampaignFacts:
    assert row.id is not None
    settled_at = session.exec(select(Settlement.settled_at).where(Settlement.campaign_id == row.id)).one_or_none()
    rates = session.exec(select(Rate).where(Rate.campaign_id == row.id).order_by(col(Rate.valid_from))).all()
    rules = Rules(
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        keeps=row.keeps,
        unique_per=row.unique_per,
        cap=Volume(row.cap_bytes) if row.cap_bytes is not None else None,
        floor=Volume(row.floor_bytes) if row.floor_bytes is not None else None,
        settled_at=settled_at,
        rates=tuple(
            RateVersion(id=rate.id or 0, per_like=Volume(rate.bytes_per_like), valid_from=rate.valid_from)
            for rate in rates
        ),
    )
    return CampaignFacts(
        id=row.id,
        slug=row.slug,
        name=row.name,
        zone=time_zone(row.timezone),
        rules=rules,
        sealed_key=row.sealed_key,
    )
