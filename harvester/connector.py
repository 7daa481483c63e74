"""What a platform's API gives, in words every room shares: the whole vocabulary a connector needs.

A connector turns one HTTP answer into frozen values and does nothing else. Its capabilities are the methods it has
(`NamesLikers`, `CountsLikes`), its habits are data (`Traits`), and what goes wrong is one of seven outcomes. "No likes"
is never one of them: an answer that does not say who liked raises, because zero must be told by the platform.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Protocol, Self, TypeVar, runtime_checkable
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec

from harvester.errors import HarvesterError, UsageError

T = TypeVar("T")
LONGEST_CURSOR = 4096
_UNITS = {"d": 86400, "h": 3600, "min": 60, "s": 1}

Params = Mapping[str, str] | tuple[tuple[str, str], ...]  # pairs where a name is repeated


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
    """A platform's habits, as data; the core derives early stop, page sizes, polling and retention from them.

    `page_max` likers a page, `batch_max` posts a counting call, `depth_limit` likers listed at most (None: all),
    `cursor_life` how long a stored cursor may be trusted, `handle_retention` how long the platform lets a liker's
    handle be kept (None: not at all).
    """

    order: Order
    time: LikeTime
    page_max: int
    depth_limit: int | None = None
    batch_max: int = 1
    budgets: tuple[Budget, ...] = ()
    cursor_life: timedelta = timedelta(hours=1)
    handle_retention: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A publication on a platform. `realm` is the namespace in which its likers' ids are unique."""

    platform: str
    native_id: str
    realm: str
    url: str

    @property
    def origin(self) -> str:
        """Scheme, host and port of the URL: 'https://mastodon.social'; empty for a URI that names no server."""
        return origin_of(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """One liker on a page: `actor` is the platform's stable id, `at` the time it gives, on the clock of its traits."""

    actor: str
    handle: str | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.actor:
            raise ContractBroken("a liker without an id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer understood. Only `cursor=None` ends a list: an empty page may well have a successor."""

    likes: tuple[Like, ...]
    cursor: str | None

    def __post_init__(self) -> None:
        if self.cursor is not None and (len(self.cursor) > LONGEST_CURSOR or not self.cursor.isprintable()):
            raise ContractBroken("a cursor that cannot be kept: over 4,096 characters, or not printable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A post as its platform shows it now: `likes` is None when hidden, `published_at` None when not said."""

    native_id: str
    likes: int | None
    published_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.likes is not None and not 0 <= self.likes < 2**63:
            raise ContractBroken("a number of likes that no post can have")


class Outcome(HarvesterError):
    """Why an answer gave no facts; one of the seven below, and no other."""


class Throttled(Outcome):
    """The platform asks to be left alone until `until`."""

    def __init__(self, until: datetime, message: str = "the platform asked for a pause") -> None:
        super().__init__(message)
        self.until = until


class Exhausted(Throttled):
    """A budget is spent until `until`."""


class GrantLost(Outcome):
    """A credential is missing, refused or expired: a person has to act."""


class Missing(Outcome):
    """The post is not there, or no longer shown; nothing says for how long."""


class Refused(Outcome):
    """The platform answers, but not this question for this caller."""


class Unstable(Outcome):
    """The platform failed in a way that usually passes: time-outs, 5xx, broken connections."""


class ContractBroken(Outcome):
    """The answer is not what the API promises; the message is the evidence."""


class Http(Protocol):
    """The polite client as a connector sees it: one request a call, everything else is its business."""

    @property
    def page_size(self) -> int:
        """How many likers to ask for; at most the connector's own `page_max`."""

    def get(self, url: str, *, params: Params | None = None, auth: httpx.Auth | None = None) -> httpx.Response:
        """Answer 2xx with a JSON body, or raise an outcome."""


class Connector(Protocol):
    """What every connector has; `origins` are the servers it reads beside the post's own, such as 'https://api.example'."""

    name: ClassVar[str]
    traits: ClassVar[Traits]
    url_forms: ClassVar[tuple[str, ...]]
    settings_type: ClassVar[type[msgspec.Struct]]
    origins: tuple[str, ...]

    def __init__(self, settings: Any) -> None: ...

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Say which post a URL means, or None; needs no settings and no network."""


@runtime_checkable
class LocatesPosts(Protocol):
    """A platform whose URLs are not yet ids."""

    def locate(self, http: Http, post: Post) -> Post:
        """Give the post under its stable id, on its home server."""


@runtime_checkable
class NamesLikers(Protocol):
    """A platform that says who liked."""

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        """Read one page of likers; `cursor=None` is the first."""


@runtime_checkable
class CountsLikes(Protocol):
    """A platform that says how many likes a post has."""

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        """Read up to `traits.batch_max` posts; one that is gone is left out."""


class Secret:
    """A token that shows itself only when asked. (No dataclass: msgspec would fill that without its `dec_hook`.)"""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "(secret)"


def decode(response: httpx.Response, type_: type[T]) -> T:
    """Read the fields we use from a JSON answer; what is missing or mistyped is `ContractBroken` with its path."""
    try:
        return msgspec.json.decode(response.content, type=type_)
    except msgspec.ValidationError as error:
        raise ContractBroken(f"{_asked(response)} answered something else: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContractBroken(f"{_asked(response)} did not answer JSON: {error}") from error


def split_url(url: str) -> SplitResult | None:
    """Take an http(s) URL apart; None for any that hides its host: user info, odd port, foreign letters, final dot."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return None
    host_is_plain = re.fullmatch(r"[a-z0-9.:-]*[a-z0-9:]", parts.hostname or "") and "@" not in parts.netloc
    is_web = parts.scheme in ("http", "https") and url.isprintable()
    return parts if host_is_plain and port_is_valid and is_web else None


def origin_of(url: str) -> str:
    """Scheme, host and port in lower case, without a default port: what URLs of one server share; '' if not http(s)."""
    parts = split_url(url)
    if parts is None:
        return ""
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def parse_instant(text: str) -> datetime:
    """Read an API's ISO 8601 instant as aware UTC; one without an offset is `ContractBroken`."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ContractBroken(f"{text[:40]!r} does not say its time zone")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ContractBroken(f"{text[:40]!r} is not an ISO 8601 time") from error


def _asked(response: httpx.Response) -> str:
    """Name a request by host and path alone: a query may carry a token."""
    url = response.request.url
    return f"{url.host}{url.path}"
