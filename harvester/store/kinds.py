"""The words that rows are marked with: states, outcomes, verdicts and kinds of account."""

from enum import StrEnum


class Keeps(StrEnum):
    """What keeps a like: having liked in the window, or still liking at settlement."""

    EVER = "ever"
    STANDING = "standing"


class UniquePer(StrEnum):
    """How often one person may count: once a post, or once a campaign."""

    POST = "post"
    CAMPAIGN = "campaign"


class EntryState(StrEnum):
    """What polls do with an entry: `missing` is asked again, `gone` and `removed` are not."""

    OPEN = "open"
    MISSING = "missing"
    GONE = "gone"
    REMOVED = "removed"


class SweepOutcome(StrEnum):
    """How a sweep ended; the words of every report and exit code."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class Cause(StrEnum):
    """Why a sweep did not end complete: what a person is told to do depends on it."""

    EXHAUSTED = "exhausted"
    THROTTLED = "throttled"
    GRANT_LOST = "grant_lost"
    MISSING = "missing"
    REFUSED = "refused"
    UNSTABLE = "unstable"
    CONTRACT_BROKEN = "contract_broken"
    STOPPED = "stopped"
    DEFECT = "defect"


class AlertKind(StrEnum):
    """What a person is told of. Milestones, holes and a reached cap only happen; the others last and end."""

    RUN_OVERDUE = "run_overdue"
    NIGHT_INCOMPLETE = "night_incomplete"
    BOOKS_BROKEN = "books_broken"
    FINDING = "finding"
    SERVER_FAILING = "server_failing"
    POST_INCOMPLETE = "post_incomplete"
    POST_MISSING = "post_missing"
    POST_GONE = "post_gone"
    QUOTA_EXHAUSTED = "quota_exhausted"
    GRANT_LOST = "grant_lost"
    GRANT_EXPIRING = "grant_expiring"
    GAP = "gap"
    COUNT_FELL = "count_fell"
    COUNT_HIDDEN = "count_hidden"
    SETTLEMENT_BLOCKED = "settlement_blocked"
    CAP_REACHED = "cap_reached"
    MILESTONE = "milestone"
    HOLE = "hole"


class AccountKind(StrEnum):
    """The accounts of a campaign; the last three are one per association."""

    SPONSOR = "sponsor"
    POOL = "pool"
    QUARANTINE = "quarantine"
    PLEDGED = "pledged"
    COMMITTED = "committed"
    DELIVERED = "delivered"


class Verdict(StrEnum):
    """What a newly seen like earns; the first two are credited."""

    CREDITED = "credited"
    UNCERTAIN = "uncertain"
    OVER_CAP = "over_cap"
    BASELINE = "baseline"
    LATE = "late"
    REPEATED = "repeated"
