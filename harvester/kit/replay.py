"""A connector replaying recordings through the real client, call by call.

The connector locates the post, counts it when `expected_counts` is there, then lists its likers when
`expected_likers` is. The client tries once, and its clock is turned by sleeping.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

import httpx
import msgspec

from harvester.clock import utc_now
from harvester.collect.http import PoliteClient, PoliteSession, says_nothing
from harvester.config import HttpSettings
from harvester.connector import (
    Connector,
    Count,
    CountsLikes,
    ExplainsAnswers,
    Like,
    LocatesPosts,
    NamesLikers,
    Outcome,
    Page,
    Post,
    read_secret,
)
from harvester.kit.recordings import Exchange, Recording

START = datetime(2027, 1, 21, 20, tzinfo=UTC)
"""When every check begins."""

_MOST_PAGES = 1_000
_ONCE = HttpSettings(attempts=1)

C = TypeVar("C", bound=Connector)
Answer = Callable[[httpx.Request], httpx.Response]


class Call(StrEnum):
    """What a connector can be asked."""

    LOCATE = "locate"
    COUNT = "fetch_counts"
    LIST = "fetch_page"


@dataclass(frozen=True, slots=True)
class Crash:
    """A connector raised what is none of the seven outcomes."""

    error: Exception

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of a connector: what was asked, the exchanges it took, and the value or outcome it gave."""

    call: Call
    post: Post
    cursor: str | None = None
    page_size: int | None = None
    exchanges: tuple[Exchange, ...] = ()
    gave: object = None


def open_connector(kind: type[C], settings: dict[str, Any]) -> C:
    """Make a connector from settings as a recording writes them."""
    return kind(msgspec.convert(settings, kind.settings_type, dec_hook=read_secret))


def recognise(kind: type[Connector], url: str) -> Post:
    """Read a link that the connector must know."""
    post = kind.recognise(url)
    assert post is not None, f"{kind.name} does not know {url}"
    return post


def always(body: object, **headers: str) -> Answer:
    """Make a platform that answers everything alike."""
    return lambda _: httpx.Response(200, json=body, headers=headers)


@contextmanager
def session(
    connector: Connector, post: Post, answer: Answer, page_size: int | None = None, *, at: datetime | None = None
) -> Iterator[PoliteSession]:
    """Open the real client on a platform that is one function, now unless said otherwise."""
    with open_client(connector, answer, at or utc_now()) as client:
        yield client.session({post.origin, *connector.origins} - {""}, page_size or connector.traits.page_max)


def open_client(connector: Connector, answer: Answer, at: datetime = START) -> PoliteClient:
    """Open the real client, on a clock that only its own sleeping turns."""
    explain = connector.explain if isinstance(connector, ExplainsAnswers) else says_nothing
    clock = _Clock(at)
    return PoliteClient(_ONCE, explain=explain, now=clock.now, sleep=clock.sleep, transport=httpx.MockTransport(answer))


def perform(connector: Connector, step: Step, answer: Answer) -> object:
    """Do one call again, before another platform; give the value, the outcome or the crash."""
    with session(connector, step.post, answer, step.page_size, at=START) as http:
        return ask(connector, step, http)


def ask(connector: Any, step: Step, http: PoliteSession) -> object:
    """Do one call through a client that is open; give the value, the outcome or the crash."""
    try:
        match step.call:
            case Call.LOCATE:
                return connector.locate(http, step.post)
            case Call.COUNT:
                return connector.fetch_counts(http, [step.post])
            case Call.LIST:
                return connector.fetch_page(http, step.post, step.cursor)
    except Outcome as outcome:
        return outcome
    except Exception as error:  # noqa: BLE001 (which is what must be found out)
        return Crash(error)


@dataclass
class Tape:
    """Answers with the recorded responses in order and remembers what was asked; past their end, with 404."""

    exchanges: Sequence[Exchange]
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if len(self.requests) > len(self.exchanges):
            return httpx.Response(404, json={"error": "nothing more was recorded"})
        return self.exchanges[len(self.requests) - 1].response.answer()

    @property
    def made(self) -> list[tuple[object, ...]]:
        return [facts_of(request) for request in self.requests]

    @property
    def recorded(self) -> list[tuple[object, ...]]:
        return [recorded_facts(exchange) for exchange in self.exchanges]


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What a connector made of a recording, step by step; `tape` knows what it asked."""

    recording: Recording
    connector: Connector
    tape: Tape
    steps: tuple[Step, ...]

    @property
    def post(self) -> Post:
        """The post as it was last known: located, if that succeeded."""
        found = [step.gave for step in self.steps if isinstance(step.gave, Post)]
        return found[-1] if found else recognise(type(self.connector), self.recording.urls[0])

    @property
    def counts(self) -> list[Count] | None:
        given = [step.gave for step in self.steps if step.call is Call.COUNT]
        return [count for one in given if isinstance(one, tuple) for count in one] if given else None

    @property
    def likers(self) -> list[Like] | None:
        given = [step.gave for step in self.steps if step.call is Call.LIST]
        return [like for page in given if isinstance(page, Page) for like in page.likes] if given else None

    @property
    def outcome(self) -> str | None:
        """The class of the outcome that ended the replay, or in words what should never have come out."""
        last = self.steps[-1].gave if self.steps else None
        if isinstance(last, Crash):
            return str(last)
        return type(last).__name__ if isinstance(last, Outcome) else None


def replay(kind: type[Connector], recording: Recording) -> Replayed:
    """Walk a recording from link to likers, to its end or to the outcome that ends it."""
    connector, tape = open_connector(kind, recording.settings), Tape(recording.exchanges)
    post, steps = recognise(kind, recording.urls[0]), list[Step]()
    if isinstance(connector, LocatesPosts):
        steps.append(_step(connector, Step(call=Call.LOCATE, post=post), tape))
        post = located if isinstance(located := steps[-1].gave, Post) else post
    if recording.expected_counts is not None and isinstance(connector, CountsLikes) and not _is_over(steps):
        steps.append(_step(connector, Step(call=Call.COUNT, post=post, page_size=recording.page_size), tape))
    if recording.expected_likers is not None and isinstance(connector, NamesLikers) and not _is_over(steps):
        first = Step(call=Call.LIST, post=post, page_size=recording.page_size)
        steps += _pages(connector, first, tape)
    return Replayed(recording=recording, connector=connector, tape=tape, steps=tuple(steps))


def facts_of(request: httpx.Request) -> tuple[object, ...]:
    """Say what makes two requests the same one, whatever the order of the query."""
    body = msgspec.json.decode(request.content) if request.content else None
    return _facts(request.method, request.url, request.headers.get("authorization"), body)


def recorded_facts(exchange: Exchange) -> tuple[object, ...]:
    """Say the same of a recorded request."""
    asked = exchange.request
    return _facts(asked.method, httpx.URL(asked.url), asked.headers.get("authorization"), asked.json)


def _pages(connector: Connector, step: Step, tape: Tape) -> Iterator[Step]:
    """Read page after page to the end of the list, or of the tape."""
    for _ in range(_MOST_PAGES):
        done = _step(connector, step, tape)
        yield done
        if not isinstance(done.gave, Page) or done.gave.cursor is None:
            return
        step = replace(step, cursor=done.gave.cursor)


def _step(connector: Connector, step: Step, tape: Tape) -> Step:
    before = len(tape.requests)
    gave = perform(connector, step, tape)
    return replace(step, gave=gave, exchanges=tuple(tape.exchanges[before : len(tape.requests)]))


def _is_over(steps: Sequence[Step]) -> bool:
    return any(isinstance(step.gave, Outcome | Crash) for step in steps)


def _facts(method: str, url: httpx.URL, authorization: str | None, body: Any) -> tuple[object, ...]:
    return method, url.scheme, url.netloc, url.path, tuple(sorted(url.params.multi_items())), authorization, body


class _Clock:
    """Stands still until somebody sleeps."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def sleep(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
