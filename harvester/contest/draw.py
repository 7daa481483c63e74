"""A draw among likers: whoever has the smallest hash wins, so that anybody with the database can draw it again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.books.credit import EARNS
from harvester.books.standing import UNLIKED
from harvester.connector import Basis
from harvester.contest.campaigns import CampaignFacts
from harvester.errors import UsageError
from harvester.store.keys import CampaignKey
from harvester.store.kinds import EntryState, Keeps, SweepOutcome, Verdict
from harvester.store.models import Entry, Observation, SealedHandles, Sweep, Transfer

_IS_CREDITED = col(Observation.verdict).in_(EARNS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A liker who won, a post they liked, and their handle where it is still kept."""

    pseudonym: str
    url: str
    handle: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A draw and its proof; `candidates_sha256` is of all their pseudonyms, sorted, end to end."""

    campaign: str
    seed: str
    candidates: int
    candidates_sha256: str
    winners: tuple[Drawn, ...]


def rank_candidates(candidates: Iterable[bytes], seed: str, slug: str) -> list[bytes]:
    """Order pseudonyms by the SHA-256 of the seed, the campaign's slug and the pseudonym, end to end."""
    start = f"{seed}{slug}".encode()
    return sorted(candidates, key=lambda candidate: sha256(start + candidate).digest())


def draw_winners(
    session: Session, campaign: CampaignFacts, key: CampaignKey, *, number: int, seed: str, now: datetime
) -> Draw:
    """Draw among everyone with a credited like, by public randomness; refuse while it is not sure who that is."""
    if not seed.strip():
        raise UsageError("a draw needs a seed that nobody can choose, such as lottery numbers announced beforehand")
    _check_everyone_is_known(session, campaign, now)
    of_credited = select(Observation.pseudonym).join(Entry).where(Entry.campaign_id == campaign.id, _IS_CREDITED)
    candidates = sorted(set(session.exec(of_credited.distinct())) - _fallen(session, campaign))
    if number > len(candidates):
        raise UsageError(f"{number:,} winners cannot be drawn among {len(candidates):,} likers")
    return Draw(
        campaign=campaign.slug,
        seed=seed,
        candidates=len(candidates),
        candidates_sha256=sha256(b"".join(candidates)).hexdigest(),
        winners=_drawn(session, campaign.id, key, rank_candidates(candidates, seed, campaign.slug)[:number], now),
    )


def _fallen(session: Session, campaign: CampaignFacts) -> set[bytes]:
    """Find who was credited and, where a like must stand, likes nothing any more."""
    if campaign.rules.keeps is not Keeps.STANDING:
        return set()
    counts = col(Observation.verdict).in_((*EARNS, Verdict.REPEATED))
    likers = select(Observation.pseudonym).join(Entry).where(Entry.campaign_id == campaign.id, counts).distinct()
    standing = session.exec(likers.where(col(Observation.absences) < UNLIKED))
    return set(session.exec(likers)) - set(standing)


def _check_everyone_is_known(session: Session, campaign: CampaignFacts, now: datetime) -> None:
    counted = select(Entry.pasted_url).join(Transfer, col(Transfer.entry_id) == Entry.id).distinct()
    of_basis = counted.where(Entry.campaign_id == campaign.id, Entry.basis == Basis.COUNT)
    if posts := ", ".join(sorted(session.exec(of_basis))):
        raise UsageError(f"a draw among likers is not possible: these posts only show a number: {posts}")
    if now < campaign.rules.ends_at:
        raise UsageError(f"campaign {campaign.slug!r} has not ended: a draw now would leave out who likes later")
    if campaign.rules.settled_at:
        return
    if campaign.rules.keeps is Keeps.STANDING:
        raise UsageError(f"likes must stand at the settlement: run 'harvester campaign settle {campaign.slug}' first")
    if posts := ", ".join(_not_read_since(session, campaign.id, campaign.rules.ends_at)):
        raise UsageError(f"no complete sweep since the end, run 'harvester poll': {posts}")


def _not_read_since(session: Session, campaign_id: int, end: datetime) -> Sequence[str]:
    """Name the posts, of those still read, whose last sweep is older than the end or not complete."""
    newest = select(func.max(Sweep.id)).group_by(col(Sweep.entry_id))
    is_whole = (col(Sweep.outcome) == SweepOutcome.COMPLETE) & (col(Sweep.started_at) >= end)
    was_read = select(Sweep.entry_id).where(col(Sweep.id).in_(newest), is_whole)
    is_open = (col(Entry.campaign_id) == campaign_id) & col(Entry.state).in_((EntryState.OPEN, EntryState.MISSING))
    unread = select(Entry.pasted_url).where(is_open, col(Entry.id).not_in(was_read))
    return session.exec(unread.order_by(col(Entry.id))).all()


def _drawn(session: Session, campaign_id: int, key: CampaignKey, won: list[bytes], now: datetime) -> tuple[Drawn, ...]:
    """Find a post that each winner liked, one that kept their handle if there is one."""
    of_page = (col(SealedHandles.sweep_id) == Observation.sweep_id) & (col(SealedHandles.page) == Observation.page)
    rows = session.exec(
        select(Observation.pseudonym, Entry.pasted_url, SealedHandles.box)
        .join(Entry)
        .join(SealedHandles, of_page & (col(SealedHandles.expires_at) > now), isouter=True)
        .where(Entry.campaign_id == campaign_id, _IS_CREDITED, col(Observation.pseudonym).in_(won))
        .order_by(col(SealedHandles.sweep_id).nulls_first(), col(Observation.entry_id))
    )
    known = {one: (url, key.unseal(box).get(one) if box else None) for one, url, box in rows}
    return tuple(Drawn(pseudonym=one.hex(), url=known[one][0], handle=known[one][1]) for one in won)
