"""The look before launch: what each platform will and will not give, how often it may be asked, what must be cleared.

Every post is asked once, as the first poll would ask it. Nothing is stored.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import ceil

from sqlmodel import col, select

from harvester.collect.counts import read_count
from harvester.collect.registry import Platform, open_platforms
from harvester.connector import Basis, CountsLikes, NamesLikers, Outcome, Post
from harvester.contest.campaigns import CampaignFacts
from harvester.contest.times import ClockChange, clock_changes
from harvester.store.installation import Installation
from harvester.store.kinds import EntryState, SweepOutcome, UniquePer
from harvester.store.models import Entry

_SAFE_PART_OF_A_WINDOW = 2  # at most half of a capped list may be new at a poll, or likers may pass unseen


class Knowledge(StrEnum):
    """What a platform tells of a post today, with the credentials that are configured."""

    IDENTITIES = "identities"
    COUNT = "count"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPost:
    """What will be known of a post. `requests` is what one full reading takes, `shortest_interval` how often the
    budget allows that for all posts that share it (None: no budget is declared); `likes_an_hour_at_most` is how many
    new likes a platform that lists only its newest likers may get before one passes unseen, at that interval.
    """

    url: str
    connector: str
    basis: Basis
    knows: Knowledge
    displayed: int | None
    requests: int
    shortest_interval: timedelta | None
    likes_an_hour_at_most: int | None
    notes: tuple[str, ...]

    @property
    def outcome(self) -> SweepOutcome:
        return SweepOutcome.FAILED if self.knows is Knowledge.NEITHER else SweepOutcome.COMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to expect of a campaign: its posts, the clock changes inside its window, and the rules to have cleared."""

    campaign: str
    posts: tuple[PlannedPost, ...]
    clock_changes: tuple[ClockChange, ...]
    terms: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """A post as it was just read; `problem` says what stood in the way of knowing more."""

    knows: Knowledge
    displayed: int | None
    problem: str | None = None


def make_plan(at: Installation, campaign: CampaignFacts, *, likes_per_hour: int | None) -> Plan:
    """Ask every post of a campaign once, and work out what its platform will give at that rate of likes."""
    of_campaign = select(Entry).where(Entry.campaign_id == campaign.id, Entry.state != EntryState.REMOVED)
    with at.database.reading() as session:
        entries = session.exec(of_campaign.order_by(col(Entry.id))).all()
    with ExitStack() as stack:
        platforms = open_platforms(at, {entry.connector for entry in entries}, stack)
        looks = [_look(platforms[entry.connector], entry) for entry in entries]
    intervals = _intervals(platforms, entries, looks)
    posts = [
        _planned(
            campaign,
            platforms[entry.connector],
            entry,
            look,
            interval=intervals[entry.connector],
            likes_per_hour=likes_per_hour,
        )
        for entry, look in zip(entries, looks, strict=True)
    ]
    return Plan(
        campaign=campaign.slug,
        posts=tuple(posts),
        clock_changes=clock_changes(campaign.zone, campaign.rules.starts_at, campaign.rules.ends_at),
        terms={name: platform.connector.traits.terms for name, platform in platforms.items()},
    )


def _look(platform: Platform, entry: Entry) -> _Look:
    """Read a post's number and, where it is credited by likers, the first page of them."""
    post = Post(platform=entry.connector, native_id=entry.native_id, realm=entry.realm, url=entry.url)
    http, connector = platform.session(post), platform.connector
    displayed, problem = None, None
    try:
        count = read_count(connector, http, post)
        displayed = count.likes if count else None
        if entry.basis is Basis.IDENTITY and isinstance(connector, NamesLikers):
            page = connector.fetch_page(http, post, None)
            if page.likes or page.cursor or not displayed:
                return _Look(knows=Knowledge.IDENTITIES, displayed=displayed)
            problem = f"the list of likers is empty beside a count of {displayed:,}"
        elif displayed is None:
            problem = "the platform hides the number of likes"
    except Outcome as error:
        problem = str(error)
    knows = Knowledge.NEITHER if displayed is None else Knowledge.COUNT
    return _Look(knows=knows, displayed=displayed, problem=problem)


def _requests(platform: Platform, entry: Entry, look: _Look) -> int:
    """Say how many requests one full reading of a post takes: its list, and its number before and after."""
    traits = platform.connector.traits
    if entry.basis is Basis.COUNT:
        return 1
    listed = min(look.displayed or 0, traits.depth_limit or look.displayed or 0)
    numbers = 2 if isinstance(platform.connector, CountsLikes) else 0
    return max(1, ceil(listed / traits.page_max)) + numbers


def _intervals(
    platforms: Mapping[str, Platform], entries: Sequence[Entry], looks: Sequence[_Look]
) -> Mapping[str, timedelta | None]:
    """Say by connector how often all its posts can be read within its budgets: many numbers share one request."""
    lists: Counter[str] = Counter()
    numbers: Counter[tuple[str, str]] = Counter()
    for entry, look in zip(entries, looks, strict=True):
        if entry.basis is Basis.COUNT:
            numbers[entry.connector, entry.realm] += 1
        else:
            lists[entry.connector] += _requests(platforms[entry.connector], entry, look)
    for (name, _), posts in numbers.items():
        lists[name] += ceil(posts / platforms[name].connector.traits.batch_max)
    return {name: _interval(platform, lists[name]) for name, platform in platforms.items()}


def _interval(platform: Platform, requests: int) -> timedelta | None:
    return max((budget.per * requests / budget.requests for budget in platform.client.budgets), default=None)


def _planned(
    campaign: CampaignFacts,
    platform: Platform,
    entry: Entry,
    look: _Look,
    *,
    interval: timedelta | None,
    likes_per_hour: int | None,
) -> PlannedPost:
    safe = _safe_rate(platform, interval) if entry.basis is Basis.IDENTITY else None
    notes = (look.problem, *_warnings(campaign, entry), _risk(safe, likes_per_hour))
    return PlannedPost(
        url=entry.pasted_url,
        connector=entry.connector,
        basis=entry.basis,
        knows=look.knows,
        displayed=look.displayed,
        requests=_requests(platform, entry, look),
        shortest_interval=interval,
        likes_an_hour_at_most=safe,
        notes=tuple(note for note in notes if note),
    )


def _safe_rate(platform: Platform, interval: timedelta | None) -> int | None:
    """Say at how many new likes an hour a capped list still shows everybody between two readings."""
    limit = platform.connector.traits.depth_limit
    if limit is None or not interval:
        return None
    return int(limit / _SAFE_PART_OF_A_WINDOW / (interval / timedelta(hours=1)))


def _risk(safe: int | None, likes_per_hour: int | None) -> str | None:
    if safe is None:
        return None
    if likes_per_hour is None:
        return f"the list is capped: above {safe:,} likes an hour a liker can pass unseen"
    if likes_per_hour > safe:
        return f"the list is capped: at {likes_per_hour:,} likes an hour likers pass unseen (safe up to {safe:,})"
    return None


def _warnings(campaign: CampaignFacts, entry: Entry) -> tuple[str, ...]:
    """Say what of the rules a person may not expect for this post."""
    is_older = entry.published_at is None or entry.published_at < campaign.rules.starts_at
    warnings = {
        "it is older than the contest, or may be: what it has before is the baseline": is_older
        and entry.credit_existing is None,
        "its likers stay unknown: no draw among them, and nobody counts once per contest": entry.basis is Basis.COUNT
        and campaign.rules.unique_per is UniquePer.CAMPAIGN,
        "its likers stay unknown: no draw among them": entry.basis is Basis.COUNT
        and campaign.rules.unique_per is not UniquePer.CAMPAIGN,
    }
    return tuple(text for text, applies in warnings.items() if applies)
