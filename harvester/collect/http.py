"""The polite client: every request of every connector, and the only place that retries or sleeps.

A request is answered by 2xx JSON or by one of the seven outcomes. What a server asks for is obeyed in full: a short
pause is slept here, a long one raised as `Throttled`, so that the sweep ends `partial` and goes on later. No message
carries a query, a header or a body; and requests are signed in a copy, so that none carries a token either.
"""

import logging
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from importlib.metadata import version
from typing import Any, Self

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from harvester.clock import Now, utc_now
from harvester.collect.answers import TryAgain, checked_json, failure, leads_nowhere, pause_asked_by
from harvester.collect.breaker import Breaker
from harvester.collect.budget import BudgetKeeper, Sent
from harvester.collect.guard import GuardedTransport, deadline
from harvester.config import HttpSettings
from harvester.connector import (
    Bearer,
    Budget,
    ContractBroken,
    Exhausted,
    GrantLost,
    Outcome,
    Params,
    Secret,
    Throttled,
    Unstable,
    answered_at,
    origin_of,
)

_BACKOFF = wait_exponential_jitter(multiplier=0.5, max=30, jitter=0.5)

# httpx and httpcore log whole URLs, and a query may carry a token.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)

Explain = Callable[[httpx.Response], Outcome | None]


class NoGrant(httpx.Auth):
    """Stands where nobody has granted anything yet."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        raise GrantLost("no token is configured and nobody has granted access yet")
        yield request


def says_nothing(_: httpx.Response) -> Outcome | None:
    return None


class PoliteClient:
    """One connection pool, one set of budgets; shared by the threads that sweep through one connector.

    `explain` is the connector's word on what an answer means, `grant` what a person granted in a browser, `remedy`
    what that person can do when a credential no longer works.
    """

    def __init__(
        self,
        settings: HttpSettings,
        *,
        budgets: Sequence[Budget] = (),
        explain: Explain = says_nothing,
        grant: httpx.Auth | None = None,
        remedy: str = "",
        now: Now = utc_now,
        sleep: Callable[[float], None] = time.sleep,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.grant = grant or NoGrant()
        self.budgets = tuple(budgets)
        self._settings = settings
        self._explain = explain
        self._remedy = remedy
        self._budget = BudgetKeeper(budgets, now)
        self._breaker = Breaker(now)
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

    def remember(self, origin: str, at: datetime, requests: int) -> None:
        """Count requests against the budget that an earlier process sent."""
        self._budget.remember(origin, at, requests)

    def recount(self, others: Mapping[str, Sequence[Sent]]) -> None:
        """Count against the budget of each origin what other processes are known to have sent meanwhile."""
        self._budget.recount(others)

    def block(self, origin: str, until: datetime) -> None:
        """Keep a pause that a server asked another process for."""
        self._budget.block(origin, until)

    def session(self, origins: Collection[str], page_size: int) -> "PoliteSession":
        """Give a connector its client for one post: it reaches `origins` and nothing else."""
        return PoliteSession(self, origins, page_size)

    def send(
        self,
        request: httpx.Request,
        auth: httpx.Auth | None = None,
        *,
        wants_redirect: bool = False,
        on_send: Callable[[], None] = lambda: None,
    ) -> httpx.Response:
        """Send until answered, within the attempts allowed; each one is told to `on_send`."""
        origin, is_last = origin_of(str(request.url)), stop_after_attempt(self._settings.attempts)
        retrying = Retrying(
            stop=lambda state: is_last(state) or self._breaker.is_left_alone(origin),
            wait=_wait,
            retry=retry_if_exception_type(TryAgain),
            sleep=self._sleep,
            retry_error_callback=_give_up,
        )
        try:
            with self._breaker.request(origin):
                return retrying(self._attempt, request, auth, wants_redirect, on_send)
        except GrantLost as error:
            raise GrantLost("; ".join(filter(None, (str(error), self._remedy)))) from error

    def build_request(self, method: str, url: str, **parts: Any) -> httpx.Request:
        try:
            return self._client.build_request(method, url, **parts)
        except httpx.InvalidURL as error:
            raise ContractBroken("the platform named a next page that is not a URL") from error

    def _attempt(
        self, request: httpx.Request, auth: httpx.Auth | None, wants_redirect: bool, on_send: Callable[[], None]
    ) -> httpx.Response:
        origin = origin_of(str(request.url))
        self._wait_for_budget(origin)
        on_send()
        try:
            response = self._exchange(request, auth)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise TryAgain(Unstable(f"{request.url.host} broke off: {type(error).__name__}")) from error
        if not response.is_server_error:
            self._breaker.answered(origin)
        pause = pause_asked_by(response, self._now())
        if pause:
            self._budget.block(origin, self._now() + pause)
        if wants_redirect and response.has_redirect_location:
            return response
        meant = self._explain(response)
        if isinstance(meant, Throttled):
            pause = meant.until - answered_at(response)
            self._budget.block(origin, self._now() + pause)
        if response.is_success and not meant:
            if wants_redirect:
                raise leads_nowhere(response)
            return checked_json(response)
        raise failure(response, meant, pause, now=self._now(), longest_wait=self._longest_wait)

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
        answer = self._client.send(_copy(request), auth=auth, stream=True)
        body = bytearray()
        try:
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > self._settings.largest_body_bytes:
                    raise ContractBroken(
                        f"{request.url.host} answered more than {self._settings.largest_body_bytes:,} bytes"
                    )
        finally:
            answer.close()
        headers = httpx.Headers([pair for pair in answer.headers.raw if pair[0].lower() != b"content-encoding"])
        headers.setdefault("date", format_datetime(self._now(), usegmt=True))
        return httpx.Response(answer.status_code, headers=headers, content=bytes(body), request=request)


class PoliteSession:
    """The client as one sweep of one post sees it; it counts what is truly sent, each attempt."""

    def __init__(self, client: PoliteClient, origins: Collection[str], page_size: int) -> None:
        self._client = client
        self._origins = frozenset(origins)
        self._requests = 0
        self.page_size = page_size

    def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.Response:
        """Answer 2xx with a JSON body, or raise an outcome; `ContractBroken` for a URL on another server."""
        return self._send(self._client.build_request("GET", url, params=params, headers=headers), auth)

    def post(
        self,
        url: str,
        *,
        json: object,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.Response:
        """Ask with a JSON body, otherwise as `get` does."""
        request = self._client.build_request("POST", url, params=params, headers=headers, json=json)
        return self._send(request, auth)

    def redirect_of(self, url: str) -> str:
        """Say where a short link leads, one hop; `Missing` when it leads nowhere."""
        request = self._client.build_request("GET", url)
        answer = self._send(request, wants_redirect=True)
        return str(request.url.join(answer.headers["location"]))

    def bearer(self, token: Secret | None) -> httpx.Auth:
        """Sign with this token, or when it is None with what a person granted in a browser."""
        return self._client.grant if token is None else Bearer(token)

    def _send(
        self, request: httpx.Request, auth: httpx.Auth | None = None, *, wants_redirect: bool = False
    ) -> httpx.Response:
        """Send a request that goes to one of the post's servers."""
        if origin_of(str(request.url)) not in self._origins:
            raise ContractBroken(
                f"a request to {request.url.host or 'no host'} was refused: it is not the post's server"
            )
        return self._client.send(request, auth, wants_redirect=wants_redirect, on_send=self._count)

    def _count(self) -> None:
        self._requests += 1

    def take_requests(self) -> int:
        """Say how many requests were made since the last time this was asked."""
        taken, self._requests = self._requests, 0
        return taken


def _copy(request: httpx.Request) -> httpx.Request:
    """Make what is signed and sent, so that the request which answers and messages name stays without a token."""
    return httpx.Request(
        request.method, request.url, headers=request.headers, content=request.content, extensions=request.extensions
    )


def user_agent(contact: str) -> str:
    return f"harvester/{version('like-harvester')} ({contact or 'no contact configured'})"


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    pause = error.pause if isinstance(error, TryAgain) else None
    return pause.total_seconds() if pause else _BACKOFF(state)


def _give_up(state: RetryCallState) -> httpx.Response:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, TryAgain)
    raise error.outcome from error
