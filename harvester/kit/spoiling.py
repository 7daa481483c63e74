"""Answers made worse than any platform gives them: fields missing or of another type, lists emptied, links bent."""

import re
from collections.abc import Callable, Iterator
from typing import Any

NASTY: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**18, 10**30, [], [None], {}, {"id": 1}),
    *("", "x", "9" * 5000, "\x00", "\u202eمرحبا", "👍🏽" * 50, "at://", "https://["),
    *("0001-01-01T00:00:00+14:00", "2026-13-40", "2026-11-23T12:00:00"),
)
NOT_JSON = (b"", b"null", b"[]", b"{}", b'"', b"<html>", b'{"likes":', b"\xff\xfe", b"1e999", b'["\\ud800"]')
ERROR_BODIES: tuple[Any, ...] = (
    {"error": "internal_error", "message": "simulated"},
    {"error": {"code": 1, "message": "simulated", "type": "OAuthException"}},
    {"error": {"code": "internal_error", "message": "simulated"}},
    {"errors": [{"type": "about:blank", "title": "simulated"}]},
    {"message": "simulated", "code": 0},
    {"ok": False, "error_code": 400, "description": "simulated"},
)
ELSEWHERE = "elsewhere.invalid"
"""A host that no connector has any business with."""


def spoilt(body: Any) -> Iterator[Any]:
    """Give the body with each field missing, then replaced by each nasty value; a list is spoilt in its first item."""
    yield from NASTY
    if isinstance(body, dict):
        for key, value in body.items():
            yield {name: kept for name, kept in body.items() if name != key}
            yield from ({**body, key: other} for other in _deeper(value))
    if isinstance(body, list) and body:
        yield from ([other, *body[1:]] for other in _deeper(body[0]))


def _deeper(value: Any) -> Iterator[Any]:
    return spoilt(value) if isinstance(value, dict | list) else iter(NASTY)


def replaced(body: Any, change: Callable[[Any], Any]) -> Any:
    """Give the body with every scalar changed."""
    if isinstance(body, dict):
        return {key: replaced(value, change) for key, value in body.items()}
    if isinstance(body, list):
        return [replaced(value, change) for value in body]
    return change(body)


def scalars(body: Any) -> Iterator[Any]:
    """Give every scalar of a body."""
    if isinstance(body, dict | list):
        for value in body.values() if isinstance(body, dict) else body:
            yield from scalars(value)
    else:
        yield body


def shortened(body: Any, keep: int) -> Any:
    """Give the body with its outermost lists cut to their first `keep` items."""
    if isinstance(body, list):
        return body[:keep]
    if isinstance(body, dict):
        return {key: shortened(value, keep) for key, value in body.items()}
    return body


def without_lists(body: Any) -> Any:
    """Give the body without the fields that hold its outermost lists; an object where it is a list itself."""
    if isinstance(body, list):
        return {}
    if isinstance(body, dict):
        return {key: without_lists(value) for key, value in body.items() if not isinstance(value, list)}
    return body


def without(body: Any, is_unwanted: Callable[[Any], bool]) -> Any:
    """Give the body without the fields whose value is unwanted."""
    if isinstance(body, dict):
        return {key: without(value, is_unwanted) for key, value in body.items() if not is_unwanted(value)}
    if isinstance(body, list):
        return [without(value, is_unwanted) for value in body if not is_unwanted(value)]
    return body


def bent(value: Any) -> Any:
    """Lead every link in a text elsewhere, its path kept."""
    return re.sub(r"(https?)://[^/\s<>\"',;?#]+", rf"\1://{ELSEWHERE}", value) if isinstance(value, str) else value
