"""One page of likers becomes observations and their credit, in the caller's one transaction.

The database decides what is new: the rows that it inserted are the ones that earn, so a page read twice, a process
killed or a second process change nothing.

A page travels as one statement: its likers as one strip of 16-byte pseudonyms, the times of their likes as one strip of
27 characters, which the database cuts apart. Row by row, a whole harvest took about a third longer.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, insert, text, update
from sqlmodel import Session, SQLModel, col

from harvester.books.ledger import CampaignAccounts, Credit, credit_likes, credited_bytes, lock_campaign
from harvester.books.rules import Circumstances, RateVersion, Rules, instant_of, judge
from harvester.errors import StoreError
from harvester.store.database import insert_new
from harvester.store.kinds import UniquePer, Verdict
from harvester.store.models import Observation, Supporter, Sweep

EARNS = (Verdict.CREDITED, Verdict.UNCERTAIN)

_PLACES = "WITH RECURSIVE place(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE i + 1 < :count)"
_LIKER = "substr(:likers, i * 16 + 1, 16)"
_TIME = "nullif(trim(substr(:times, i * 27 + 1, 27)), '')"
_OF_PAGE = f"entry_id = :entry AND pseudonym IN ({_PLACES} SELECT {_LIKER} FROM place)"

_INSERT_NEW = text(f"""
    INSERT INTO observation (entry_id, pseudonym, sweep_id, page, liked_at, verdict, last_sweep_id, absences)
    {_PLACES}
    SELECT :entry, {_LIKER}, :sweep, :page, {_TIME}, :verdict, :sweep, 0
    FROM place WHERE true
    ON CONFLICT DO NOTHING
""")
_SELECT_NEW = text(f"SELECT pseudonym FROM observation WHERE {_OF_PAGE} AND sweep_id = :sweep AND page = :page")
_COUNT_RETURNED = text(f"SELECT count(*) FROM observation WHERE {_OF_PAGE} AND absences > 1")
_COUNT_KNOWN_BEFORE = text(f"SELECT count(*) FROM observation WHERE {_OF_PAGE} AND sweep_id <> :sweep")
_MEET = text(f"""
    UPDATE observation SET last_sweep_id = :sweep, absences = 0 WHERE {_OF_PAGE} AND last_sweep_id <> :sweep
""")
_INSERT_BOX = insert(SQLModel.metadata.tables["sealed_handles"])
_COUNTERS = ("listed", "new", "returned", *Verdict)
_ADVANCE = (
    update(Sweep)
    .where(col(Sweep.id) == bindparam("sweep"), col(Sweep.pages) == bindparam("pages_before"))
    .values(
        pages=bindparam("page"),
        cursor=bindparam("next_cursor"),
        touched_at=bindparam("read_at"),
        requests=col(Sweep.requests) + bindparam("asked"),
        **{name: getattr(Sweep, name) + bindparam(f"more_{name}") for name in _COUNTERS},
    )
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
    """Which page this is: of which sweep, its number in it, the cursor to go on with, the requests it took."""

    sweep_id: int
    number: int
    cursor: str | None
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTally:
    """What a page added: likers met for the first time in this sweep, and those of them new to the entry."""

    listed: int
    new: int


def record_page(
    session: Session, desk: Desk, slip: PageSlip, likers: Sequence[Sighting], found: Circumstances
) -> PageTally:
    """Store a page: its new likers, what they earn, and the cursor; raise `LeaseLostError` if somebody else did."""
    page = {one.pseudonym: one for one in likers}
    new = _insert_new(session, desk, slip, page, found) if page else {}
    counts = Counter(new.values()) + Counter(new=len(new), listed=len(new))
    if len(new) < len(page):
        strips = _strips(desk, slip, page.values())
        counts["returned"] = session.connection().execute(_COUNT_RETURNED, strips).scalar_one()
        counts["listed"] += session.connection().execute(_MEET, strips).rowcount
    _credit(session, desk, slip, [page[liker] for liker, verdict in new.items() if verdict in EARNS], found)
    _seal_handles(session, desk, slip, [page[liker] for liker in new])
    _advance(session, slip, found.seen_at, counts)
    return PageTally(listed=counts["listed"], new=len(new))


def were_all_known(session: Session, desk: Desk, slip: PageSlip, likers: Sequence[Sighting]) -> bool:
    """Tell whether every liker of a page, at least one, was known before this sweep began."""
    page = {one.pseudonym: one for one in likers}
    known = session.connection().execute(_COUNT_KNOWN_BEFORE, _strips(desk, slip, page.values())).scalar_one()
    return bool(page) and known == len(page)


def _insert_new(
    session: Session, desk: Desk, slip: PageSlip, page: Mapping[bytes, Sighting], found: Circumstances
) -> dict[bytes, str]:
    """Insert the likers nobody saw before, and give what each earns; who is not given was known."""
    verdict_at = {at: judge(at, found, desk.rules) for at in {one.liked_at for one in page.values()}}
    groups: defaultdict[Verdict, list[Sighting]] = defaultdict(list)
    for one in page.values():
        groups[verdict_at[one.liked_at]].append(one)
    new: dict[bytes, str] = {}
    for verdict, group in groups.items():
        strips = _strips(desk, slip, group) | {"page": slip.number, "verdict": verdict}
        inserted = session.connection().execute(_INSERT_NEW, strips).rowcount
        if inserted == len(group):
            new |= dict.fromkeys((one.pseudonym for one in group), verdict)
        elif inserted:
            new |= dict.fromkeys(session.connection().execute(_SELECT_NEW, strips).scalars(), verdict)
    taken_away = _repeated(session, desk, new)
    earning = [page[liker] for liker, verdict in (new | taken_away).items() if verdict in EARNS]
    taken_away |= _over_cap(session, desk, earning, found)
    for liker, verdict in taken_away.items():
        is_row = (col(Observation.entry_id) == desk.entry_id) & (col(Observation.pseudonym) == liker)
        session.connection().execute(update(Observation).where(is_row).values(verdict=verdict))
    return new | taken_away


def _repeated(session: Session, desk: Desk, new: Mapping[bytes, str]) -> dict[bytes, Verdict]:
    """Find who already counted, where each person counts once in the campaign.

    Sorted, so that two pages never wait for each other crosswise.
    """
    if desk.rules.unique_per is not UniquePer.CAMPAIGN:
        return {}
    earning = sorted(liker for liker, verdict in new.items() if verdict in EARNS)
    rows = [{"campaign_id": desk.accounts.campaign_id, "pseudonym": liker} for liker in earning]
    first_time = insert_new(session, Supporter, rows, returning="pseudonym")
    return dict.fromkeys((liker for liker in earning if liker not in first_time), Verdict.REPEATED)


def _over_cap(session: Session, desk: Desk, earning: Sequence[Sighting], found: Circumstances) -> dict[bytes, Verdict]:
    """Find the likes that no longer fit, whole, under the cap."""
    if not desk.rules.cap:
        return {}
    lock_campaign(session, desk.accounts.campaign_id)
    left = desk.rules.cap.bytes - credited_bytes(session, desk.accounts.campaign_id)
    over: dict[bytes, Verdict] = {}
    for one in earning:
        worth = desk.rules.rate_at(instant_of(one.liked_at, found)).per_like.bytes
        if worth > left:
            over[one.pseudonym] = Verdict.OVER_CAP
        else:
            left -= worth
    return over


def _credit(session: Session, desk: Desk, slip: PageSlip, earning: Sequence[Sighting], found: Circumstances) -> None:
    """Book one transfer for each rate version under which likes of this page earn."""
    likes_under: Counter[RateVersion] = Counter()
    for instant, likes in Counter(instant_of(one.liked_at, found) for one in earning).items():
        likes_under[desk.rules.rate_at(instant)] += likes
    for rate, likes in likes_under.items():
        credit = Credit(likes=likes, per_like=rate.per_like, rate_id=rate.id, entry_id=desk.entry_id)
        key = f"sweep:{slip.sweep_id}:page:{slip.number}:rate:{rate.id}"
        credit_likes(session, desk.accounts, credit, key=key, at=found.seen_at)


def _seal_handles(session: Session, desk: Desk, slip: PageSlip, new: Sequence[Sighting]) -> None:
    handles = {one.pseudonym: one.handle for one in new if one.handle}
    if handles and desk.seal:
        box = {"sweep_id": slip.sweep_id, "page": slip.number, "box": desk.seal(handles)}
        session.connection().execute(_INSERT_BOX, box | {"expires_at": desk.handles_expire_at})


def _advance(session: Session, slip: PageSlip, at: datetime, counts: Mapping[str, int]) -> None:
    """Move the sweep on by this page, unless it is no longer where this page began."""
    step = {
        "sweep": slip.sweep_id,
        "pages_before": slip.number - 1,
        "page": slip.number,
        "next_cursor": slip.cursor,
        "read_at": at,
        "asked": slip.requests,
    }
    more = {f"more_{name}": counts.get(name, 0) for name in _COUNTERS}
    if session.connection().execute(_ADVANCE, step | more).rowcount != 1:
        raise LeaseLostError("another process sweeps this post")


def _strips(desk: Desk, slip: PageSlip, likers: Collection[Sighting]) -> dict[str, Any]:
    """Lay likers end to end for the statements above."""
    return {
        "entry": desk.entry_id,
        "sweep": slip.sweep_id,
        "count": len(likers),
        "likers": b"".join(one.pseudonym for one in likers),
        "times": "".join(_fixed_width(one.liked_at) for one in likers) if any(one.liked_at for one in likers) else "",
    }


def _fixed_width(instant: datetime | None) -> str:
    """Write an instant in 27 characters, all blank for none."""
    return f"{instant.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z" if instant else " " * 27
