"""Secrets: no token in a message, and none sent anywhere but home; no host that an answer names is followed."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from traceback import format_exception
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import msgspec

from harvester.connector import Connector, ExplainsAnswers, Outcome, Page, Post, origin_of
from harvester.kit.recordings import HIDDEN_SECRET
from harvester.kit.replay import Call, Crash, Step, open_connector, perform
from harvester.kit.spoiling import ELSEWHERE, bent, replaced, scalars
from harvester.kit.subject import Subject

_TOKEN = "tok3n-that-nobody-may-see"  # noqa: S105 (nobody's)
_STATUSES = (200, 302, 400, 401, 403, 404, 409, 410, 418, 429, 500, 503)


@dataclass
class _Witness:
    """Gives one answer, and remembers every request as it was sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    sent: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(self.status, headers=self.headers, content=msgspec.json.encode(self.body))


def shows_no_secret(subject: Subject) -> Iterator[str]:
    for name, connector, step in _signed(subject):
        if _TOKEN in repr(connector):
            yield f"{name}: the connector's repr shows a token"
        for status in _STATUSES:
            for body in ("no", *_echoes(subject)):
                witness = _Witness(status, {"content-type": "application/json", "location": "/"}, body)
                said = _told(perform(connector, step, witness), connector, witness)
                if _TOKEN in said:
                    yield f"{name}: {step.call} answered with {status} {str(body)[:80]} shows a token in its message"
                    break


def keeps_secrets_at_home(subject: Subject) -> Iterator[str]:
    """Look at every request of every call: a token goes to the connector's own servers, or to the one it is for."""
    for name, connector, step in _signed(subject):
        witness = _Witness(body={})
        perform(connector, step, witness)
        for request in witness.sent:
            origin = origin_of(str(request.url))
            if subject.kind.hosts and _carries_token(request) and origin not in connector.origins:
                yield f"{name}: {step.call} sends a token to {origin}, which is not among its origins"
        if (post := _moved(subject.kind, step.post)) is not None:
            stranger = _Witness(body={})
            perform(connector, replace(step, post=post), stranger)
            if any(_carries_token(request) for request in stranger.sent):
                yield f"{name}: {step.call} sends a token to any server that a link names, here {ELSEWHERE}"


def follows_nobody_elsewhere(subject: Subject) -> Iterator[str]:
    """Bend every link of every answer; the next page that one names is then asked for too."""
    for name, replayed, step in subject.steps():
        connector = open_connector(subject.kind, replayed.recording.settings)
        witness = _Bending(step)
        said = perform(connector, step, witness)
        if isinstance(said, Page) and said.cursor is not None:
            perform(connector, replace(step, cursor=said.cursor), witness)
        if isinstance(said, Post) and subject.kind.hosts and ELSEWHERE in said.origin:
            yield f"{name}: the answer moves the post to {said.origin}"
        for request in witness.sent:
            if request.url.host == ELSEWHERE:
                yield f"{name}: {step.call} goes to {ELSEWHERE}, which only an answer named"
                break


def redirects_lead_nowhere(subject: Subject) -> Iterator[str]:
    for name, replayed, step in subject.facts(Call.COUNT, Call.LIST):
        witness = _Witness(302, {"location": f"https://{ELSEWHERE}/"}, {})
        said = perform(replayed.connector, step, witness)
        if not isinstance(said, Outcome) or any(request.url.host == ELSEWHERE for request in witness.sent):
            yield f"{name}: {step.call} follows a redirect to {ELSEWHERE}: {said}"


def holds_secrets(subject: Subject) -> bool:
    return any(HIDDEN_SECRET in str(one.settings) for one in subject.scenarios.values())


class _Bending(_Witness):
    """Repeats a step's answers with every link bent."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self._exchanges = step.exchanges

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        response = self._exchanges[(len(self.sent) - 1) % len(self._exchanges)].response
        headers = {name: bent(value) for name, value in response.headers.items()}
        content = msgspec.json.encode(replaced(response.body, bent))
        return httpx.Response(response.status, headers=headers, content=content)


def _signed(subject: Subject) -> Iterator[tuple[str, Connector, Step]]:
    """Give one step of each call with a connector that holds a secret, in scenarios that have one."""
    seen: set[Call] = set()
    for name, replayed, step in subject.steps():
        if HIDDEN_SECRET in str(replayed.recording.settings) and step.call not in seen:
            seen.add(step.call)
            yield name, open_connector(subject.kind, replayed.recording.with_secret(_TOKEN).settings), step


def _echoes(subject: Subject) -> Iterator[Any]:
    """Give error bodies that repeat the token, as some platforms do: usual ones, and the recorded ones."""
    yield from ({"error": {"message": _TOKEN, "code": 190}}, {"error": _TOKEN, "message": _TOKEN})
    yield from ({"errors": [{"title": _TOKEN, "detail": _TOKEN}]}, {"ok": False, "description": _TOKEN})
    errors = {
        msgspec.json.encode(each.response.body): each.response.body
        for one in subject.scenarios.values()
        for each in one.exchanges
        if not each.response.is_success
    }
    for body in errors.values():
        for text in {value for value in scalars(body) if isinstance(value, str) and " " in value}:
            yield replaced(body, partial(_echo, text=text))


def _echo(value: Any, *, text: str) -> Any:
    return _TOKEN if value == text else value


def _told(said: object, connector: Connector, witness: _Witness) -> str:
    """Give every word that a person could come to read: the chain of exceptions, and what `explain` says."""
    errors = [said.error if isinstance(said, Crash) else said]
    if isinstance(connector, ExplainsAnswers) and witness.sent:
        response = witness(witness.sent[-1])
        response.request = httpx.Request("GET", "https://api.example/")
        response.headers["date"] = "Thu, 21 Jan 2027 20:00:00 GMT"
        errors.append(connector.explain(response))
    return unquote("".join(line for one in errors if isinstance(one, Exception) for line in format_exception(one)))


def _carries_token(request: httpx.Request) -> bool:
    return _TOKEN in unquote(f"{request.url} {request.headers.raw!r} {request.content!r}")


def _moved(kind: type[Connector], post: Post) -> Post | None:
    """Give the same post on another server, where links of any server are read."""
    netloc = urlsplit(post.url).netloc
    return kind.recognise(post.url.replace(netloc, ELSEWHERE, 1)) if netloc and not kind.hosts else None
