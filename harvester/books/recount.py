"""Every number of likes that the rows promise, counted once more from other rows; none may differ.

Each check gives what it found wrong, as (about what, how). It is a statement or two over the whole campaign, so that a
contest of millions of likes takes seconds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from harvester.store.kinds import UniquePer, Verdict
from harvester.store.models import Campaign

Found = Iterator[tuple[str, str]]

OWN = "IN (SELECT id FROM entry WHERE campaign_id = :campaign)"
_SWEEPS = "sweep s JOIN entry e ON e.id = s.entry_id AND e.campaign_id = :campaign"
COUNTED_SWEEPS = f"{_SWEEPS} AND e.basis = 'count'"
_ENTRY = "'entry ' || e.id || ' (' || e.pasted_url || ')'"
_EARNED = "o.verdict IN ('credited', 'uncertain')"
_VERDICTS = " + ".join(f"s.{verdict}" for verdict in Verdict)
_CREDITS = "transfer t WHERE t.campaign_id = :campaign AND t.reverses_id IS NULL"


def verdicts_are_the_observations(session: Session, campaign: Campaign) -> Found:
    counters = " UNION ALL ".join(
        f"SELECT 'sweep ' || s.id || ', {verdict}' AS about, s.{verdict} AS likes "
        f"FROM {_SWEEPS} WHERE e.basis = 'identity'"
        for verdict in Verdict
    )
    observed = f"""
        SELECT 'sweep ' || o.sweep_id || ', ' || o.verdict AS about, count(*) AS likes
        FROM observation o WHERE o.entry_id {OWN} GROUP BY o.sweep_id, o.verdict
    """
    for about, counted, seen in differences(session, campaign, counters, observed):
        yield about, f"its counter says {counted:,}, its observations are {seen:,}"


def new_likes_all_have_a_verdict(session: Session, campaign: Campaign) -> Found:
    unjudged = f"""
        SELECT s.id, s.new, {_VERDICTS} FROM {_SWEEPS} WHERE s.new <> {_VERDICTS} ORDER BY s.id
    """
    for number, new, judged in rows(session, unjudged, campaign):
        yield f"sweep {number}", f"it found {new:,} new likes and judged {judged:,}"


def pages_are_credited(session: Session, campaign: Campaign) -> Found:
    observed = rf"""
        SELECT 'sweep\:' || o.sweep_id || '\:page\:' || o.page || ' of entry ' || o.entry_id AS about, count(*) AS likes
        FROM observation o WHERE o.entry_id {OWN} AND {_EARNED} GROUP BY o.entry_id, o.sweep_id, o.page
    """
    credited = rf"""
        SELECT replace(t.key, '\:rate\:' || coalesce(t.rate_id, 0), '') || ' of entry ' || coalesce(t.entry_id, 0)
            AS about, t.likes AS likes
        FROM {_CREDITS} AND t.key LIKE 'sweep:%'
    """
    for about, seen, booked in differences(session, campaign, observed, credited):
        yield about, f"{seen:,} likes that earn were found on this page, {booked:,} were credited"


def readings_are_credited(session: Session, campaign: Campaign) -> Found:
    counted = rf"""
        SELECT 'reading\:' || r.id || ' of entry ' || e.id AS about, s.credited + s.uncertain AS likes
        FROM {COUNTED_SWEEPS} JOIN reading r ON r.sweep_id = s.id AND r.entry_id = e.id
    """
    credited = rf"""
        SELECT t.key || ' of entry ' || coalesce(t.entry_id, 0) AS about, t.likes AS likes
        FROM {_CREDITS} AND t.key LIKE 'reading:%'
    """
    for about, likes, booked in differences(session, campaign, counted, credited):
        yield about, f"{likes:,} likes that earn were counted, {booked:,} were credited"


def numbers_are_judged_once(session: Session, campaign: Campaign) -> Found:
    """What a reading adds is what it exceeds all readings before it by."""
    counters = f"""
        SELECT 'sweep ' || s.id AS about, s.new AS likes FROM {COUNTED_SWEEPS}
    """
    added = """
        SELECT 'sweep ' || sweep_id AS about, CASE WHEN likes > before THEN likes - before ELSE 0 END AS likes
        FROM (
            SELECT r.sweep_id, r.likes, coalesce(max(r.likes) OVER (
                PARTITION BY r.entry_id ORDER BY r.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
            FROM reading r JOIN entry e ON e.id = r.entry_id AND e.campaign_id = :campaign AND e.basis = 'count'
            WHERE r.sweep_id IS NOT NULL
        ) step
    """
    for about, counted, shown in differences(session, campaign, counters, added):
        yield about, f"it judged {counted:,} likes, its reading added {shown:,}"


def marks_are_the_highest_numbers(session: Session, campaign: Campaign) -> Found:
    marks = f"""
        SELECT {_ENTRY} AS about, coalesce(e.high_water, 0) AS likes
        FROM entry e WHERE e.campaign_id = :campaign AND e.basis = 'count'
    """
    highest = f"""
        SELECT {_ENTRY} AS about, max(r.likes) AS likes
        FROM entry e JOIN reading r ON r.entry_id = e.id AND r.sweep_id IS NOT NULL
        WHERE e.campaign_id = :campaign AND e.basis = 'count' GROUP BY e.id, e.pasted_url
    """
    judged = f"""
        SELECT {_ENTRY} AS about, {_VERDICTS} AS likes FROM {COUNTED_SWEEPS}
    """
    for about, mark, shown in differences(session, campaign, marks, highest):
        yield about, f"its high-water mark is {mark:,}, the highest number read is {shown:,}"
    for about, mark, total in differences(session, campaign, marks, judged):
        yield about, f"its high-water mark is {mark:,}, its sweeps judged {total:,} likes"


def held_are_the_observations(session: Session, campaign: Campaign) -> Found:
    counters = f"""
        SELECT {_ENTRY} AS about, s.new - s.unliked + s.returned AS likes
        FROM {_SWEEPS} WHERE e.basis = 'identity'
    """
    standing = f"""
        SELECT {_ENTRY} AS about, o.likers AS likes
        FROM (SELECT entry_id, count(*) AS likers FROM observation
              WHERE entry_id {OWN} AND absences < 2 GROUP BY entry_id) o
        JOIN entry e ON e.id = o.entry_id
    """
    for about, counted, seen in differences(session, campaign, counters, standing):
        yield about, f"its sweeps add up to {counted:,} likers held, its observations are {seen:,}"


def persons_earn_once(session: Session, campaign: Campaign) -> Found:
    """Where a person counts once in the campaign, nobody earned on two posts."""
    twice = f"""
        SELECT min(o.entry_id), max(o.entry_id) FROM observation o WHERE o.entry_id {OWN} AND {_EARNED}
        GROUP BY o.pseudonym HAVING count(*) > 1
    """
    if campaign.unique_per is UniquePer.CAMPAIGN:
        pairs = Counter((first, last) for first, last in rows(session, twice, campaign))
        for (first, last), people in sorted(pairs.items()):
            yield f"entries {first} and {last}", f"{people:,} people earned on both, and each may earn once"


def rows(session: Session, statement: str, campaign: Campaign) -> Sequence[Any]:
    return session.connection().execute(text(statement), {"campaign": campaign.id}).all()


def differences(session: Session, campaign: Campaign, said: str, found: str) -> Sequence[tuple[str, int, int]]:
    """Add up two lists of (about, likes), and give what they do not agree about."""
    statement = f"""
        SELECT about, sum(said), sum(found) FROM (
            SELECT about, likes AS said, 0 AS found FROM ({said}) promised
            UNION ALL SELECT about, 0, coalesce(likes, 0) FROM ({found}) recomputed
        ) compared GROUP BY about HAVING sum(said) <> sum(found) ORDER BY about
    """
    return [(about, int(one), int(other)) for about, one, other in rows(session, statement, campaign)]
