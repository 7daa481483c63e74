"""Answers that no platform should give: whatever comes, only valid values or one of the seven outcomes come out."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import msgspec

from harvester.connector import Connector, Count, Like, Outcome, Page, Post
from harvester.kit.recordings import Exchange
from harvester.kit.replay import Call, Crash, Step, perform
from harvester.kit.spoiling import ERROR_BODIES, NOT_JSON, replaced, scalars, spoilt
from harvester.kit.subject import Subject

_BEYOND_FLOATS = (2**53 + 1, 2**63 + 1)
"""Whole numbers that a floating-point number would change."""

_JSON = {"content-type": "application/json"}


def survives_hostile_answers(subject: Subject) -> Iterator[str]:
    for name, replayed, step in subject.facts():
        for index, exchange in enumerate(step.exchanges):
            for body in _hostile(exchange.response.body):
                said = answered_otherwise(
                    replayed.connector, step, index, httpx.Response(200, headers=_JSON, content=body)
                )
                if problem := flaw(said, step):
                    yield f"{name}: {step.call} answered with {body[:80]!r} {problem}"
                    break


def takes_no_error_for_a_fact(subject: Subject) -> Iterator[str]:
    recorded = [e.response.body for _, _, step in subject.steps() for e in step.exchanges if not e.response.is_success]
    for name, replayed, step in subject.facts(Call.COUNT, Call.LIST):
        for body in (*ERROR_BODIES, *recorded):
            answer = httpx.Response(200, headers=_JSON, content=msgspec.json.encode(body))
            said = answered_otherwise(replayed.connector, step, len(step.exchanges) - 1, answer)
            if isinstance(said, Page) or any(count.likes is not None for count in _counts(said)):
                yield f"{name}: {step.call} takes 200 with the error body {str(body)[:80]} for the fact {said}"


def keeps_ids_as_they_are(subject: Subject) -> Iterator[str]:
    for name, replayed, step in subject.facts(Call.LIST):
        actors = {like.actor for like in step.gave.likes} if isinstance(step.gave, Page) else set()
        for index, exchange in enumerate(step.exchanges):
            written = {type(value) for value in scalars(exchange.response.body) if _spells(value, actors)}
            for number in _BEYOND_FLOATS if written else ():
                change = partial(_as_number, actors=actors, number=number)
                answer = exchange.response.saying(replaced(exchange.response.body, change))
                said = answered_otherwise(replayed.connector, step, index, answer)
                for problem in _changed_ids(said, actors, number, is_text=str in written):
                    yield f"{name}: {problem}"


def answered_otherwise(connector: Connector, step: Step, index: int, answer: httpx.Response) -> object:
    """Do a call again with one of its answers changed; whatever is asked beyond is not found."""
    return perform(connector, step, retold(step.exchanges, {index: answer}))


def retold(exchanges: Sequence[Exchange], changed: dict[int, httpx.Response]) -> Callable[..., httpx.Response]:
    """Make a platform that repeats recorded answers in order, some of them changed."""
    numbers = iter(range(len(exchanges)))

    def answer(_: httpx.Request) -> httpx.Response:
        number = next(numbers, None)
        if number is None:
            return httpx.Response(404, json={"error": "not recorded"})
        return changed.get(number) or exchanges[number].response.answer()

    return answer


def flaw(said: object, step: Step) -> str:
    """Say what is wrong with what came out of a call; nothing, for an outcome or a value that the core can store."""
    if isinstance(said, Crash):
        return f"raises {said}, which is none of the seven outcomes"
    if isinstance(said, Outcome):
        return ""
    is_valid = {Call.LOCATE: _is_post, Call.COUNT: _are_counts, Call.LIST: _is_page}[step.call]
    return "" if is_valid(said) else f"gives {str(said)[:200]}, which cannot be stored"


def _hostile(body: Any) -> Iterator[bytes]:
    yield from NOT_JSON
    yield from (msgspec.json.encode(each) for each in ERROR_BODIES)
    for each in spoilt(body):
        yield msgspec.json.encode(each)


def _counts(said: object) -> Sequence[Count]:
    return said if isinstance(said, tuple) else ()


def _spells(value: Any, actors: set[str]) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and str(value) in actors


def _as_number(value: Any, *, actors: set[str], number: int) -> Any:
    return number if _spells(value, actors) else value


def _changed_ids(said: object, actors: set[str], number: int, *, is_text: bool) -> Iterator[str]:
    """Judge likers whose ids were replaced by one number: an outcome, their ids from elsewhere, or just that number."""
    found = {like.actor for like in said.likes} - actors if isinstance(said, Page) else set()
    if isinstance(said, Crash):
        yield f"an id as the number {number} raises {said}"
    if found and is_text:
        yield f"an id is text in this API, and the number {number} is taken for {min(found)!r}"
    elif found - {str(number)}:
        yield f"the id {number} becomes {min(found)!r}: it was read as a number that cannot hold it"


def _is_page(said: Any) -> bool:
    return type(said) is Page and type(said.cursor) in (str, type(None)) and all(map(_is_like, said.likes))


def _is_like(like: Any) -> bool:
    texts: list[Any] = [like.actor, like.handle or ""]
    return type(like) is Like and all(type(text) is str for text in texts) and _is_instant(like.at)


def _are_counts(said: Any) -> bool:
    return type(said) is tuple and all(map(_is_count, said))


def _is_count(count: Any) -> bool:
    is_typed = type(count) is Count and type(count.native_id) is str and type(count.likes) in (int, type(None))
    return is_typed and _is_instant(count.published_at)


def _is_post(said: Any) -> bool:
    texts: list[Any] = [said.platform, said.native_id, said.realm, said.url] if type(said) is Post else [None]
    return all(type(text) is str and text for text in texts)


def _is_instant(at: datetime | None) -> bool:
    return at is None or at.tzinfo is UTC
