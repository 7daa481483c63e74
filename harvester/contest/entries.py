"""Entries: the posts of a campaign, under the platform's own ids, so that two URLs of one post are one entry."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from harvester.books.credit import Desk
from harvester.books.ledger import campaign_accounts
from harvester.collect.counts import locate, read_count
from harvester.collect.readings import book_count
from harvester.collect.registry import Platform, open_platforms, recognise
from harvester.connector import (
    Basis,
    Connector,
    Count,
    CountsLikes,
    Missing,
    NamesLikers,
    Outcome,
    Post,
    default_basis,
)
from harvester.contest.campaigns import CampaignFacts, check_name, check_open, check_reason
from harvester.errors import UsageError
from harvester.store.installation import Installation
from harvester.store.kinds import EntryState, SweepOutcome
from harvester.store.models import Entrant, Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """A post as a person adds it; `published_at` and the reason in `credit_existing` are what that person states.

    `basis` is what it is to be credited by; None leaves that to what its platform tells.
    """

    pasted_url: str
    entrant: str | None = None
    basis: Basis | None = None
    published_at: datetime | None = None
    credit_existing: str | None = None

    def __post_init__(self) -> None:
        if self.entrant is not None:
            check_name("the name of a contestant", self.entrant)
        if self.credit_existing is not None:
            check_reason(self.credit_existing)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedPost:
    """A post under its stable id, and what its platform said of it; `doubt` tells why it could not be read now."""

    post: Post
    count: Count | None
    doubt: str | None = None


class AlreadyEnteredError(UsageError):
    """The post is in the campaign, perhaps under another URL."""

    def __init__(self, campaign: CampaignFacts, entry: Entry) -> None:
        super().__init__(f"campaign {campaign.slug!r} already has this post, as {entry.pasted_url}")
        self.url = entry.pasted_url


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedPost:
    """What became of a pasted URL: an entry, with what the platform said of it, or the reason why not.

    `same_as` is the URL under which the post was added before.
    """

    url: str
    outcome: SweepOutcome
    reason: str | None = None
    same_as: str | None = None
    basis: Basis | None = None
    displayed: int | None = None
    published_at: datetime | None = None
    is_older_than_window: bool = False


def add_posts(at: Installation, campaign: CampaignFacts, wanted: Sequence[NewEntry]) -> tuple[AddedPost, ...]:
    """Look posts up and put them into a campaign, each by itself; nothing is added when a URL is not known at all."""
    check_open(campaign)
    posts = [(new, recognise(new.pasted_url, at.settings)) for new in wanted]
    with ExitStack() as stack:
        platforms = open_platforms(at, {post.platform for _, post in posts}, stack)
        return tuple(_add_post(at, campaign, new, platforms[post.platform], post) for new, post in posts)


def _add_post(at: Installation, campaign: CampaignFacts, new: NewEntry, platform: Platform, post: Post) -> AddedPost:
    try:
        basis = basis_of(platform.connector, new.basis)
        found = look_up(platform, post)
        with at.database.writing() as session:
            entry = add_entry(session, campaign, new, found, basis, now=at.now())
            if found.count and entry.basis is Basis.COUNT:
                _book_first_number(session, campaign, entry, found.count, at.now())
    except AlreadyEnteredError as error:
        return AddedPost(url=new.pasted_url, outcome=SweepOutcome.FAILED, reason=str(error), same_as=error.url)
    except (Outcome, UsageError) as error:
        return AddedPost(url=new.pasted_url, outcome=SweepOutcome.FAILED, reason=str(error))
    may_be_older = entry.published_at is None or entry.published_at < campaign.rules.starts_at
    return AddedPost(
        url=new.pasted_url,
        outcome=SweepOutcome.COMPLETE,
        reason=found.doubt,
        basis=entry.basis,
        displayed=entry.displayed,
        published_at=entry.published_at,
        is_older_than_window=may_be_older and entry.credit_existing is None,
    )


def basis_of(connector: Connector, wanted: Basis | None) -> Basis:
    """Say what a post there is credited by; `UsageError` when its platform cannot tell what is wanted."""
    if wanted is Basis.IDENTITY and not isinstance(connector, NamesLikers):
        raise UsageError(f"{connector.name} does not say who liked: its posts can only be counted (--basis count)")
    if wanted is Basis.COUNT and not isinstance(connector, CountsLikes):
        raise UsageError(f"{connector.name} does not count likes: its posts are credited by likers (--basis identity)")
    return wanted or default_basis(connector)


def look_up(platform: Platform, post: Post) -> LocatedPost:
    """Find a post's id and read it once; raise `Missing` for one that is gone, and any outcome that leaves no id."""
    http = platform.session(post)
    located = locate(platform.connector, http, post)
    try:
        return LocatedPost(post=located, count=read_count(platform.connector, platform.session(located), located))
    except Missing:
        raise
    except Outcome as error:
        return LocatedPost(post=located, count=None, doubt=str(error))


def add_entry(
    session: Session, campaign: CampaignFacts, new: NewEntry, found: LocatedPost, basis: Basis, *, now: datetime
) -> Entry:
    """Put a post into a campaign; one that was removed comes back, on the basis it had: its credits rest on that."""
    entry = _find(session, campaign.id, found.post)
    if entry is not None and entry.state is not EntryState.REMOVED:
        raise AlreadyEnteredError(campaign, entry)
    if entry is None:
        entry = Entry(
            campaign_id=campaign.id,
            connector=found.post.platform,
            realm=found.post.realm,
            native_id=found.post.native_id,
            url=found.post.url,
            pasted_url=new.pasted_url,
            basis=basis,
            added_at=now,
        )
    entry.state, entry.missing_since = EntryState.OPEN, None
    entry.credit_existing = new.credit_existing or entry.credit_existing
    entry.entrant_id = find_or_add_entrant(session, campaign.id, new.entrant) if new.entrant else entry.entrant_id
    entry.published_at = new.published_at or entry.published_at or (found.count.published_at if found.count else None)
    if found.count:
        entry.displayed, entry.displayed_at = found.count.likes, now
    session.add(entry)
    session.flush()
    return entry


def _book_first_number(session: Session, campaign: CampaignFacts, entry: Entry, count: Count, at: datetime) -> None:
    """Keep the number that the post has when it is added: of an older post, that is the baseline."""
    assert entry.id is not None
    accounts = campaign_accounts(session, campaign.id)
    desk = Desk(entry_id=entry.id, accounts=accounts, rules=campaign.rules, seal=None, handles_expire_at=at)
    book_count(session, desk, count, at, requests=1, credits_existing=entry.credit_existing is not None)


def has_entry(session: Session, campaign: CampaignFacts, url: str) -> bool:
    """Tell whether a URL was already pasted into a campaign, without asking any platform."""
    known = session.exec(select(Entry.state).where(Entry.campaign_id == campaign.id, Entry.pasted_url == url)).all()
    return any(state is not EntryState.REMOVED for state in known)


def remove_entry(session: Session, campaign: CampaignFacts, url: str, post: Post | None) -> None:
    """Stop polling a post; what it earned stays in the ledger."""
    by_url = (col(Entry.pasted_url) == url) | (col(Entry.url) == url)
    entry = session.exec(select(Entry).where(Entry.campaign_id == campaign.id, by_url)).first()
    entry = entry or (_find(session, campaign.id, post) if post else None)
    if entry is None or entry.state is EntryState.REMOVED:
        raise UsageError(f"campaign {campaign.slug!r} has no post {url}")
    entry.state = EntryState.REMOVED


def find_or_add_entrant(session: Session, campaign_id: int, name: str) -> int:
    """Give the contestant of that name."""
    check_name("the name of a contestant", name)
    row = session.exec(select(Entrant).where(Entrant.campaign_id == campaign_id, Entrant.name == name)).one_or_none()
    if row is None:
        row = Entrant(campaign_id=campaign_id, name=name)
        session.add(row)
        session.flush()
    assert row.id is not None
    return row.id


def _find(session: Session, campaign_id: int, post: Post) -> Entry | None:
    return session.exec(
        select(Entry).where(
            Entry.campaign_id == campaign_id, Entry.realm == post.realm, Entry.native_id == post.native_id
        )
    ).one_or_none()
