"""Recorded answers, mutated by chance that is the same in every run: only valid values or outcomes may come out."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import httpx
import msgspec

from harvester.kit.hostile import flaw, retold
from harvester.kit.replay import Step, perform
from harvester.kit.spoiling import NASTY
from harvester.kit.subject import Subject

_DEEP = 2_000
_BYTES = b'\x00\xff"\\{}[],:0-9eE.\xe2\x80\xae'


def fuzz(subject: Subject, *, cases: int, seed: int) -> Iterator[str]:
    """Mutate one answer of one recorded call at a time, so many times; give what came out and must not."""
    chance = Random(seed)  # noqa: S311 (nothing secret: the same cases every time)
    steps = [(name, replayed.connector, step) for name, replayed, step in subject.steps()]
    for _ in range(cases if steps else 0):
        name, connector, step = chance.choice(steps)
        index = chance.randrange(len(step.exchanges))
        content = _mutated(step, index, chance)
        headers = step.exchanges[index].response.headers
        answer = httpx.Response(step.exchanges[index].response.status, headers=headers, content=content)
        if problem := flaw(perform(connector, step, retold(step.exchanges, {index: answer})), step):
            yield f"{name}: {step.call} answered with {content[:300]!r} {problem}"


def _mutated(step: Step, index: int, chance: Random) -> bytes:
    """Change an answer one to three times, in its values or in its bytes."""
    body = step.exchanges[index].response.body
    content = msgspec.json.encode(body)
    for _ in range(chance.randint(1, 3)):
        mutate = chance.choice(_MUTATIONS)
        content = mutate(content, chance)
    return content


def _flip(content: bytes, chance: Random) -> bytes:
    place = chance.randrange(len(content) or 1)
    return content[:place] + bytes([chance.choice(_BYTES)]) + content[place + 1 :]


def _truncate(content: bytes, chance: Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _repeat(content: bytes, chance: Random) -> bytes:
    start, end = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return content[:end] + content[start:end] + content[end:]


def _nest(content: bytes, chance: Random) -> bytes:
    opening, closing = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    depth = chance.choice((1, 2, _DEEP))
    return opening * depth + content + closing * depth


def _replace_value(content: bytes, chance: Random) -> bytes:
    """Put another value in the place of one: nasty, or of another type."""
    return _with_place(content, chance, lambda _: chance.choice(NASTY))


def _swap(content: bytes, chance: Random) -> bytes:
    """Put one field's value into another field."""
    try:
        values = [holder[key] for holder, key in _places(msgspec.json.decode(content))]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return content
    return _with_place(content, chance, lambda _: chance.choice(values))


def _retype(content: bytes, chance: Random) -> bytes:
    """Write a value as another type would: a number as text, text as a list."""
    ways: tuple[Callable[[Any], Any], ...] = (str, lambda value: [value], lambda value: {"value": value}, _number)
    return _with_place(content, chance, chance.choice(ways))


def _drop(content: bytes, chance: Random) -> bytes:
    return _with_place(content, chance, None)


_MUTATIONS = (_flip, _truncate, _repeat, _nest, _replace_value, _replace_value, _swap, _swap, _retype, _retype, _drop)


def _with_place(content: bytes, chance: Random, change: Callable[[Any], Any] | None) -> bytes:
    """Change one value wherever it stands, or take it away; what is no JSON any more stays as it is."""
    try:
        body = msgspec.json.decode(content)
        places = list(_places(body))
        if places:
            holder, key = chance.choice(places)
            if change is None:
                del holder[key]
            else:
                holder[key] = change(holder[key])
        return msgspec.json.encode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return content


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Give every place of a body that holds a value."""
    for key in body if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ():
        yield body, key
        yield from _places(body[key])


def _number(value: Any) -> Any:
    return len(value) if isinstance(value, str | list | dict) else value
