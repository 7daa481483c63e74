"""Recordings, and a connector replaying one through the real client: a recording is one scenario, in order.

The connector locates the post, counts it when `expected_counts` is there, then lists its likers when
`expected_likers` is; each request must be the recorded one, and none may be left over.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import msgspec

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
    Post,
    Secret,
)

FOLDER = Path(__file__).parents[1] / "recordings"
TOKEN = "REDACTED"  # how a recording writes every secret

C = TypeVar("C", bound=Connector)
Answer = Callable[[httpx.Request], httpx.Response]


class Source(msgspec.Struct, forbid_unknown_fields=True):
    repo: str
    path: str
    locator: str
    commit: str
    licence: Literal["MIT", "MIT OR Apache-2.0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0"]


class Request(msgspec.Struct, forbid_unknown_fields=True):
    method: Literal["GET", "POST"]
    url: str
    headers: dict[str, str] = {}
    json: Any = None


class Response(msgspec.Struct, forbid_unknown_fields=True):
    status: int
    headers: dict[str, str]
    body: Any

    def answer(self) -> httpx.Response:
        return httpx.Response(self.status, headers=self.headers, content=json.dumps(self.body))


class Exchange(msgspec.Struct, forbid_unknown_fields=True):
    provenance: Literal["recorded", "captured", "official", "handwritten"]
    source: Source | str
    redactions: list[str]
    request: Request
    response: Response


class Recording(msgspec.Struct, forbid_unknown_fields=True):
    what: str
    urls: list[str]
    exchanges: list[Exchange]
    settings: dict[str, Any] = {}
    page_size: int | None = None
    expected_post: Post | None = None
    expected_counts: list[Count] | None = None
    expected_likers: list[Like] | None = None
    expected_outcome: str | None = None


@cache
def recordings(name: str) -> dict[str, Recording]:
    """Give a connector's recordings by their file's name."""
    files = sorted((FOLDER / name).glob("*.json"))
    return {file.stem: msgspec.json.decode(file.read_bytes(), type=Recording) for file in files}


def open_connector(kind: type[C], settings: dict[str, Any]) -> C:
    return kind(msgspec.convert(settings, kind.settings_type, dec_hook=lambda _, value: Secret(value)))


def recognise(kind: type[Connector], url: str) -> Post:
    post = kind.recognise(url)
    assert post is not None, f"{kind.name} does not know {url}"
    return post


def always(body: object, **headers: str) -> Answer:
    """Make a platform that answers everything alike."""
    return lambda _: httpx.Response(200, json=body, headers=headers)


@contextmanager
def session(connector: Connector, post: Post, answer: Answer, page_size: int | None = None) -> Iterator[PoliteSession]:
    """Open the real client on a platform that is one function; it tries once and never sleeps."""
    transport = httpx.MockTransport(answer)
    explain = connector.explain if isinstance(connector, ExplainsAnswers) else says_nothing
    with PoliteClient(HttpSettings(attempts=1), explain=explain, sleep=_never, transport=transport) as client:
        yield client.session({post.origin, *connector.origins} - {""}, page_size or connector.traits.page_max)


@dataclass
class Tape:
    """Answers with the recorded responses in order and remembers which requests were not the recorded ones."""

    exchanges: list[Exchange]
    made: list[tuple[object, ...]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        self.made.append(_facts(request.method, request.url, request.headers.get("authorization"), body))
        return self.exchanges[len(self.made) - 1].response.answer()

    @property
    def recorded(self) -> list[tuple[object, ...]]:
        requests = [exchange.request for exchange in self.exchanges]
        return [
            _facts(asked.method, httpx.URL(asked.url), asked.headers.get("authorization"), asked.json)
            for asked in requests
        ]


@dataclass
class Replayed:
    """What a connector made of a recording."""

    post: Post | None = None
    counts: list[Count] | None = None
    likers: list[Like] | None = None
    outcome: str | None = None


def replay(kind: type[Connector], recording: Recording, tape: Tape) -> Replayed:
    """Walk a recording from URL to likers, to its end or to the outcome that ends it."""
    connector = open_connector(kind, recording.settings)
    replayed = Replayed(post=recognise(kind, recording.urls[0]))
    try:
        _walk(connector, recording, tape, replayed)
    except Outcome as outcome:
        replayed.outcome = type(outcome).__name__
    return replayed


def _walk(connector: Connector, recording: Recording, tape: Tape, replayed: Replayed) -> None:
    assert replayed.post
    if isinstance(connector, LocatesPosts):
        with session(connector, replayed.post, tape) as http:
            replayed.post = connector.locate(http, replayed.post)
    with session(connector, replayed.post, tape, recording.page_size) as http:
        if recording.expected_counts is not None:
            assert isinstance(connector, CountsLikes)
            replayed.counts = []
            replayed.counts += connector.fetch_counts(http, [replayed.post])
        if recording.expected_likers is not None:
            assert isinstance(connector, NamesLikers)
            replayed.likers = []
            replayed.likers += _all_likes(connector, http, replayed.post)


def _all_likes(connector: NamesLikers, http: PoliteSession, post: Post) -> Iterator[Like]:
    page = connector.fetch_page(http, post, None)
    yield from page.likes
    while page.cursor is not None:
        page = connector.fetch_page(http, post, page.cursor)
        yield from page.likes


def _facts(method: str, url: httpx.URL, authorization: str | None, body: Any) -> tuple[object, ...]:
    """Say what makes two requests the same one, whatever the order of the query."""
    return method, url.scheme, url.netloc, url.path, tuple(sorted(url.params.multi_items())), authorization, body


def _never(seconds: float) -> None:
    raise AssertionError(f"a replay slept {seconds} s")
