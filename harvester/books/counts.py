"""A number that a platform shows becomes credit for what exceeds the highest one before, in the caller's transaction.

The high-water mark is a row that the same transaction locks and raises, so a number read twice, a fall and a return,
or two processes at once credit nothing twice.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from harvester.books.credit import EARNS, Desk
from harvester.books.ledger import Credit, credit_likes, credited_bytes, lock_campaign
from harvester.books.rules import Circumstances, judge
from harvester.connector import Count, LikeTime
from harvester.store.kinds import Verdict
from harvester.store.models import Entry, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a sweep read: the number, when, and what is known of the post; `credits_existing` is a person's decision."""

    sweep_id: int
    count: Count
    read_at: datetime
    credits_existing: bool = False


def keep_reading(session: Session, entry_id: int, shown: Shown) -> Reading:
    """Keep a number as it was read; every one is evidence, the hidden ones too."""
    reading = Reading(entry_id=entry_id, sweep_id=shown.sweep_id, read_at=shown.read_at, likes=shown.count.likes)
    session.add(reading)
    session.flush()
    return reading


def credit_reading(session: Session, desk: Desk, shown: Shown) -> Counter[str]:
    """Keep a number, credit what it adds, and say how many likes were new and what became of them.

    A hidden number freezes the credit: it changes nothing.
    """
    # Not the strongest lock: the rows of sweeps that refer to the entry hold it shared, and two readers would wait.
    of_entry = select(Entry).where(Entry.id == desk.entry_id).with_for_update(key_share=True)
    entry = session.exec(of_entry, execution_options={"populate_existing": True}).one()
    found = _circumstances(session, entry, shown)
    reading = keep_reading(session, desk.entry_id, shown)
    before = entry.high_water or 0
    if shown.count.likes is None or (entry.high_water is not None and shown.count.likes <= before):
        return Counter()
    entry.high_water = shown.count.likes
    return _book(session, desk, reading, shown.count.likes - before, found)


def _circumstances(session: Session, entry: Entry, shown: Shown) -> Circumstances:
    """Say what is known of likes that only a number tells: they came between the last number and this one."""
    numbers = select(Reading.read_at).where(Reading.entry_id == entry.id, col(Reading.likes).is_not(None))
    return Circumstances(
        seen_at=shown.read_at,
        time=LikeTime.NONE,
        previous_sweep_at=session.exec(numbers.order_by(col(Reading.read_at).desc()).limit(1)).first(),
        published_at=entry.published_at or shown.count.published_at,
        credits_existing=shown.credits_existing,
    )


def _book(session: Session, desk: Desk, reading: Reading, increase: int, found: Circumstances) -> Counter[str]:
    verdict = judge(None, found, desk.rules)
    rate = desk.rules.rate_at(found.seen_at)
    earning = _under_cap(session, desk, increase, rate.per_like.bytes) if verdict in EARNS else 0
    if earning:
        credit = Credit(likes=earning, per_like=rate.per_like, rate_id=rate.id, entry_id=desk.entry_id)
        credit_likes(session, desk.accounts, credit, key=f"reading:{reading.id}", at=found.seen_at)
    if verdict not in EARNS:
        return Counter({"new": increase, verdict: increase})
    return Counter({"new": increase, verdict: earning, Verdict.OVER_CAP: increase - earning})


def _under_cap(session: Session, desk: Desk, likes: int, worth: int) -> int:
    """Say how many of these likes still fit, whole, under the cap."""
    if not desk.rules.cap:
        return likes
    lock_campaign(session, desk.accounts.campaign_id)
    left = desk.rules.cap.bytes - credited_bytes(session, desk.accounts.campaign_id)
    return min(likes, max(left, 0) // worth)
