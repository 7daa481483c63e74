"""A trial: sweep public posts in a database that exists only for the moment."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from sqlmodel import select

from harvester.clock import Now, time_zone
from harvester.collect.gaps import held
from harvester.collect.registry import find, recognise
from harvester.config import Settings
from harvester.connector import Basis, default_basis
from harvester.contest.campaigns import CampaignFacts, NewCampaign, add_campaign
from harvester.contest.entries import AddedPost, NewEntry, add_posts
from harvester.run.poll import poll
from harvester.run.reader import EntryResult
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
from harvester.store.kinds import SweepOutcome
from harvester.store.models import Entry

_BEFORE_ANY_LIKE = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedPost:
    """What a post would earn; None is unknown, and `post_id` is as pasted for a post that could not be found."""

    url: str
    connector: str
    post_id: str
    basis: Basis
    displayed: int | None
    held: int | None
    gap: int | None
    likes: int
    bytes: int
    outcome: SweepOutcome
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What all posts together would earn."""

    posts: tuple[TriedPost, ...]
    likes: int
    bytes: int


def try_posts(urls: Sequence[str], settings: Settings, *, now: Now, sleep: Callable[[float], None]) -> Trial:
    """Sweep posts as a contest that began before any like; leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="harvester-try-") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'trial.db'}")
        try:
            at = Installation(
                database=database, settings=_without_handles(settings), master=_new_master(), now=now, sleep=sleep
            )
            return _try(at, urls)
        finally:
            database.engine.dispose()


def _try(at: Installation, urls: Sequence[str]) -> Trial:
    at.database.upgrade()
    with at.database.writing() as session:
        campaign = add_campaign(session, at.master, _contest(at.now()), author="trial", now=at.now())
    wanted = [NewEntry(pasted_url=url, credit_existing="trial") for url in dict.fromkeys(urls)]
    added = add_posts(at, campaign, wanted)
    results = {one.url: one for one in poll(at, [campaign], wants_full=True)}
    posts = [_tried(at, campaign, one, results.get(one.url)) for one in added]
    likes = sum(post.likes for post in posts)
    return Trial(posts=tuple(posts), likes=likes, bytes=sum(post.bytes for post in posts))


def _tried(at: Installation, campaign: CampaignFacts, added: AddedPost, result: EntryResult | None) -> TriedPost:
    """Say what a post would earn; the second URL of one post is fine and earns nothing more."""
    with at.database.reading() as session:
        entry = session.exec(select(Entry).where(Entry.pasted_url == added.url)).first()
        likers = held(session, campaign.id).get(entry.id) if entry else None
    pasted = recognise(added.url, at.settings)
    outcome, reason = (result.outcome, result.reason) if result else (added.outcome, added.reason)
    if added.same_as:
        outcome, reason = SweepOutcome.COMPLETE, f"the same post as {added.same_as}"
    displayed, basis = (entry.displayed, entry.basis) if entry else (None, default_basis(find(pasted.platform)))
    likes = (displayed if basis is Basis.COUNT else likers) or 0
    return TriedPost(
        url=added.url,
        connector=pasted.platform,
        post_id=entry.native_id if entry else pasted.native_id,
        basis=basis,
        displayed=displayed,
        held=likers,
        gap=displayed - likers if displayed is not None and likers is not None else None,
        likes=likes,
        bytes=(campaign.rules.rates[0].per_like * likes).bytes,
        outcome=outcome,
        reason=reason,
    )


def _contest(now: datetime) -> NewCampaign:
    return NewCampaign(
        slug="trial",
        name="trial",
        starts_at=_BEFORE_ANY_LIKE,
        ends_at=now + timedelta(days=366),
        zone=time_zone("UTC"),
    )


def _without_handles(settings: Settings) -> Settings:
    return settings.model_copy(update={"privacy": settings.privacy.model_copy(update={"handle_days": 0})})


def _new_master() -> MasterKey:
    return MasterKey(Fernet.generate_key().decode(), "the trial")
