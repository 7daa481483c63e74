"""How long a server asks to be left alone, in every form servers say it.

Absolute times are compared with the answer's own `Date`, so a wrong clock on either side does no harm.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

LONGEST_PAUSE = timedelta(days=366)
_EARLIEST_EPOCH = 1_000_000_000
"""Smaller numbers in a reset header are seconds from now (RFC 9110 and the RateLimit draft), larger ones an epoch."""

# What waits are said in: seconds from now, then the instant a budget is whole again.
_RELATIVE = ("retry-after", "x-ratelimit-reset-after")
_RESET = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")
_REMAINING = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")


def requested_pause(headers: httpx.Headers, now: datetime) -> timedelta | None:
    """Say how long to wait, at least zero; None when no header says."""
    for name in (*_RELATIVE, *_RESET):
        if name in headers:
            pause = _read_pause(headers[name], _read_date(headers) or now)
            if pause is not None:
                return min(max(pause, timedelta(0)), LONGEST_PAUSE)
    return None


def is_last_request(headers: httpx.Headers) -> bool:
    """Tell whether the server counts no request left until its reset."""
    return any(headers.get(name, "").strip() == "0" for name in _REMAINING)


def _read_pause(text: str, now: datetime) -> timedelta | None:
    if re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]+)?", text.strip()):
        number = float(text)
        seconds = number - now.timestamp() if number >= _EARLIEST_EPOCH else number
        return timedelta(seconds=min(seconds, LONGEST_PAUSE.total_seconds()))
    instant = _read_instant(text.strip())
    return instant - now if instant else None


def _read_instant(text: str) -> datetime | None:
    """Read ISO 8601 or an HTTP date; a time without zone is UTC, as RFC 9110 has it."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            instant = read(text)
        except (ValueError, OverflowError):
            continue
        return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return None


def _read_date(headers: httpx.Headers) -> datetime | None:
    return _read_instant(headers["date"]) if "date" in headers else None
