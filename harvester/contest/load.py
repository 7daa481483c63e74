"""A whole contest from one file: rules, associations, contestants and posts. Loading it twice changes nothing.

What a file cannot do is rewrite history: a campaign that exists under other rules is refused, line by line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlmodel import Session

from harvester.collect.registry import recognise
from harvester.contest.associations import (
    AssociationFacts,
    add_association,
    assign_association,
    has_share,
    list_associations,
    read_share,
)
from harvester.contest.campaigns import (
    CampaignFacts,
    NewCampaign,
    add_campaign,
    find_campaign,
    list_campaigns,
)
from harvester.contest.contest_file import CampaignTable, ContestFile, PostTable
from harvester.contest.entries import AddedPost, NewEntry, add_posts, find_or_add_entrant, has_entry
from harvester.contest.times import find_zone, read_time
from harvester.errors import UsageError
from harvester.store.installation import Installation
from harvester.store.kinds import SweepOutcome
from harvester.volume import Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a file changed; everything else was there already."""

    campaign: str
    is_new: bool
    associations: tuple[str, ...]
    posts: tuple[AddedPost, ...]

    @property
    def outcomes(self) -> tuple[SweepOutcome, ...]:
        return tuple(post.outcome for post in self.posts)


def load_contest(at: Installation, contest: ContestFile, *, author: str) -> Loaded:
    """Make what the file describes and is not there yet; the rules in one transaction, then each post by itself."""
    new = _new_campaign(contest.campaign)
    for post in contest.post:
        recognise(post.url, at.settings)
    posts = [_new_entry(one, new.zone) for one in contest.post]
    shares = {one.slug: read_share(one.share) for one in contest.association if one.share}
    with at.database.writing() as session:
        is_new = contest.campaign.slug not in {known.slug for known in list_campaigns(session)}
        if is_new:
            add_campaign(session, at.master, new, author=author, now=at.now())
        campaign = find_campaign(session, contest.campaign.slug)
        _refuse_other_rules(campaign, new)
        associations = _add_associations(session, contest)
        for slug, share in shares.items():
            if not has_share(session, campaign, slug):
                assign_association(session, campaign, slug, share, reason="contest file", author=author, now=at.now())
        for name in contest.entrants:
            find_or_add_entrant(session, campaign.id, name)
    return Loaded(
        campaign=campaign.slug, is_new=is_new, associations=associations, posts=_add_missing(at, campaign, posts)
    )


def _new_campaign(table: CampaignTable) -> NewCampaign:
    zone = find_zone(table.timezone)
    return NewCampaign(
        slug=table.slug,
        name=table.name,
        starts_at=read_time(table.start, zone),
        ends_at=read_time(table.end, zone),
        zone=zone,
        rate=Volume.parse(table.rate),
        cap=Volume.parse(table.cap) if table.cap is not None else None,
        floor=Volume.parse(table.floor) if table.floor is not None else None,
        keeps=table.keeps,
        unique_per=table.unique_per,
    )


def _refuse_other_rules(campaign: CampaignFacts, new: NewCampaign) -> None:
    rules = campaign.rules
    differences = {
        "start": (rules.starts_at, new.starts_at),
        "end": (rules.ends_at, new.ends_at),
        "timezone": (campaign.zone.key, new.zone.key),
        "first rate": (rules.rates[0].per_like, new.rate),
        "cap": (rules.cap, new.cap),
        "floor": (rules.floor, new.floor),
        "keeps": (rules.keeps, new.keeps),
        "unique_per": (rules.unique_per, new.unique_per),
    }
    for rule, (stands, wanted) in differences.items():
        if stands != wanted:
            raise UsageError(f"campaign {campaign.slug!r} exists with {rule} {stands}, the file says {wanted}")


def _add_associations(session: Session, contest: ContestFile) -> tuple[str, ...]:
    known = {one.slug: one for one in list_associations(session)}
    wanted = [
        AssociationFacts(
            slug=one.slug, name=one.name, name_ar=one.name_ar, name_fr=one.name_fr, city=one.city, region=one.region
        )
        for one in contest.association
    ]
    for one in wanted:
        if one.slug not in known:
            add_association(session, one)
        elif known[one.slug] != one:
            raise UsageError(f"the association {one.slug!r} exists with other details than the file's")
    session.flush()
    return tuple(one.slug for one in wanted if one.slug not in known)


def _add_missing(at: Installation, campaign: CampaignFacts, posts: Sequence[NewEntry]) -> tuple[AddedPost, ...]:
    with at.database.reading() as session:
        missing = [one for one in posts if not has_entry(session, campaign, one.pasted_url)]
    return add_posts(at, campaign, missing)


def _new_entry(table: PostTable, zone: ZoneInfo) -> NewEntry:
    return NewEntry(
        pasted_url=table.url,
        entrant=table.entrant,
        basis=table.basis,
        published_at=read_time(table.published, zone) if table.published else None,
        credit_existing=table.credit_existing,
    )
