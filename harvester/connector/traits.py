"""A platform's habits, as data: the core derives early stop, page sizes, polling, retention and warnings from them."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Self

from harvester.errors import UsageError

_UNITS = {"d": 86400, "h": 3600, "min": 60, "s": 1}


class Order(StrEnum):
    """In which order a platform lists likers; only `SERVER_DESC` lets a sweep stop early."""

    SERVER_DESC = "server_desc"
    CLAIMED_DESC = "claimed_desc"
    ASC = "asc"
    ACTOR_ID = "actor_id"
    UNDEFINED = "undefined"


class LikeTime(StrEnum):
    """Whose clock dates a like: nobody's, the liker's own client's (forgeable), or the platform's."""

    NONE = "none"
    CLAIMED = "claimed"
    PLATFORM = "platform"


class Basis(StrEnum):
    """What an entry is credited by: distinct likers, or the platform's own number."""

    IDENTITY = "identity"
    COUNT = "count"


class Provenance(StrEnum):
    """Where an answer that proves a connector comes from, strongest first.

    An HTTP exchange with the live platform; a body that another project saved; the vendor's own documentation, schema
    or test snapshot; our own hand, in the shape of one of those.
    """

    RECORDED = "recorded"
    CAPTURED = "captured"
    OFFICIAL = "official"
    HANDWRITTEN = "handwritten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """At most `requests` in any stretch of `per`, for one credential."""

    requests: int
    per: timedelta

    def __post_init__(self) -> None:
        if self.requests < 1 or self.per <= timedelta(0):
            raise UsageError(f"a budget is at least one request in a positive time, not {self}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read '300/15min'; the time is a number (1 when left out) and s, min, h or d."""
        written = re.fullmatch(r"([0-9]{1,9})/([0-9]{0,4})(s|min|h|d)", text.strip())
        if written is None:
            raise UsageError(f"{text!r} is not a budget: write requests/time, such as 300/15min, or off")
        requests, times, unit = written.groups()
        return cls(requests=int(requests), per=timedelta(seconds=_UNITS[unit] * int(times or 1)))

    def __str__(self) -> str:
        seconds = self.per.total_seconds()
        unit = next((unit for unit, size in _UNITS.items() if seconds % size == 0), "s")
        return f"{self.requests}/{seconds / _UNITS[unit]:g}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What must be known of a platform to read it well; a trait that only lists of likers have keeps its default.

    `page_max` likers a page, `batch_max` posts a counting call, `depth_limit` likers listed at most (None: all),
    `cursor_life` how long a stored cursor may be trusted, `handle_retention` how long the platform lets a liker's
    handle be kept (None: not at all). `basis` is what an entry is credited by unless a person says otherwise (None:
    likers where they are named). `terms` are the platform's rules that a lawyer must clear before a contest, each
    with its source; `proven_by` says what kinds of recordings prove the connector.
    """

    order: Order = Order.UNDEFINED
    time: LikeTime = LikeTime.NONE
    page_max: int = 1
    depth_limit: int | None = None
    batch_max: int = 1
    budgets: tuple[Budget, ...] = ()
    cursor_life: timedelta = timedelta(hours=1)
    handle_retention: timedelta | None = None
    basis: Basis | None = None
    terms: tuple[str, ...] = ()
    proven_by: tuple[Provenance, ...] = ()
