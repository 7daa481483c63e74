"""Requests and answers as frozen values, and how an answer travels: whole, dripping, or broken on purpose."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec


class Delivery(StrEnum):
    """How the bytes of an answer reach the client."""

    WHOLE = "whole"
    RESET_BEFORE = "reset_before"
    RESET_MIDWAY = "reset_midway"
    DRIP = "drip"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it arrived: `origin` is the host the client asked for, header names are in lower case."""

    origin: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: bytes = b""

    @cached_property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @cached_property
    def form(self) -> dict[str, str]:
        """Give every parameter, of the query and of a form in the body; the body wins."""
        sent = parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return {name: values[-1] for name, values in (self.query | sent).items()}

    @property
    def bearer(self) -> str | None:
        """Give the token of an `Authorization: Bearer` header."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None

    def asked(self, name: str) -> str | None:
        """Give a query parameter; the last one wins."""
        return self.query[name][-1] if name in self.query else None

    def whole_number(self, name: str, default: int) -> int:
        """Give a query parameter as a number; 0 when it is not one, as lenient servers do."""
        text = self.asked(name)
        if text is None:
            return default
        return int(text) if text.isascii() and text.isdigit() else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer; `announced` is a Content-Length that lies, `pause` the time between two dripping bytes."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json; charset=utf-8"),)
    announced: int | None = None
    delivery: Delivery = Delivery.WHOLE
    pause: timedelta = timedelta(0)

    @classmethod
    def json(cls, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Self:
        return cls(status=status, body=msgspec.json.encode(value)).with_headers(headers or {})

    def with_headers(self, headers: Mapping[str, str]) -> Self:
        """Set headers, replacing those of the same name."""
        if not headers:
            return self
        named = {name.lower() for name in headers}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in named)
        return replace(self, headers=(*kept, *headers.items()))

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known.lower() == name.lower()), None)


class Refusal(Exception):
    """The simulated server answers this request with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer
