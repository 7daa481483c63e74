"""What kept a night from being complete, said once for all posts that share it, with what a person can do.

Most troubles need nothing but the next poll.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

from harvester.contest.settlement import SettlementResult
from harvester.run.doctor.findings import Finding, Health
from harvester.run.reader import EntryResult
from harvester.store.kinds import Cause, SweepOutcome

CORRECT_IT = "correct that, then run 'harvester nightly' again"
REPORT_IT = "the other work was done; please report it, with the log"

_MOST_NAMED = 3
_NOTHING = "nothing: the next poll goes on"
_NOBODY_THERE = "see whether this machine reaches the network: no platform answered; the next poll goes on"
_EXAMINE = "run 'harvester doctor'"
_REMEDIES = {
    Cause.EXHAUSTED: _NOTHING,
    Cause.THROTTLED: _NOTHING,
    Cause.UNSTABLE: _NOTHING,
    Cause.STOPPED: _NOTHING,
    Cause.GRANT_LOST: "do that; the likes of the meantime are read afterwards",
    Cause.MISSING: "check the link: it is asked for 24 hours and then closed; if it was deleted on purpose, "
    "harvester post remove {post}",
    Cause.REFUSED: "check that everybody may see the post and its likes; the next poll asks again",
    Cause.CONTRACT_BROKEN: f"the platform answers otherwise than it did: {REPORT_IT}",
    Cause.DEFECT: REPORT_IT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that kept a night from being complete: whose it is, what, and what to do.

    `posts` is how many it touches and `urls` the first few of them; a step of the job that failed touches none.
    """

    about: str
    what: str
    remedy: str
    cause: Cause | None = None
    posts: int = 0
    urls: tuple[str, ...] = ()
    resume_at: datetime | None = None


def of_posts(results: Sequence[EntryResult]) -> tuple[Trouble, ...]:
    """Put together what the posts of a connector suffer from alike."""
    unread = sorted((one for one in results if one.outcome is not SweepOutcome.COMPLETE), key=_kind)
    found = tuple(_alike(list(posts)) for _, posts in groupby(unread, key=_kind))
    is_nobody_there = bool(results) and all(one.cause is Cause.UNSTABLE for one in results)
    return tuple(replace(one, remedy=_NOBODY_THERE) for one in found) if is_nobody_there else found


def of_findings(findings: Iterable[Finding], known: Iterable[Trouble]) -> tuple[Trouble, ...]:
    """Give what an examination found to fail, less the credentials that the posts already complained of."""
    lost = {trouble.about for trouble in known if trouble.cause in (Cause.GRANT_LOST, None) and trouble.posts}
    return tuple(
        Trouble(about=one.about, what=one.what, remedy=one.remedy or _EXAMINE)
        for one in findings
        if one.health is Health.FAIL and one.about not in lost
    )


def of_settlements(settlements: Iterable[SettlementResult]) -> tuple[Trouble, ...]:
    """Say which campaigns are due for settlement and still wait for some of their posts."""
    return tuple(_unsettled(one) for one in settlements if not one.is_settled)


def _kind(one: EntryResult) -> tuple[str, str]:
    return one.connector, one.cause or ""


def _alike(posts: Sequence[EntryResult]) -> Trouble:
    first = posts[0]
    remedy = _REMEDIES[first.cause] if first.cause else _EXAMINE
    pauses = [one.resume_at for one in posts if one.resume_at]
    return Trouble(
        about=first.connector,
        what=first.reason or f"ended {first.outcome}",
        remedy=remedy.format(post=f"{first.campaign} {first.url}" if len(posts) == 1 else "CAMPAIGN URL"),
        cause=first.cause,
        posts=len(posts),
        urls=tuple(one.url for one in posts[:_MOST_NAMED]),
        resume_at=min(pauses, default=None),
    )


def _unsettled(one: SettlementResult) -> Trouble:
    first = one.left_over[0].reason if one.left_over else "its posts could not be read"
    return Trouble(
        about=one.campaign,
        what=f"not settled, posts lack their closing sweep: {first}",
        remedy="it is tried again every night; to settle without them: "
        f"harvester campaign settle {one.campaign} --accept-gap REASON",
        cause=one.left_over[0].cause if one.left_over else None,
        posts=len(one.left_over),
        urls=tuple(post.url for post in one.left_over[:_MOST_NAMED]),
    )
