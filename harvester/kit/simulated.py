"""A connector before the rehearsal's own platform, where there is one: its quirks for as long as a sweep takes.

Whatever goes wrong, nobody is credited who did not like, and the sweep after it credits everybody else once.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from typing import Any

import httpx

from harvester.connector import Connector, CountsLikes, LocatesPosts, NamesLikers, Outcome, Post, needs_of
from harvester.kit.ledgers import open_books
from harvester.kit.replay import START, Call, Step, open_client, open_connector, perform, recognise
from harvester.kit.statements import secret_fields
from harvester.kit.subject import Subject
from harvester.rehearsal import DIALECTS, Kind, SimulatedPlatform, SimulatedPost, World
from harvester.rehearsal.dialect import ListDialect
from harvester.rehearsal.faults import (
    HTML_PAGE,
    OBJECT_FOR_A_LIST,
    DropFromPage,
    EmptyPage,
    Fail,
    Redirect,
    RepeatCursor,
    RepeatPage,
    Reset,
    Throttle,
    Truncate,
)
from harvester.rehearsal.wire import Request
from harvester.store.kinds import SweepOutcome

_AUTHOR = "contest"
_LATER = timedelta(minutes=15)
_DONE, _PAUSED, _REFUSED = SweepOutcome.COMPLETE, SweepOutcome.PARTIAL, SweepOutcome.FAILED
_EVERY_ANSWER: Mapping[str, tuple[Any, SweepOutcome]] = {
    "an HTML page": (HTML_PAGE, _REFUSED),
    "`{}`": (OBJECT_FOR_A_LIST, _REFUSED),
    "a redirect": (Redirect(), _REFUSED),
    "HTTP 503": (Fail(), _PAUSED),
    "JSON that breaks off": (Truncate(), _PAUSED),
    "429": (Throttle(reset=Reset.RETRY_AFTER_SECONDS, pause=_LATER), _PAUSED),
}
_GOES_ON: Mapping[str, tuple[Any, SweepOutcome]] = {"an empty page": (DropFromPage(), _DONE)}
_EVERY_PAGE: Mapping[str, tuple[Any, SweepOutcome]] = {
    "the same cursor for ever": (RepeatCursor(), _REFUSED),
    "the same page for ever": (RepeatPage(), _REFUSED),
    "empty pages for ever": (EmptyPage(), _REFUSED),
    "nobody beside a count": (DropFromPage(), _REFUSED),
}


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """A connector in front of a simulated platform with one post."""

    connector: Connector
    platform: SimulatedPlatform
    truth: SimulatedPost
    post: Post

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Hand a request to the simulated platform as if it had come over the network."""
        port = f":{request.url.port}" if request.url.port else ""
        asked = Request(
            origin=f"{request.url.scheme}://{request.url.host}{port}",
            target=request.url.raw_path.decode("ascii"),
            headers={name.lower(): value for name, value in request.headers.items()},
            method=request.method,
            body=request.content,
        )
        said = self.platform.respond(asked)
        return httpx.Response(said.status, headers=list(said.headers), content=said.body)


def lists_survive_quirks(subject: Subject) -> Iterator[str]:
    for what, (fault, expected) in {**_GOES_ON, **_EVERY_ANSWER, **_EVERY_PAGE}.items():
        with _stage(subject) as stage:
            nth, times = (1, None) if what in _EVERY_PAGE else (2, 1)
            stage.platform.faults.inject(fault, on=Kind.LIKES, nth=nth, times=times)
            yield from (f"simulated: {what}: {problem}" for problem in _swept(stage, expected))


def counts_survive_quirks(subject: Subject) -> Iterator[str]:
    with _stage(subject) as stage:
        step = Step(call=Call.COUNT, post=stage.post)
        said: Any = perform(stage.connector, step, stage.answer)
        if isinstance(said, Outcome) or [count.likes for count in said] != [stage.truth.displayed()]:
            yield f"simulated: the platform shows {stage.truth.displayed()} likes, and {said} came out"
        for what, (fault, _) in _EVERY_ANSWER.items():
            stage.platform.faults.inject(fault, on=Kind.POST)
            said = perform(stage.connector, step, stage.answer)
            stage.platform.faults.clear()
            if not isinstance(said, Outcome) and any(count.likes is not None for count in said):
                yield f"simulated: {what} is taken for the count {said}"


def has_simulated_list(subject: Subject) -> bool:
    return isinstance(_dialect(subject.kind), ListDialect) and issubclass(subject.kind, NamesLikers)


def has_simulated_count(subject: Subject) -> bool:
    return _dialect(subject.kind) is not None and issubclass(subject.kind, CountsLikes)


def _swept(stage: _Stage, expected: SweepOutcome) -> Iterator[str]:
    """Sweep through a fault, then without it: as expected, and right in the end."""
    listed = len(stage.truth.listed())
    with open_books() as books:
        entry = books.enter(stage.post)
        for is_faulty in (True, False):
            with open_client(stage.connector, stage.answer) as client:
                ending = books.sweep(entry, stage.post, stage.connector, client)
            credited = books.credited(entry)
            if is_faulty and (ending.outcome is not expected or (ending.outcome is _DONE and credited != listed)):
                yield f"the sweep ends {ending.outcome} ({ending.reason}) with {credited} credited, expected {expected}"
            if not is_faulty and not ending.resume_at and credited != listed:
                yield f"the next sweep has credited {credited} of {listed} ({ending.outcome}, {ending.reason})"
            stage.platform.faults.clear()


@contextmanager
def _stage(subject: Subject) -> Iterator[_Stage]:
    """Publish a post that two and a half pages of people like."""
    dialect, world = _dialect(subject.kind), World(lambda: START)
    assert dialect is not None
    with ExitStack() as stack:
        platform = stack.enter_context(SimulatedPlatform(world, dialect))
        truth = world.publish(dialect, author=_AUTHOR, at=START - timedelta(days=1))
        for number in range(subject.kind.traits.page_max * 5 // 2 + 3):
            truth.like(f"fan-{number}", START - timedelta(minutes=number))
        connector = open_connector(subject.kind, _settings(subject.kind, dialect))
        post = recognise(subject.kind, platform.url_of(truth))
        stage = _Stage(connector=connector, platform=platform, truth=truth, post=post)
        if isinstance(connector, LocatesPosts):
            located = perform(connector, Step(call=Call.LOCATE, post=post), stage.answer)
            assert isinstance(located, Post), f"the simulated post cannot be located: {located}"
            stage = _Stage(connector=connector, platform=platform, truth=truth, post=located)
        yield stage


def _dialect(kind: type[Connector]) -> Any:
    """Find the dialect of the connector's name among those that the rehearsal speaks."""
    return DIALECTS.get(kind.name)


def _settings(kind: type[Connector], dialect: Any) -> dict[str, str]:
    """Give the simulated token for every secret, and what the dialect calls by a setting's name."""
    token = getattr(dialect, "token", None)
    secrets = {field: token for field in secret_fields(kind.settings_type) if token is not None}
    said = {field: getattr(dialect, field, None) for field in needs_of(kind.settings_type)}
    named = {field: say(*(_AUTHOR for _ in signature(say).parameters)) for field, say in said.items() if callable(say)}
    return named | secrets
