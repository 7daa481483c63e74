"""Every promise that rows make about each other, computed once more: one that fails, and no total can be signed.

It only reads. What it says of a campaign holds at one moment, so it wants a session that sees one moment; then sweeps
may go on meanwhile. This file holds the checks of the money, `recount` those of the likes, `timing` those of when.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from harvester.books import recount, timing
from harvester.books.ledger import CAMPAIGN_WIDE, WHOLE_PPM, balances, campaign_accounts, credited_bytes, shares
from harvester.books.recount import Found, rows
from harvester.store.kinds import AccountKind
from harvester.store.models import Account, Association, Campaign, Settlement, Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Rows that contradict each other: in which campaign, about what, and how."""

    campaign: str
    about: str
    what: str


def audit_campaign(session: Session, slug: str) -> tuple[Problem, ...]:
    """Recompute everything a campaign's rows promise; nothing found means that all of it holds.

    Without its own accounts nothing of it can be recomputed, and that is all that is said.
    """
    campaign = session.exec(select(Campaign).where(Campaign.slug == slug)).one()
    found = [*_accounts_are_there(session, campaign)]
    if not found:
        found = [one for check in _CHECKS for one in check(session, campaign)]
    return tuple(Problem(campaign=slug, about=about, what=what) for about, what in found)


def _accounts_are_there(session: Session, campaign: Campaign) -> Found:
    """Each campaign has one account of each kind of its own; those of its associations are as many as there are."""
    own = select(Account.kind).where(Account.campaign_id == campaign.id, col(Account.association_id).is_(None))
    number = Counter(session.exec(own))
    for kind in CAMPAIGN_WIDE:
        if number[kind] != 1:
            yield "accounts", f"it has {number[kind]:,} of the kind {kind}, expected 1: nothing can be recomputed"


def _accounts_balance(session: Session, campaign: Campaign) -> Found:
    accounts = balances(session, campaign.id or 0)
    total = sum(one.bytes for one in accounts)
    if total:
        yield "accounts", f"they add up to {total:,} bytes, expected 0"
    for one in accounts:
        if one.bytes < 0 and one.kind is not AccountKind.SPONSOR:
            yield f"account {one.name}", f"it gave {-one.bytes:,} bytes that it never had"


def _transfers_stay_in_their_campaign(session: Session, campaign: Campaign) -> Found:
    foreign = """
        SELECT t.key FROM transfer t
        LEFT JOIN account d ON d.id = t.debit_id LEFT JOIN account c ON c.id = t.credit_id
        LEFT JOIN entry e ON e.id = t.entry_id LEFT JOIN rate r ON r.id = t.rate_id
        WHERE t.campaign_id = :campaign AND (
            coalesce(d.campaign_id, 0) <> :campaign OR coalesce(c.campaign_id, 0) <> :campaign
            OR coalesce(e.campaign_id, :campaign) <> :campaign OR coalesce(r.campaign_id, :campaign) <> :campaign
        ) ORDER BY t.id
    """
    for (key,) in rows(session, foreign, campaign):
        yield f"transfer {key}", "its accounts, its entry or its rate are those of another campaign"


def _credits_are_likes_times_rate(session: Session, campaign: Campaign) -> Found:
    wrong = """
        SELECT t.key, t.amount, t.likes, coalesce(r.bytes_per_like, 0)
        FROM transfer t LEFT JOIN rate r ON r.id = t.rate_id
        WHERE t.campaign_id = :campaign AND (t.rate_id IS NOT NULL OR t.likes <> 0)
          AND t.amount <> t.likes * coalesce(r.bytes_per_like, 0)
        ORDER BY t.id
    """
    for key, amount, likes, rate in rows(session, wrong, campaign):
        yield f"transfer {key}", f"it moved {amount:,} bytes for {likes:,} likes at {rate:,} bytes each"


def _credits_have_a_cause(session: Session, campaign: Campaign) -> Found:
    """What the sponsor gives is for likes that a sweep or a reading found, or fills up to the floor."""
    unknown = """
        SELECT t.key FROM transfer t
        JOIN account d ON d.id = t.debit_id JOIN account c ON c.id = t.credit_id
        WHERE t.campaign_id = :campaign AND t.reverses_id IS NULL AND (
            c.kind = 'sponsor' OR (d.kind = 'sponsor' AND t.key <> 'floor:' || t.campaign_id AND NOT (
                t.rate_id IS NOT NULL AND (t.key LIKE 'sweep:%' OR t.key LIKE 'reading:%')))
        ) ORDER BY t.id
    """
    for (key,) in rows(session, unknown, campaign):
        yield f"transfer {key}", "nothing that was counted, and no floor, is the cause of it"


def _the_cap_holds(session: Session, campaign: Campaign) -> Found:
    credited = credited_bytes(session, campaign.id or 0)
    if campaign.cap_bytes is not None and credited > campaign.cap_bytes:
        yield "cap", f"{credited:,} bytes are credited, the cap is {campaign.cap_bytes:,}"


def _shares_add_up(session: Session, campaign: Campaign) -> Found:
    """What the associations hold is the split of one total, which is at most what is credited now.

    Of which total nobody wrote down: credits may have come since. Each part says within a byte what it can have been.
    """
    campaign_id = campaign.id or 0
    part = shares(session, campaign_id)
    if sum(part.values()) > WHOLE_PPM:
        yield "shares", f"they add up to {sum(part.values()):,} millionths"
    held: Counter[int] = Counter()
    for one in balances(session, campaign_id):
        held[one.association_id or 0] += one.bytes if one.association_id else 0
    slugs = dict(session.exec(select(Association.id, Association.slug)).all())
    least, most = 0, max(credited_bytes(session, campaign_id), 0)
    for association, amount in sorted(held.items()):
        share = part.get(association, 0)
        if share:
            least = max(least, (amount - 1) * WHOLE_PPM // share + 1)
            most = min(most, -(-(amount + 1) * WHOLE_PPM // share) - 1)
        elif amount:
            yield f"association {slugs[association]}", f"it holds {amount:,} bytes without a share"
    if least > most:
        yield "shares", "what the associations hold is not the split of any total that was credited"


def _reversals_take_back_what_was_given(session: Session, campaign: Campaign) -> Found:
    crooked = """
        SELECT back.key FROM transfer back LEFT JOIN transfer t ON t.id = back.reverses_id
        WHERE back.campaign_id = :campaign AND back.reverses_id IS NOT NULL AND (
            t.id IS NULL OR t.campaign_id <> :campaign
            OR back.debit_id <> t.credit_id OR back.credit_id <> t.debit_id
            OR coalesce(back.rate_id, 0) <> coalesce(t.rate_id, 0)
            OR coalesce(back.entry_id, 0) <> coalesce(t.entry_id, 0)
        ) ORDER BY back.id
    """
    too_much = """
        SELECT t.key, t.amount, t.likes, sum(back.amount), sum(back.likes)
        FROM transfer back JOIN transfer t ON t.id = back.reverses_id
        WHERE back.campaign_id = :campaign
        GROUP BY t.id, t.key, t.amount, t.likes
        HAVING sum(back.amount) > t.amount OR sum(back.likes) > t.likes
        ORDER BY t.id
    """
    for (key,) in rows(session, crooked, campaign):
        yield f"transfer {key}", "it is not the opposite of the transfer that it says it takes back"
    for key, amount, likes, back, unliked in rows(session, too_much, campaign):
        yield (
            f"transfer {key}",
            f"of its {amount:,} bytes for {likes:,} likes, {back:,} for {unliked:,} were taken back",
        )


def _settled_is_what_was_credited(session: Session, campaign: Campaign) -> Found:
    """What a settlement says is what its transfers say; a correction made later takes nothing away from it."""
    settled = session.exec(select(Settlement).where(Settlement.campaign_id == campaign.id)).one_or_none()
    if settled is None:
        yield from _booked_without_settlement(session, campaign)
        return
    accounts = campaign_accounts(session, campaign.id or 0)
    credited = _sums(session, campaign, Transfer.debit_id == accounts.sponsor_id)
    was_before = (col(Transfer.credit_id) == accounts.sponsor_id) & (col(Transfer.made_at) <= settled.settled_at)
    returned = _sums(session, campaign, was_before)
    fallen = _sums(session, campaign, col(Transfer.key).startswith("settlement:"))
    _, floor = _sums(session, campaign, col(Transfer.key).startswith("floor:"))
    facts = {
        "likes": (settled.likes, credited[0] - returned[0]),
        "bytes": (settled.bytes, credited[1] - returned[1]),
        "reversed likes": (settled.reversed_likes, fallen[0]),
        "reversed bytes": (settled.reversed_bytes, fallen[1]),
        "bytes up to the floor": (settled.floor_bytes, floor),
    }
    for what, (said, booked) in facts.items():
        if said != booked:
            yield "settlement", f"it says {said:,} {what}, the transfers {booked:,}"
    if settled.floor_bytes and settled.bytes != campaign.floor_bytes:
        yield "settlement", f"it came to {settled.bytes:,} bytes up to a floor of {campaign.floor_bytes or 0:,}"
    if settled.bytes != credited[1] - returned[1]:
        yield from _credits_after(session, campaign, settled, accounts.sponsor_id)


def _booked_without_settlement(session: Session, campaign: Campaign) -> Found:
    is_of_one = col(Transfer.key).startswith("settlement:") | col(Transfer.key).startswith("floor:")
    booked = select(Transfer.key).where(Transfer.campaign_id == campaign.id, is_of_one).order_by(col(Transfer.id))
    for key in session.exec(booked):
        yield f"transfer {key}", "it belongs to a settlement, and there is none"


def _credits_after(session: Session, campaign: Campaign, settled: Settlement, sponsor_id: int) -> Found:
    is_credit = (col(Transfer.campaign_id) == campaign.id) & (col(Transfer.debit_id) == sponsor_id)
    later = select(Transfer.key).where(is_credit, col(Transfer.made_at) > settled.settled_at)
    for key in session.exec(later.order_by(col(Transfer.id))):
        yield f"transfer {key}", "it was credited after the settlement"


def _sums(session: Session, campaign: Campaign, which: Any) -> tuple[int, int]:
    """Add up the likes and the bytes of some of a campaign's transfers."""
    sums = select(func.coalesce(func.sum(Transfer.likes), 0), func.coalesce(func.sum(Transfer.amount), 0))
    likes, amount = session.exec(sums.where(Transfer.campaign_id == campaign.id, which)).one()
    return int(likes), int(amount)


_CHECKS: tuple[Callable[[Session, Campaign], Found], ...] = (
    _accounts_balance,
    _transfers_stay_in_their_campaign,
    _credits_are_likes_times_rate,
    _credits_have_a_cause,
    _the_cap_holds,
    _shares_add_up,
    _reversals_take_back_what_was_given,
    _settled_is_what_was_credited,
    recount.verdicts_are_the_observations,
    recount.new_likes_all_have_a_verdict,
    recount.pages_are_credited,
    recount.readings_are_credited,
    recount.numbers_are_judged_once,
    recount.marks_are_the_highest_numbers,
    recount.held_are_the_observations,
    recount.persons_earn_once,
    timing.credits_came_after_their_rate,
    timing.credits_came_before_the_next_rate,
    timing.readings_are_the_evidence_of_sweeps,
    timing.readings_are_credited_when_they_were_read,
    timing.numbers_were_counted_in_the_window,
    timing.likers_were_seen_in_the_window,
)
