"""Lists of likers as platforms really give them: short, empty, circular, or without the list."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import unquote

import httpx

from harvester.collect.sweep import LoopGuard
from harvester.connector import ContractBroken, NamesLikers, Outcome, Page
from harvester.kit.hostile import answered_otherwise
from harvester.kit.recordings import Response
from harvester.kit.replay import START, Call, Crash, Step, ask, session
from harvester.kit.spoiling import replaced, shortened, without_lists
from harvester.kit.subject import Subject

_MOST_PAGES = 300
"""More than the core's guard lets an endless list have."""


def names_likers(subject: Subject) -> bool:
    return issubclass(subject.kind, NamesLikers) and any(True for _ in subject.facts(Call.LIST))


def has_a_next_page(subject: Subject) -> bool:
    return any(True for _ in subject.going_on())


def sends_its_cursor(subject: Subject) -> Iterator[str]:
    for name, replayed, first in subject.going_on():
        assert isinstance(first.gave, Page)
        asked: list[httpx.Request] = []
        named = first.gave.cursor or ""
        for cursor in (None, named):
            _perform_noting(replayed.connector, replace(first, cursor=cursor), first, asked)
        texts = [_whole(request) for request in asked]
        half = len(texts) // 2
        if texts[:half] == texts[half:]:
            yield f"{name}: the cursor {named[:60]!r} is not sent: page 2 is asked for exactly as page 1 was"
        elif _is_named(first, named) and not any(named in text for text in texts[half:]):
            yield f"{name}: the cursor {named[:60]!r} that the platform named is not in the next request"


def goes_on_after_a_short_page(subject: Subject) -> Iterator[str]:
    for name, replayed, first in subject.going_on():
        assert isinstance(first.gave, Page)
        response = first.exchanges[-1].response
        for keep in (1, 0):
            body = replaced(
                shortened(response.body, keep), partial(_recounted, listed=len(first.gave.likes), keep=keep)
            )
            said = _with_body(replayed.connector, first, body)
            cursor = said.cursor if isinstance(said, Page) else None
            if _is_named(first, first.gave.cursor or "", body) and cursor != first.gave.cursor:
                yield f"{name}: a page of {keep} with a live cursor is taken for the end of the list: {said}"


def an_answer_without_the_list_is_not_nobody(subject: Subject) -> Iterator[str]:
    for name, replayed, step in subject.facts(Call.LIST):
        if isinstance(step.gave, Page) and step.gave.likes:
            bodies: tuple[object, ...] = ({}, None, without_lists(step.exchanges[-1].response.body))
            for body in bodies:
                said = _with_body(replayed.connector, step, body)
                if isinstance(said, Page) and said.cursor is None:
                    yield f"{name}: {str(body)[:80]} instead of a list is taken for {len(said.likes)} likers"


def a_circle_is_noticed(subject: Subject) -> Iterator[str]:
    """Answer every page with the first one: the core's guard must see it, so the connector must not hide it."""
    for name, replayed, first in subject.going_on():
        said = _walk_in_circles(replayed.connector, first)
        if not isinstance(said, ContractBroken):
            yield f"{name}: a list that leads in a circle ends with {said}, expected ContractBroken"


def _walk_in_circles(connector: Any, first: Step) -> object:
    guard, cursor = LoopGuard(), first.cursor
    for _ in range(_MOST_PAGES):
        said = answered_otherwise(connector, replace(first, cursor=cursor), -1, httpx.Response(200))
        if not isinstance(said, Page):
            return said
        try:
            guard.check(said)
        except Outcome as outcome:
            return outcome
        if said.cursor is None:
            return f"a list of {len(said.likes)} likers that is said to be complete"
        cursor = said.cursor
    return f"no end after {_MOST_PAGES} pages"


def _with_body(connector: Any, step: Step, body: object) -> object:
    answer = step.exchanges[-1].response.saying(body)
    said = answered_otherwise(connector, step, len(step.exchanges) - 1, answer)
    return ContractBroken(str(said)) if isinstance(said, Crash) else said  # crashes are another check's


def _perform_noting(connector: Any, step: Step, first: Step, asked: list[httpx.Request]) -> None:
    """Do a call before the recorded first page, and note what is asked for."""
    answers = [exchange.response for exchange in first.exchanges]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[(len(asked) - 1) % len(answers)].answer()

    with session(connector, step.post, answer, step.page_size, at=START) as http:
        ask(connector, step, http)


def _is_named(step: Step, cursor: str, body: object = ...) -> bool:
    """Tell whether the platform's answer names the cursor itself; others are made of a place in the list."""
    response: Response = step.exchanges[-1].response
    said = response.body if body is ... else body
    texts = [*response.headers.values(), *_texts(said)]
    return any(cursor == text or (len(cursor) > 3 and cursor in text) for text in texts)


def _recounted(value: Any, *, listed: int, keep: int) -> Any:
    """Let an answer that says how many it lists say so of the shorter list."""
    return keep if type(value) is int and value == listed else value


def _texts(body: Any) -> Iterator[str]:
    """Give every text and number of an answer, but those of the likers themselves."""
    if isinstance(body, dict):
        for value in body.values():
            yield from _texts(value)
    elif not isinstance(body, list):
        yield str(body)


def _whole(request: httpx.Request) -> str:
    return unquote(f"{request.url} {request.content.decode()}")
