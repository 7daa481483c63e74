"""Numbers: hidden is not zero, and a post that is gone has none."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import msgspec

from harvester.connector import Count, CountsLikes, Outcome
from harvester.kit.hostile import answered_otherwise
from harvester.kit.replay import Call, Step
from harvester.kit.spoiling import replaced, scalars, shortened, without
from harvester.kit.subject import Subject


def counts_likes(subject: Subject) -> bool:
    return issubclass(subject.kind, CountsLikes) and any(True for _ in subject.facts(Call.COUNT))


def hidden_is_not_zero(subject: Subject) -> Iterator[str]:
    for name, replayed, step in subject.facts(Call.COUNT):
        for index, exchange in enumerate(step.exchanges):
            body = exchange.response.body
            for number in {count.likes for count in _counts(step.gave)} & set(_numbers(body)):
                is_it = partial(_is_number, number=number)
                hidden = {"left out": without(body, is_it), "null": replaced(body, partial(_hide, number=number))}
                for how, spoilt in hidden.items():
                    said = answered_otherwise(replayed.connector, step, index, exchange.response.saying(spoilt))
                    for likes in _other_numbers(said, number):
                        yield f"{name}: the number {number} is hidden ({how}) and read as {likes}, which is not None"


def a_gone_post_has_no_number(subject: Subject) -> Iterator[str]:
    for name, replayed, step in subject.facts(Call.COUNT):
        last = len(step.exchanges) - 1
        response = step.exchanges[last].response
        answers = {f"HTTP {status}": _plain(status) for status in (404, 410)}
        emptied = shortened(response.body, 0)
        names_it = any(part in str(emptied) for part in _ids(step))
        still_counts = any(count.likes in set(_numbers(emptied)) for count in _counts(step.gave))
        if not names_it and not still_counts and emptied != response.body:
            answers["an answer without it"] = response.saying(emptied)
        for how, answer in answers.items():
            said = answered_otherwise(replayed.connector, step, last, answer)
            if not isinstance(said, Outcome) and any(count.likes is not None for count in _counts(said)):
                yield f"{name}: a post that is gone ({how}) has the number {said}"


def _counts(said: object) -> tuple[Count, ...]:
    return tuple(one for one in said if isinstance(one, Count)) if isinstance(said, tuple) else ()


def _numbers(body: Any) -> Iterator[int]:
    """Give the numbers of an answer, those written as text too."""
    for value in scalars(body):
        if isinstance(value, int) and not isinstance(value, bool):
            yield value
        elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
            yield int(value)


def _is_number(value: Any, *, number: int | None) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | str) and str(value) == str(number)


def _hide(value: Any, *, number: int | None) -> Any:
    return None if _is_number(value, number=number) else value


def _other_numbers(said: object, number: int | None) -> Iterator[int]:
    """Give what is said instead of a number; the same one again stands elsewhere in the answer."""
    for count in _counts(said):
        if count.likes is not None and count.likes != number:
            yield count.likes


def _ids(step: Step) -> set[str]:
    native_id = step.post.native_id
    return {native_id, native_id.rpartition("/")[2], native_id.rpartition("_")[2]}


def _plain(status: int) -> httpx.Response:
    return httpx.Response(
        status, headers={"content-type": "application/json"}, content=msgspec.json.encode({"error": "not found"})
    )
