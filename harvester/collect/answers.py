"""What an answer means: JSON to decode, a pause to keep, or one of the seven outcomes, and whether to ask again.

The connector has the first word (`explain`), because platforms say with 200 that they failed and with 400 that they
want a pause; the status has the second.
"""

from datetime import datetime, timedelta

import httpx
import msgspec

from harvester.collect.pauses import is_last_request, requested_pause
from harvester.connector import (
    ContractBroken,
    Exhausted,
    GrantLost,
    Missing,
    Outcome,
    Refused,
    Throttled,
    Unstable,
)

_PAUSE_WHEN_NONE_IS_NAMED = timedelta(minutes=5)
_SHORTEST_PAUSE = timedelta(milliseconds=100)
_JSON = ("application/json", "text/javascript")  # the latter is how Meta's servers have long called it
_CLIENT_ERRORS: dict[int, type[Outcome]] = {401: GrantLost, 404: Missing, 410: Missing}
_SAID = {401: "wants a valid credential", 404: "does not know this post", 410: "says this post is gone"}


class TryAgain(Exception):
    """A failure worth another attempt: the outcome if attempts run out, and the pause the server named."""

    def __init__(self, outcome: Outcome, pause: timedelta | None = None) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome
        self.pause = pause


def pause_asked_by(response: httpx.Response, now: datetime) -> timedelta | None:
    """Say how long the server wants to be left alone.

    A reset header alone is routine: it asks to wait beside 429, or once no request is left until then.
    """
    is_asked = response.status_code == httpx.codes.TOO_MANY_REQUESTS or is_last_request(response.headers)
    if is_asked or (response.is_server_error and "retry-after" in response.headers):
        return requested_pause(response.headers, now)
    return None


def failure(
    response: httpx.Response,
    meant: Outcome | None,
    pause: timedelta | None,
    *,
    now: datetime,
    longest_wait: timedelta,
) -> Exception:
    """Say what an answer that gives no facts means, in the connector's words or else by its status."""
    outcome = meant or _by_status(response, pause, now)
    if isinstance(outcome, Throttled):
        if meant and pause is not None:
            outcome = type(outcome)(now + pause, str(outcome))
        is_long = pause is not None and pause > longest_wait
        return outcome if is_long or isinstance(outcome, Exhausted) else TryAgain(outcome, _at_least_a_moment(pause))
    return TryAgain(outcome) if isinstance(outcome, Unstable) else outcome


def checked_json(response: httpx.Response) -> httpx.Response:
    """Let only well-formed JSON through; what breaks off in the middle is worth asking for again."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON and not kind.endswith("+json"):
        raise ContractBroken(f"{asked(response)} answered {kind or 'no content type'}, expected application/json")
    try:
        msgspec.json.decode(response.content, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TryAgain(Unstable(f"{asked(response)} answered JSON that breaks off")) from error
    return response


def leads_nowhere(response: httpx.Response) -> Missing:
    """Say that a short link shows a page instead of leading on."""
    return Missing(f"{asked(response)} leads nowhere: open the link in a browser and paste the address it ends at")


def asked(response: httpx.Response) -> str:
    return f"{response.request.url.host}{response.request.url.path}"


def _by_status(response: httpx.Response, pause: timedelta | None, now: datetime) -> Outcome:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS or (response.is_server_error and pause):
        until = now + (pause or _PAUSE_WHEN_NONE_IS_NAMED)
        return Throttled(until, f"{response.request.url.host} asked for a pause (HTTP {status})")
    if response.is_server_error:
        return Unstable(f"{asked(response)} failed (HTTP {status})")
    if response.is_redirect:
        return ContractBroken(f"{asked(response)} wants to redirect elsewhere (HTTP {status}), which is refused")
    return _CLIENT_ERRORS.get(status, Refused)(f"{asked(response)} {_SAID.get(status, 'refused')} (HTTP {status})")


def _at_least_a_moment(pause: timedelta | None) -> timedelta | None:
    return None if pause is None else max(pause, _SHORTEST_PAUSE)
