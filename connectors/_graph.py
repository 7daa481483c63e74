"""The dialect that Meta's Graph APIs share: error codes, usage headers, pages of a list, versions.

An error is told by its code, not by its HTTP status: a deleted post, a lost token and a pause are all 400. And
`paging.next` carries the token in its query: only that it is there is read, never where it leads.
Codes and limits: developers.facebook.com/docs/graph-api/guides/error-handling and .../overview/rate-limiting.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Annotated

import httpx
import msgspec

from harvester.connector import (
    ApiVersion,
    ContractBroken,
    GrantLost,
    Http,
    Missing,
    Need,
    Outcome,
    Refused,
    Throttled,
    Unstable,
    answered_at,
    decode,
)

Server = Annotated[str, Need("the server that answers: the platform's, or a rehearsal's", "nowhere: leave it out")]
Version = Annotated[str, Need("the version of the API", "developers.facebook.com/docs/graph-api/changelog")]

NO_ENDORSEMENT = (
    "The contest's rules must release the platform and say that it neither sponsors nor endorses the contest "
    "(contestqueen.com/2024/conflicting-meta-promotional-guidelines)."
)

_VERSION = re.compile(r"v[1-9][0-9]?\.[0-9]")
_SUNSETS = {"v20.0": date(2026, 9, 24), "v21.0": date(2027, 1, 21), "v22.0": date(2027, 5, 20)}  # .../changelog

_MOST_PAGES, _PAGE_OF_POSTS = 50, 100

_THROTTLED = frozenset({4, 17, 32, 341, 613, 80001, 80002})  # the app, a user, a Page, an Instagram account
_ROLLING_WINDOW = timedelta(hours=1)  # what most limits are counted over; where it is a day, the next answer says so
_NO_RIGHT: tuple[type[Outcome], str] = (Refused, "the token lacks the permission to read this")
_MEANINGS: dict[int, tuple[type[Outcome], str]] = {
    1: (Unstable, "the API failed in a way that usually passes"),
    2: (Unstable, "the API is down for a moment"),
    10: _NO_RIGHT,
    102: (GrantLost, "the token's session has ended"),
    190: (GrantLost, "the token has expired, was revoked or is none"),
    368: (Refused, "the account or app is blocked for breaking a rule: a person must appeal on the platform"),
    **dict.fromkeys(range(200, 300), _NO_RIGHT),
}


class _Error(msgspec.Struct):
    code: int
    error_subcode: int | None = None


class _Answer(msgspec.Struct):
    error: _Error | None = None


class _Usage(msgspec.Struct):
    minutes: Annotated[int, msgspec.Meta(ge=0, le=7 * 24 * 60)] = msgspec.field(
        default=0, name="estimated_time_to_regain_access"
    )


class _Cursors(msgspec.Struct):
    after: str | None = None


class Paging(msgspec.Struct):
    """Where a page of a list stands in it."""

    cursors: _Cursors | None = None
    next: str | None = None


class OwnPost(msgspec.Struct):
    """A post as its own account lists it; which fields are there is what was asked for."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[0-9_]{1,64}\Z")]
    shortcode: str | None = None
    permalink: str | None = None
    permalink_url: str | None = None

    def is_known_as(self, name: str) -> bool:
        """Tell whether this is its id, its shortcode or the last part of its link."""
        return name in (self.id, self.shortcode, (self.permalink or "").rstrip("/").rpartition("/")[2])


class _OwnPosts(msgspec.Struct):
    data: list[OwnPost]
    paging: Paging | None = None


def api_version(name: str, note: str = "Meta's versions live about two years") -> ApiVersion:
    """Read the setting `version`; `ValueError` when it is none."""
    if not _VERSION.fullmatch(name):
        raise ValueError("version is not a version of the API such as v26.0")
    sunset = _SUNSETS.get(name)
    return ApiVersion(name=name, sunset=sunset, note="" if sunset else note)


def explain(response: httpx.Response) -> Outcome | None:
    """Say what an error's code means; None for facts, and for an error whose status says enough."""
    try:
        error = decode(response, _Answer).error
    except ContractBroken:  # no envelope of this API: whoever wants facts of it will say so
        return None
    if error is None:
        return None
    said = f"{response.request.url.host} answered with error {error.code}"
    if error.code in _THROTTLED:
        return Throttled(answered_at(response) + _pause(response), f"{said}: too many calls")
    if (error.code, error.error_subcode) == (100, 33):  # one answer for both, by design
        return Missing(f"{said}/33: the post is deleted, or the token may no longer see it")
    kind, meaning = _MEANINGS.get(error.code, (None, ""))
    return kind(f"{said}: {meaning}") if kind else None


def next_cursor(paging: Paging | None) -> str | None:
    """Give the cursor of the next page; only a missing `next` ends a list, not a short or empty page."""
    if paging is None or paging.next is None:
        return None
    if paging.cursors is None or not paging.cursors.after:
        raise ContractBroken("a page that has a next one names no cursor for it")
    return paging.cursors.after


def find_own(http: Http, url: str, *, fields: str, auth: httpx.Auth, is_wanted: Callable[[OwnPost], bool]) -> OwnPost:
    """Look for a post among those that an account lists as its own, as far as 50 pages of 100."""
    params, listed = {"fields": fields, "limit": str(_PAGE_OF_POSTS)}, 0
    for _ in range(_MOST_PAGES):
        answer = decode(http.get(url, params=params, auth=auth), _OwnPosts)
        if found := next(filter(is_wanted, answer.data), None):
            return found
        listed += len(answer.data)
        cursor = next_cursor(answer.paging)
        if cursor is None:
            break
        if cursor == params.get("after"):
            raise ContractBroken("the account's list of posts leads in a circle")
        params = params | {"after": cursor}
    raise Refused(
        f"not among the newest {listed:,} posts of the account: it is another's, too old, or its link has changed"
    )


def _pause(response: httpx.Response) -> timedelta:
    """Say how long to stay away: what the header estimates, else until every call has left the window."""
    try:
        usage = msgspec.json.decode(
            response.headers.get("x-business-use-case-usage", "{}"), type=dict[str, list[_Usage]]
        )
    except msgspec.DecodeError:
        return _ROLLING_WINDOW
    minutes = max((one.minutes for usages in usage.values() for one in usages), default=0)
    return timedelta(minutes=minutes) or _ROLLING_WINDOW
