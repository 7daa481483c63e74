"""Which credited likes no longer stand, where a like must: by post and by the credit that must come down.

A liker is gone after two complete sweeps in a row without them. Where only a number is known, what stands is the
closing count less the baseline, or the newest number where that is lower still: likes made after the end hold up
nothing. The newest credits go first.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from harvester.books.credit import EARNS
from harvester.books.ledger import CampaignAccounts, standing_credits
from harvester.books.rules import Rules
from harvester.connector import Basis
from harvester.errors import StoreError
from harvester.store.kinds import UniquePer, Verdict
from harvester.store.models import Entry, Observation, Reading, Sweep, Transfer

UNLIKED = 2
"""So many complete sweeps in a row without a liker are an un-like."""

_TAKEN_BACK = "taken back by those who liked: two complete sweeps in a row did not meet them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallen:
    """So many likes of one credit that no longer stand, and how that is known."""

    credit: Transfer
    likes: int
    reason: str

    @property
    def bytes(self) -> int:
        return self.credit.amount // self.credit.likes * self.likes


def fallen_likes(
    session: Session, accounts: CampaignAccounts, rules: Rules, entries: Iterable[Entry]
) -> tuple[Fallen, ...]:
    """Find what must be reversed of these entries' credits; never more than is still credited."""
    return tuple(one for entry in entries for one in _of_entry(session, accounts, rules, entry) if one.likes)


def _of_entry(session: Session, accounts: CampaignAccounts, rules: Rules, entry: Entry) -> Iterator[Fallen]:
    assert entry.id is not None
    booked = standing_credits(session, accounts, entry.id)
    if entry.basis is Basis.COUNT:
        yield from _fallen_number(session, entry.id, rules, booked)
        return
    gone = _gone_by_page(session, accounts.campaign_id, rules, entry.id)
    yield from _fallen_likers(gone, booked, rules)


_Gone = Mapping[str, Counter[str | None]]
"""Of each page's key, how many likers are gone, by the time of their likes."""


def _gone_by_page(session: Session, campaign_id: int, rules: Rules, entry_id: int) -> _Gone:
    unliked = (col(Observation.entry_id) == entry_id) & (col(Observation.absences) >= UNLIKED)
    likes = select(Observation.sweep_id, Observation.page, Observation.liked_at, func.count()).where(
        unliked, col(Observation.verdict).in_(EARNS)
    )
    if rules.unique_per is UniquePer.CAMPAIGN:
        likes = likes.where(~_stands_elsewhere(campaign_id))
    pages: defaultdict[str, Counter[str | None]] = defaultdict(Counter)
    for sweep_id, page, liked_at, number in session.exec(
        likes.group_by(col(Observation.sweep_id), col(Observation.page), col(Observation.liked_at))
    ):
        pages[f"sweep:{sweep_id}:page:{page}"][liked_at] += number
    return pages


def _stands_elsewhere(campaign_id: int) -> Any:
    """Tell that the same person's like of another post of the campaign stands, which did not count for this one."""
    other = aliased(Observation)
    entries = select(Entry.id).where(Entry.campaign_id == campaign_id)
    return (
        select(other.entry_id)
        .where(
            col(other.pseudonym) == col(Observation.pseudonym),
            col(other.entry_id).in_(entries),
            col(other.verdict) == Verdict.REPEATED,
            col(other.absences) < UNLIKED,
        )
        .exists()
    )


def _fallen_likers(gone: _Gone, booked: Sequence[tuple[Transfer, int]], rules: Rules) -> Iterator[Fallen]:
    of_page: defaultdict[str, list[Transfer]] = defaultdict(list)
    for credit, _ in booked:
        of_page[credit.key.rpartition(":rate:")[0]].append(credit)
    likes: Counter[int | None] = Counter()
    for page, times in gone.items():
        if not of_page[page]:
            raise StoreError(f"likes of {page} are credited by no transfer: the ledger is not whole")
        for liked_at, number in times.items():
            likes[_credit_of(liked_at, of_page[page], rules).id] += number
    for credit, left in booked:
        yield Fallen(credit=credit, likes=min(likes[credit.id], left), reason=_TAKEN_BACK)


def _credit_of(liked_at: str | None, of_page: Sequence[Transfer], rules: Rules) -> Transfer:
    """Find the credit of a like among those of its page: several are there only where the platform's clock decides."""
    if len(of_page) == 1:
        return of_page[0]
    by_rate = {credit.rate_id: credit for credit in of_page}
    versions = replace(rules, rates=tuple(rate for rate in rules.rates if rate.id in by_rate))
    instant = datetime.fromisoformat(liked_at) if liked_at else of_page[0].made_at
    return by_rate[versions.rate_at(instant).id]


def _fallen_number(
    session: Session, entry_id: int, rules: Rules, booked: Sequence[tuple[Transfer, int]]
) -> Iterator[Fallen]:
    """Take the excess over what stands from the newest credits backwards; a hidden number freezes them."""
    of_entry = select(Reading.likes).where(Reading.entry_id == entry_id).limit(1)
    newest = session.exec(of_entry.order_by(col(Reading.id).desc())).first()
    if newest is None:
        return
    since_end = of_entry.where(col(Reading.read_at) >= rules.ends_at, col(Reading.likes).is_not(None))
    closing = session.exec(since_end.order_by(col(Reading.id))).first()
    shown = newest if closing is None else min(closing, newest)
    baseline = select(func.coalesce(func.sum(Sweep.baseline), 0)).where(Sweep.entry_id == entry_id)
    excess = sum(left for _, left in booked) - max(shown - int(session.exec(baseline).one()), 0)
    for credit, left in reversed(booked):
        fallen = max(min(excess, left), 0)
        excess -= fallen
        yield Fallen(credit=credit, likes=fallen, reason=f"the number shown came down to {shown:,}")
