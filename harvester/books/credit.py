"""One page of likers becomes observations and their credit, in the caller's one transaction.

The database decides what is new: the same rows that it inserted are the ones that earn, so a page read twice, a process
killed or a second process change nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel

from harvester.books.ledger import CampaignAccounts, Credit, credit_likes, credited_bytes, lock_campaign
from harvester.books.rules import Circumstances, Rules, instant_of, judge
from harvester.errors import StoreError
from harvester.store.database import insert_new
from harvester.store.models import Supporter, UniquePer, Verdict

_EARNS = (Verdict.CREDITED, Verdict.UNCERTAIN)

_observations = SQLModel.metadata.tables["observation"]
_handles = SQLModel.metadata.tables["sealed_handles"]
_sweeps = SQLModel.metadata.tables["sweep"]
_likers_of_page = _observations.c.pseudonym.in_(bindparam("likers", expanding=True))

# Built once: SQLAlchemy then compiles each a single time.
_KNOWN = select(
    _observations.c.pseudonym, _observations.c.sweep_id, _observations.c.last_sweep_id, _observations.c.absences
).where(_observations.c.entry_id == bindparam("entry"), _likers_of_page)
_SEEN_AGAIN = (
    update(_observations)
    .where(_observations.c.entry_id == bindparam("entry"), _likers_of_page)
    .values(last_sweep_id=bindparam("sweep"), absences=0)
)


class LeaseLostError(StoreError):
    """Another process went on with this sweep; it books the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A liker on a page, under the campaign's pseudonym."""

    pseudonym: bytes
    liked_at: datetime | None
    handle: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where an entry's likes are booked, under which rules; `seal` is None where no handle may be kept."""

    entry_id: int
    accounts: CampaignAccounts
    rules: Rules
    seal: Callable[[Mapping[bytes, str]], bytes] | None
    handles_expire_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSlip:
    """Which page this is: of which sweep, after how many others, with which cursor to go on."""

    sweep_id: int
    number: int
    cursor: str | None
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTally:
    """What a page added: likers met for the first time in this sweep, those new to the entry, those known before it."""

    listed: int
    new: int
    known_before: int


def record_page(
    session: Session, desk: Desk, slip: PageSlip, likers: Sequence[Sighting], found: Circumstances
) -> PageTally:
    """Store a page: its new likers, what they earn, and the cursor; raise `LeaseLostError` if somebody else did."""
    sightings = {one.pseudonym: one for one in likers}
    here = {"entry": desk.entry_id, "likers": list(sightings)}
    known = {row.pseudonym: row for row in session.connection().execute(_KNOWN, here)}
    met = [row for row in known.values() if row.last_sweep_id != slip.sweep_id]
    judged = _judge_all(session, desk, [one for liker, one in sightings.items() if liker not in known], found)
    _insert_observations(session, desk, slip, judged, found.seen_at)
    if met:
        seen_again = {"entry": desk.entry_id, "likers": [row.pseudonym for row in met], "sweep": slip.sweep_id}
        session.connection().execute(_SEEN_AGAIN, seen_again)
    _credit(session, desk, slip, judged, found)
    counts = Counter(str(verdict) for verdict in judged.values())
    counts.update(listed=len(judged) + len(met), new=len(judged), returned=sum(row.absences > 1 for row in met))
    _advance(session, slip, found.seen_at, counts)
    known_before = sum(row.sweep_id != slip.sweep_id for row in known.values())
    return PageTally(listed=counts["listed"], new=len(judged), known_before=known_before)


def _judge_all(session: Session, desk: Desk, new: Sequence[Sighting], found: Circumstances) -> dict[Sighting, Verdict]:
    """Judge the new likers; the one-per-campaign rule and the cap only take away."""
    judged = {one: judge(one.liked_at, found, desk.rules) for one in new}
    if desk.rules.unique_per is UniquePer.CAMPAIGN:
        _refuse_repeated(session, desk, judged)
    if desk.rules.cap:
        _refuse_over_cap(session, desk, judged, found)
    return judged


def _refuse_repeated(session: Session, desk: Desk, judged: dict[Sighting, Verdict]) -> None:
    """Let each person count once in the campaign; sorted, so that two pages never wait for each other crosswise."""
    earning = sorted((one for one in judged if judged[one] in _EARNS), key=lambda one: one.pseudonym)
    rows = [{"campaign_id": desk.accounts.campaign_id, "pseudonym": one.pseudonym} for one in earning]
    first_time = insert_new(session, Supporter, rows, returning="pseudonym")
    judged.update(dict.fromkeys((one for one in earning if one.pseudonym not in first_time), Verdict.REPEATED))


def _refuse_over_cap(session: Session, desk: Desk, judged: dict[Sighting, Verdict], found: Circumstances) -> None:
    """Credit whole likes while they fit under the cap."""
    assert desk.rules.cap
    lock_campaign(session, desk.accounts.campaign_id)
    left = desk.rules.cap.bytes - credited_bytes(session, desk.accounts.campaign_id)
    for one in (one for one in judged if judged[one] in _EARNS):
        left -= desk.rules.rate_at(instant_of(one.liked_at, found)).per_like.bytes
        if left < 0:
            judged[one] = Verdict.OVER_CAP


def _insert_observations(
    session: Session, desk: Desk, slip: PageSlip, judged: Mapping[Sighting, Verdict], seen_at: datetime
) -> None:
    """Insert the new likers; the primary key refuses, with the whole page, one that another process inserted."""
    rows = [
        {
            "entry_id": desk.entry_id,
            "pseudonym": one.pseudonym,
            "sweep_id": slip.sweep_id,
            "page": slip.number,
            "seen_at": seen_at,
            "liked_at": one.liked_at,
            "verdict": verdict,
            "last_sweep_id": slip.sweep_id,
            "absences": 0,
        }
        for one, verdict in judged.items()
    ]
    try:
        if rows:
            session.connection().execute(insert(_observations), rows)
    except IntegrityError as error:
        raise LeaseLostError("another process sweeps this post") from error
    handles = {one.pseudonym: one.handle for one in judged if one.handle}
    if handles and desk.seal:
        box = {"sweep_id": slip.sweep_id, "page": slip.number, "box": desk.seal(handles)}
        session.connection().execute(insert(_handles), box | {"expires_at": desk.handles_expire_at})


def _credit(
    session: Session, desk: Desk, slip: PageSlip, judged: Mapping[Sighting, Verdict], found: Circumstances
) -> None:
    """Book one transfer for each rate version under which likes of this page earn."""
    rates = [desk.rules.rate_at(instant_of(one.liked_at, found)) for one in judged if judged[one] in _EARNS]
    for rate, likes in Counter(rates).items():
        credit = Credit(likes=likes, per_like=rate.per_like, rate_id=rate.id, entry_id=desk.entry_id)
        key = f"sweep:{slip.sweep_id}:page:{slip.number}:rate:{rate.id}"
        credit_likes(session, desk.accounts, credit, key=key, at=found.seen_at)


def _advance(session: Session, slip: PageSlip, at: datetime, counts: Mapping[str, int]) -> None:
    """Move the sweep on by this page, unless it is no longer where this page began."""
    moved = session.connection().execute(
        update(_sweeps)
        .where(_sweeps.c.id == slip.sweep_id, _sweeps.c.pages == slip.number - 1)
        .values(
            pages=slip.number,
            cursor=slip.cursor,
            touched_at=at,
            requests=_sweeps.c.requests + slip.requests,
            **{name: _sweeps.c[name] + count for name, count in counts.items()},
        )
    )
    if moved.rowcount != 1:
        raise LeaseLostError("another process sweeps this post")
