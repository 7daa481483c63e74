"""The polite client: every request of every connector, and the only place that retries or sleeps.

A request is answered by 2xx JSON or by one of the seven outcomes. What a server asks for is obeyed in full: a short
pause is slept here, a long one raised as `Throttled`, so that the sweep ends `partial` and goes on later. No message
carries a query, a header or a body.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from importlib.metadata import version
from typing import Self

import httpx
import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from harvester.clock import Now, utc_now
from harvester.collect.budget import BudgetKeeper
from harvester.collect.guard import GuardedTransport, deadline
from harvester.collect.pauses import is_last_request, requested_pause
from harvester.config import HttpSettings
from harvester.connector import (
    Budget,
    ContractBroken,
    Exhausted,
    GrantLost,
    Missing,
    Outcome,
    Params,
    Refused,
    Throttled,
    Unstable,
    origin_of,
)

_PAUSE_WHEN_NONE_IS_NAMED = timedelta(minutes=5)
_BACKOFF = wait_exponential_jitter(multiplier=0.5, max=30, jitter=0.5)

# httpx and httpcore log whole URLs, and a query may carry a token.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


class _TryAgain(Exception):
    """A failure worth another attempt: the outcome if attempts run out, and the pause the server named."""

    def __init__(self, outcome: Outcome, pause: timedelta | None = None) -> None:
        super().__init__(str(outcome))
        self.outcome = outcome
        self.pause = pause


class PoliteClient:
    """One connection pool, one set of budgets; shared by the threads that sweep through one connector."""

    def __init__(
        self,
        settings: HttpSettings,
        *,
        budgets: Sequence[Budget] = (),
        now: Now = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._budget = BudgetKeeper(budgets, now)
        self._now = now
        self._sleep = sleep
        self._longest_wait = timedelta(seconds=settings.longest_wait_seconds)
        self._client = httpx.Client(
            transport=transport or GuardedTransport(allow_private=settings.allow_private_hosts),
            timeout=httpx.Timeout(settings.read_seconds, connect=settings.connect_seconds),
            headers={"user-agent": user_agent(settings.contact), "accept": "application/json"},
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def session(self, origins: Collection[str], page_size: int) -> "PoliteSession":
        """Give a connector its client for one post: it reaches `origins` and nothing else."""
        return PoliteSession(self, origins, page_size)

    def send(self, request: httpx.Request, auth: httpx.Auth | None) -> httpx.Response:
        """Send until answered, within the attempts allowed."""
        retrying = Retrying(
            stop=stop_after_attempt(self._settings.attempts),
            wait=_wait,
            retry=retry_if_exception_type(_TryAgain),
            sleep=self._sleep,
            retry_error_callback=_give_up,
        )
        return retrying(self._attempt, request, auth)

    def build_request(self, url: str, params: Params | None) -> httpx.Request:
        try:
            return self._client.build_request("GET", url, params=params)
        except httpx.InvalidURL as error:
            raise ContractBroken("the platform named a next page that is not a URL") from error

    def _attempt(self, request: httpx.Request, auth: httpx.Auth | None) -> httpx.Response:
        origin = origin_of(str(request.url))
        self._wait_for_budget(origin)
        try:
            response = self._exchange(request, auth)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _TryAgain(Unstable(f"{request.url.host} broke off: {type(error).__name__}")) from error
        pause = requested_pause(response.headers, self._now()) if _asks_to_wait(response) else None
        if pause:
            self._budget.block(origin, self._now() + pause)
        if response.is_success:
            return _checked_json(response)
        raise self._failure(response, pause)

    def _wait_for_budget(self, origin: str) -> None:
        while wait := self._budget.take(origin):
            if wait > self._longest_wait:
                until, host = self._now() + wait, origin.partition("://")[2]
                if self._budget.is_blocked(origin):
                    raise Throttled(until, f"{host} asked for a pause")
                raise Exhausted(until, f"the request budget of {host} is spent")
            self._sleep(wait.total_seconds())

    def _exchange(self, request: httpx.Request, auth: httpx.Auth | None) -> httpx.Response:
        """Send once and read the whole body, bounded in time and, after decompression, in size."""
        deadline.set(time.monotonic() + self._settings.whole_seconds)
        answer = self._client.send(request, auth=auth, stream=True)
        body = bytearray()
        try:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > self._settings.largest_body_bytes:
                    raise ContractBroken(
                        f"{_asked(answer)} answered more than {self._settings.largest_body_bytes:,} bytes"
                    )
        finally:
            answer.close()
        headers = [(name, value) for name, value in answer.headers.raw if name.lower() != b"content-encoding"]
        return httpx.Response(answer.status_code, headers=headers, content=bytes(body), request=answer.request)

    def _failure(self, response: httpx.Response, pause: timedelta | None) -> Exception:
        """Say what an answer other than 2xx means, and whether asking again may help."""
        status, asked = response.status_code, _asked(response)
        if status == httpx.codes.TOO_MANY_REQUESTS or (response.is_server_error and pause):
            until = self._now() + (pause or _PAUSE_WHEN_NONE_IS_NAMED)
            throttled = Throttled(until, f"{response.request.url.host} asked for a pause (HTTP {status})")
            return throttled if pause and pause > self._longest_wait else _TryAgain(throttled, pause or None)
        if response.is_server_error:
            return _TryAgain(Unstable(f"{asked} failed (HTTP {status})"))
        if response.is_redirect:
            return ContractBroken(f"{asked} wants to redirect elsewhere (HTTP {status}), which is refused")
        return _CLIENT_ERRORS.get(status, Refused)(f"{asked} {_SAID.get(status, 'refused')} (HTTP {status})")


_CLIENT_ERRORS: dict[int, type[Outcome]] = {401: GrantLost, 404: Missing, 410: Missing}
_SAID = {401: "wants a valid credential", 404: "does not know this post", 410: "says this post is gone"}


class PoliteSession:
    """The client as one sweep of one post sees it; it counts what is asked of the platform."""

    def __init__(self, client: PoliteClient, origins: Collection[str], page_size: int) -> None:
        self._client = client
        self._origins = frozenset(origins)
        self._requests = 0
        self.page_size = page_size

    def get(self, url: str, *, params: Params | None = None, auth: httpx.Auth | None = None) -> httpx.Response:
        """Answer 2xx with a JSON body, or raise an outcome; `ContractBroken` for a URL on another server."""
        request = self._client.build_request(url, params)
        if origin_of(str(request.url)) not in self._origins:
            raise ContractBroken(
                f"a request to {request.url.host or 'no host'} was refused: it is not the post's server"
            )
        self._requests += 1
        return self._client.send(request, auth)

    def take_requests(self) -> int:
        """Say how many requests were made since the last time this was asked."""
        taken, self._requests = self._requests, 0
        return taken


def user_agent(contact: str) -> str:
    return f"harvester/{version('like-harvester')} ({contact or 'no contact configured'})"


def _asks_to_wait(response: httpx.Response) -> bool:
    """A reset header alone is routine: it asks to wait beside 429, or once no request is left until then."""
    is_asked = response.status_code == httpx.codes.TOO_MANY_REQUESTS or is_last_request(response.headers)
    return is_asked or (response.is_server_error and "retry-after" in response.headers)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    pause = error.pause if isinstance(error, _TryAgain) else None
    return pause.total_seconds() if pause else _BACKOFF(state)


def _give_up(state: RetryCallState) -> httpx.Response:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, _TryAgain)
    raise error.outcome from error


def _checked_json(response: httpx.Response) -> httpx.Response:
    """Let only well-formed JSON through; what breaks off in the middle is worth asking for again."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise ContractBroken(f"{_asked(response)} answered {kind or 'no content type'}, expected application/json")
    try:
        msgspec.json.decode(response.content, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _TryAgain(Unstable(f"{_asked(response)} answered JSON that breaks off")) from error
    return response


def _asked(response: httpx.Response) -> str:
    return f"{response.request.url.host}{response.request.url.path}"
