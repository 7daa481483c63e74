"""When things were counted, checked once more: on the right side of the window, and under a rate that was valid then.

Each check gives what it found wrong, as (about what, how). Only likes that no platform dates are judged by when they
were seen: a liker's own clock, or a platform's, may say anything earlier.
"""

from datetime import timedelta
from itertools import pairwise

from sqlmodel import Session, col, select

from harvester.books.recount import COUNTED_SWEEPS, OWN, Found, rows
from harvester.store.models import Campaign, Entry, Observation, Rate, Transfer

_UNDER_WAY = timedelta(days=1)
"""How long a sweep may still work under the rate with which it began."""


def credits_came_after_their_rate(session: Session, campaign: Campaign) -> Found:
    """Only the first rate holds for what was before it: a like may be older than its contest, by agreement."""
    early = """
        SELECT t.key FROM transfer t JOIN rate r ON r.id = t.rate_id
        WHERE t.campaign_id = :campaign AND t.reverses_id IS NULL AND t.made_at < r.valid_from
          AND r.valid_from > (SELECT min(valid_from) FROM rate WHERE campaign_id = :campaign)
        ORDER BY t.id
    """
    for (key,) in rows(session, early, campaign):
        yield f"transfer {key}", "it was credited under a rate that was not valid yet"


def credits_came_before_the_next_rate(session: Session, campaign: Campaign) -> Found:
    """A like that somebody's clock dates earns the rate of its own time, whenever it is seen."""
    versions = session.exec(select(Rate).where(Rate.campaign_id == campaign.id).order_by(col(Rate.valid_from))).all()
    own = select(Entry.id).where(Entry.campaign_id == campaign.id)
    dated = select(Observation.entry_id).where(
        col(Observation.entry_id).in_(own), col(Observation.liked_at).is_not(None)
    )
    for rate, following in pairwise(versions):
        is_late = col(Transfer.made_at) > max(following.valid_from, following.made_at) + _UNDER_WAY
        is_credit = (col(Transfer.rate_id) == rate.id) & col(Transfer.reverses_id).is_(None)
        late = select(Transfer.key).where(is_credit, is_late, col(Transfer.entry_id).not_in(dated))
        for key in session.exec(late.order_by(col(Transfer.id))):
            yield f"transfer {key}", "it was credited under a rate that was no longer valid"


def readings_are_the_evidence_of_sweeps(session: Session, campaign: Campaign) -> Found:
    """A number that was read is kept beside its sweep: without it, nobody can tell what stood when."""
    unlike = f"""
        SELECT s.id, count(r.id), s.displayed_after, max(r.likes)
        FROM {COUNTED_SWEEPS} LEFT JOIN reading r ON r.sweep_id = s.id
        WHERE s.outcome = 'complete' GROUP BY s.id, s.displayed_after
        HAVING count(r.id) <> 1 OR coalesce(max(r.likes), -1) <> coalesce(s.displayed_after, -1) ORDER BY s.id
    """
    for sweep, number, shown, kept in rows(session, unlike, campaign):
        if number == 1:
            yield f"sweep {sweep}", f"it was shown {_likes(shown)}, its reading says {_likes(kept)}"
        else:
            yield f"sweep {sweep}", f"it has {number:,} readings, expected 1"


def readings_are_credited_when_they_were_read(session: Session, campaign: Campaign) -> Found:
    moved = r"""
        SELECT t.key FROM transfer t JOIN reading r ON t.key = 'reading\:' || r.id
        WHERE t.campaign_id = :campaign AND t.made_at <> r.read_at ORDER BY t.id
    """
    for (key,) in rows(session, moved, campaign):
        yield f"transfer {key}", "its time is not that of its reading"


def numbers_were_counted_in_the_window(session: Session, campaign: Campaign) -> Found:
    outside = f"""
        SELECT s.id, r.read_at < c.starts_at FROM {COUNTED_SWEEPS}
        JOIN campaign c ON c.id = e.campaign_id JOIN reading r ON r.sweep_id = s.id
        WHERE s.credited > 0 AND (r.read_at >= c.ends_at OR (r.read_at < c.starts_at AND e.credit_existing IS NULL))
        ORDER BY s.id
    """
    for sweep, is_before in rows(session, outside, campaign):
        yield f"sweep {sweep}", f"it counted likes as made in the window, and read their number {_side(is_before)}"


def likers_were_seen_in_the_window(session: Session, campaign: Campaign) -> Found:
    outside = f"""
        SELECT s.id, s.touched_at < c.starts_at FROM sweep s
        JOIN entry e ON e.id = s.entry_id JOIN campaign c ON c.id = e.campaign_id
        WHERE c.id = :campaign
          AND (s.started_at >= c.ends_at OR (s.touched_at < c.starts_at AND e.credit_existing IS NULL))
          AND s.id IN (SELECT o.sweep_id FROM observation o
                       WHERE o.entry_id {OWN} AND o.verdict = 'credited' AND o.liked_at IS NULL)
        ORDER BY s.id
    """
    for sweep, is_before in rows(session, outside, campaign):
        yield f"sweep {sweep}", f"it counted likes as made in the window, and saw them {_side(is_before)}"


def _side(is_before: bool) -> str:
    return "before its start" if is_before else "after its end"


def _likes(number: int | None) -> str:
    return "no number" if number is None else f"{number:,} likes"
