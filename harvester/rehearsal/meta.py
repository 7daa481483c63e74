"""What Meta's Graph APIs share: tokens, errors, fields and the envelope of a list.

Their surprises: an error is told by its code and is HTTP 400 whatever it means; one unknown field refuses all; and a
list's `next` carries the token in its query.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

import msgspec

from harvester.rehearsal.faults import Add, Say
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Refusal, Request
from harvester.rehearsal.world import SimulatedPost

VERSION = r"/v[0-9]+\.[0-9]+"
PAGE, MOST = 25, 100
SHORTCODE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

_FIELD = re.compile(r"(?P<name>\w+)(?P<modifiers>(?:\.\w+\([^()]*\))*)")
_MODIFIER = re.compile(r"\.(\w+)\(([^()]*)\)")


def error(code: int, message: str, *, subcode: int | None = None, kind: str = "OAuthException") -> bytes:
    """Write the envelope of an error."""
    detail = {} if subcode is None else {"error_subcode": subcode}
    told = {"message": message, "type": kind, "code": code, **detail, "fbtrace_id": "AsimulatedTrace"}
    return msgspec.json.encode({"error": told})


THROTTLED = Say(body=error(4, "(#4) Application request limit reached"), status=400)
PAGE_THROTTLED = Say(body=error(32, "(#32) Page request limit reached"), status=400)
DOWN_FOR_A_MOMENT = Say(body=error(2, "Service temporarily unavailable"), status=500)
BLOCKED = Say(body=error(368, "The action attempted has been deemed abusive or is otherwise disallowed"), status=400)
WITHOUT_PERMISSION = Say(
    body=error(10, "(#10) This endpoint requires the 'pages_read_engagement' permission"), status=400
)
ALLOWANCE_USED = Add(header="X-App-Usage", value='{"call_count":100,"total_cputime":12,"total_time":15}')


def refused(code: int, message: str, *, subcode: int | None = None, kind: str = "OAuthException") -> Refusal:
    return Refusal(Answer(status=400, body=error(code, message, subcode=subcode, kind=kind)))


def missing(name: str, kind: str = "GraphMethodException") -> Refusal:
    """Refuse a post that is deleted, another's or never was: the answer is the same, by design."""
    message = (
        f"Unsupported get request. Object with ID '{name}' does not exist, cannot be loaded due to missing permissions,"
        " or does not support this operation"
    )
    return refused(100, message, subcode=33, kind=kind)


def token_of(request: Request) -> str | None:
    return request.bearer or request.asked("access_token")


def admit(request: Request, tokens: Tokens) -> None:
    if not tokens.accepts(token_of(request)):
        raise refused(190, "Invalid OAuth access token.")


def fields_of(request: Request) -> dict[str, dict[str, str]]:
    """Read `fields`: every name with its modifiers, such as {"reactions": {"type": "LIKE", "limit": "0"}}."""
    found = _FIELD.finditer(request.asked("fields") or "")
    return {field["name"]: dict(_MODIFIER.findall(field["modifiers"])) for field in found}


def node(request: Request, known: Mapping[str, object]) -> dict[str, object]:
    """Give what was asked of an object, and its id always."""
    asked = fields_of(request)
    unknown = next((name for name in asked if name not in known), None)
    if unknown is not None:
        raise refused(100, f"(#100) Tried accessing nonexisting field ({unknown})")
    return {name: known[name] for name in ("id", *asked)}


def posts(request: Request, shown: Sequence[SimulatedPost], write: Callable[[SimulatedPost], object]) -> Answer:
    """Write one page of an account's own posts."""
    ids, cursor = [post.native_id for post in shown], opened(request.asked("after"))
    if cursor is not None and cursor not in ids:
        raise refused(100, "(#100) The post that this cursor points at is gone")
    start = 0 if cursor is None else ids.index(cursor) + 1
    page = shown[start : start + limit_of(request)]
    ends = (page[0].native_id, page[-1].native_id) if page else None
    has_more = start + len(page) < len(shown)
    return Answer.json(envelope(request, [write(post) for post in page], ends=ends, has_more=has_more))


def envelope(
    request: Request, rows: Sequence[object], *, ends: tuple[str, str] | None, has_more: bool
) -> dict[str, object]:
    """Write a page of a list; `ends` are the places of its first and last row, and only `next` says there is more."""
    if ends is None:
        return {"data": rows}
    cursors = {"before": sealed(ends[0]), "after": sealed(ends[1])}
    following = {"next": _turned(request, cursors["after"])} if has_more else {}
    return {"data": rows, "paging": {"cursors": cursors, **following}}


def limit_of(request: Request) -> int:
    return min(request.whole_number("limit", PAGE), MOST)


def sealed(place: str) -> str:
    """Make a cursor that tells nothing to who reads it."""
    return urlsafe_b64encode(f"place:{place}".encode()).decode().rstrip("=")


def opened(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        word, _, place = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
    except ValueError:
        word, place = "", ""
    if word != "place":
        raise refused(100, "(#100) Invalid cursor")
    return place


def written(instant: datetime) -> str:
    """Write a time as Meta does: 2027-01-21T20:00:00+0000."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _turned(request: Request, cursor: str) -> str:
    kept = [(name, values[-1]) for name, values in request.query.items() if name not in ("access_token", "after")]
    asked = [("access_token", token_of(request) or ""), *kept, ("after", cursor)]
    return f"{request.origin}{request.path}?{urlencode(asked)}"
