"""How simulated platforms misbehave: faults as frozen data, and the plan that says which request meets which.

A fault answers in place of the server and may let the rest proceed, so faults on one request nest.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from threading import Lock
from urllib.parse import unquote

from harvester.rehearsal.dialect import Kind, ListPage, iso_micros
from harvester.rehearsal.exchange import Exchange, Fault
from harvester.rehearsal.wire import Answer, Delivery, Request


class Reset(StrEnum):
    """The ways servers say until when to stay away."""

    RETRY_AFTER_SECONDS = "Retry-After: 30"
    RETRY_AFTER_FRACTION = "Retry-After: 29.500"
    RETRY_AFTER_DATE = "Retry-After: an HTTP date"
    X_EPOCH = "X-RateLimit-Reset: epoch seconds"
    X_ISO = "X-RateLimit-Reset: ISO 8601 with microseconds"
    X_AFTER = "X-RateLimit-Reset-After: fractional seconds"
    EPOCH = "RateLimit-Reset: epoch seconds"
    SECONDS = "RateLimit-Reset: seconds"

    def header(self, *, now: datetime, pause: timedelta) -> tuple[str, str]:
        """Say it in this server's way."""
        seconds, until = pause.total_seconds(), now + pause
        words = {
            Reset.RETRY_AFTER_SECONDS: f"{seconds:.0f}",
            Reset.RETRY_AFTER_FRACTION: f"{seconds:.3f}",
            Reset.RETRY_AFTER_DATE: format_datetime(until, usegmt=True),
            Reset.X_EPOCH: f"{until.timestamp():.0f}",
            Reset.X_ISO: iso_micros(until),
            Reset.X_AFTER: f"{seconds:.3f}",
            Reset.EPOCH: f"{until.timestamp():.0f}",
            Reset.SECONDS: f"{seconds:.0f}",
        }
        return self.value.partition(":")[0], words[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """429; a negative `pause` is a reset in the past, `reset=None` says nothing at all."""

    reset: Reset | None = None
    pause: timedelta = timedelta(seconds=30)

    def answer(self, exchange: Exchange, /) -> Answer:
        now = exchange.world.now()
        header = dict([self.reset.header(now=now, pause=self.pause)]) if self.reset else {}
        return Answer.json({"error": "Too many requests"}, status=429, headers=header)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """An error status; with `retry_after` the server says when to come back."""

    status: int = 503
    retry_after: timedelta | None = None

    def answer(self, _exchange: Exchange, /) -> Answer:
        pause = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after.total_seconds():.0f}"}
        return Answer.json({"error": f"simulated {self.status}"}, status=self.status, headers=pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Say this instead, whatever was asked."""

    body: bytes
    status: int = 200
    content_type: str = "application/json; charset=utf-8"

    def answer(self, _exchange: Exchange, /) -> Answer:
        return Answer(status=self.status, body=self.body, headers=(("Content-Type", self.content_type),))


OBJECT_FOR_A_LIST = Say(body=b"{}")
EMPTY_LIST = Say(body=b"[]")
ERROR_WITH_STATUS_200 = Say(body=b'{"error":"internal_error","message":"simulated"}')
HTML_PAGE = Say(body=b"<!doctype html><title>We will be right back</title>", content_type="text/html; charset=utf-8")
HTML_ERROR = replace(HTML_PAGE, status=502)


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """Answer honestly, with one more header: a platform that says how much of its allowance is used."""

    header: str
    value: str

    def answer(self, exchange: Exchange, /) -> Answer:
        return exchange.proceed().with_headers({self.header: self.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Send the honest answer over a bad connection: reset before or midway, or dripping byte by byte."""

    delivery: Delivery
    pause: timedelta = timedelta(milliseconds=10)

    def answer(self, exchange: Exchange, /) -> Answer:
        return replace(exchange.proceed(), delivery=self.delivery, pause=self.pause)


@dataclass(frozen=True, slots=True)
class Truncate:
    """Cut the body in half; the Content-Length either matches what is sent, or still announces the whole."""

    length_matches: bool = True

    def answer(self, exchange: Exchange, /) -> Answer:
        whole = exchange.proceed()
        half = whole.body[: len(whole.body) // 2]
        return replace(whole, body=half, announced=None if self.length_matches else len(whole.body))


@dataclass(frozen=True, slots=True)
class Swell:
    """A body of absurd size: blanks that compress a thousandfold, around an empty list."""

    size: int = 256 * 2**20

    def answer(self, _exchange: Exchange, /) -> Answer:
        packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
        blanks = b" " * 2**20
        packed = b"".join(packer.compress(blanks) for _ in range(self.size // len(blanks)))
        body = packed + packer.compress(b"[]") + packer.flush()
        return Answer(body=body).with_headers({"Content-Encoding": "gzip"})


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the client to another host."""

    to: str = "http://elsewhere.invalid"
    status: int = 302

    def answer(self, exchange: Exchange, /) -> Answer:
        return Answer(status=self.status).with_headers({"Location": self.to + exchange.request.target})


@dataclass(frozen=True, slots=True)
class ForeignNext:
    """Name another host in the link to the next page, be it in a header or in the answer."""

    host: str = "http://elsewhere.invalid"

    def answer(self, exchange: Exchange, /) -> Answer:
        honest, origin = exchange.proceed(), exchange.request.origin
        link = honest.header("Link")
        body = honest.body.replace(f'"next":"{origin}'.encode(), f'"next":"{self.host}'.encode())
        return replace(honest, body=body).with_headers({"Link": link.replace(origin, self.host)} if link else {})


@dataclass(frozen=True, slots=True)
class RepeatCursor:
    """Name the page just asked for as the next one; the first page, which has no cursor, stays honest."""

    def answer(self, exchange: Exchange, /) -> Answer:
        page = exchange.page()
        return exchange.write(replace(page, cursor=exchange.cursor() or page.cursor))


@dataclass(frozen=True, slots=True)
class RepeatPage:
    """Give the first page again, under a cursor never seen before."""

    def answer(self, exchange: Exchange, /) -> Answer:
        return exchange.write(replace(exchange.page_from(None), cursor=exchange.invented_cursor()))


@dataclass(frozen=True, slots=True)
class EmptyPage:
    """Give nobody, under a cursor never seen before; injected for ever, the list never ends."""

    def answer(self, exchange: Exchange, /) -> Answer:
        return exchange.write(ListPage(likes=(), cursor=exchange.invented_cursor()))


@dataclass(frozen=True, slots=True)
class DropFromPage:
    """Give only the first `keep` likers of a page, or none; its cursor goes on as if they were there."""

    keep: int = 0

    def answer(self, exchange: Exchange, /) -> Answer:
        page = exchange.page()
        return exchange.write(replace(page, likes=page.likes[: self.keep]))


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Let something happen in the world, just before this request is answered: un-likes between two pages, a clock."""

    happen: Callable[[], object]

    def answer(self, exchange: Exchange, /) -> Answer:
        self.happen()
        return exchange.proceed()


@dataclass(slots=True, kw_only=True)
class _Injected:
    fault: Fault
    kind: Kind | None
    about: str
    first: int
    last: int | None
    met: int = 0

    def meets(self, kind: Kind, asked: str) -> bool:
        """Count the requests this is meant for, and say whether the fault strikes now."""
        if self.kind not in (None, kind) or self.about not in asked:
            return False
        self.met += 1
        return self.first <= self.met and (self.last is None or self.met <= self.last)


class Faults:
    """The plan: which of the requests to come meets which fault."""

    def __init__(self) -> None:
        self._injected: list[_Injected] = []
        self._lock = Lock()

    def inject(
        self, fault: Fault, *, on: Kind | None = None, about: str = "", nth: int = 1, times: int | None = 1
    ) -> None:
        """Strike the nth request from now of this kind about this post id: once, several `times`, or always (None).

        A request is about an id that stands in its target or in its body.

        Faults of a list (pages, cursors) belong `on=Kind.LIKES`.
        """
        last = None if times is None else nth + times - 1
        with self._lock:
            self._injected.append(_Injected(fault=fault, kind=on, about=about, first=nth, last=last))

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._injected.clear()

    def met_by(self, kind: Kind, request: Request) -> tuple[Fault, ...]:
        asked = f"{unquote(request.target)} {request.body.decode('utf-8', 'replace')}"
        with self._lock:
            return tuple(injected.fault for injected in self._injected if injected.meets(kind, asked))
