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
