"""Reading an answer, a link or a time: what every connector needs and none should write again."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec

from harvester.clock import time_zone
from harvester.connector.outcomes import ContractBroken

T = TypeVar("T")


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


def on_hosts(url: str, hosts: Collection[str]) -> SplitResult | None:
    """Take a link apart if it leads to one of these hosts or to a host below one, on its usual port; else None."""
    parts = split_url(url)
    if parts is None or origin_of(url).count(":") > 1:
        return None
    host = parts.hostname or ""
    return parts if any(host == one or host.endswith(f".{one}") for one in hosts) else None


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


def server_address(text: str, setting: str) -> str:
    """Read a setting that names the server to ask; `ValueError` says which setting is none."""
    parts = split_url(text)
    if parts is None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{setting} is not a server's address such as https://api.example")
    return origin_of(text)


def parse_instant(text: str) -> datetime:
    """Read an API's ISO 8601 instant as aware UTC; one without an offset is `ContractBroken`."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ContractBroken(f"{text[:40]!r} does not say its time zone")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ContractBroken(f"{text[:40]!r} is not an ISO 8601 time") from error


def parse_epoch(seconds: float) -> datetime:
    """Read an API's epoch seconds as aware UTC; what is no time of this world is `ContractBroken`."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ContractBroken(f"{seconds!r:.40} is not a time in epoch seconds") from error


def answered_at(response: httpx.Response) -> datetime:
    """Say when an answer was given, by its own clock; the client adds a `Date` where the server sent none."""
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError, OverflowError) as error:
        raise ContractBroken(f"{_asked(response)} does not say when it answered") from error


def next_midnight(after: datetime, zone: str) -> datetime:
    """Give the next midnight in a zone: budgets that follow a calendar are whole again then."""
    tomorrow = after.astimezone(time_zone(zone)).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), time_zone(zone)).astimezone(UTC)


def _asked(response: httpx.Response) -> str:
    """Name a request by host and path alone: a query may carry a token."""
    url = response.request.url
    return f"{url.host}{url.path}"
