"""The contract every installed connector keeps, proved by replaying its recordings through the real client.

A new connector is found by itself, and fails here while it has no recording.
"""

import ast
import inspect
import json
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from harvester.collect.registry import claims_on, installed
from harvester.connector import (
    Connector,
    Count,
    CountsLikes,
    Like,
    LocatesPosts,
    NamesLikers,
    Outcome,
    Page,
    Post,
    Traits,
)
from tests.connectors.replay import (
    TOKEN,
    Recording,
    Tape,
    open_connector,
    recognise,
    recordings,
    replay,
    session,
)

ALLOWED_IMPORTS = {"harvester.connector", "httpx", "msgspec"} | sys.stdlib_module_names
DOCS = Path(__file__).parents[1] / "docs" / "connectors.md"
CONNECTORS = [pytest.param(kind, id=name) for name, kind in installed().items()]
SCENARIOS = [
    pytest.param(kind, recording, id=f"{name}-{scenario}")
    for name, kind in installed().items()
    for scenario, recording in recordings(name).items()
]

each_connector = pytest.mark.parametrize("kind", CONNECTORS)
each_scenario = pytest.mark.parametrize(("kind", "recording"), SCENARIOS)


@each_connector
def test_a_connector_says_what_it_is(kind: type[Connector]) -> None:
    assert installed()[kind.name] is kind
    assert isinstance(kind.traits, Traits)
    assert issubclass(kind, NamesLikers | CountsLikes)
    with pytest.raises(msgspec.ValidationError, match="unknown"):
        open_connector(kind, {"no_such_setting": 1})


@each_connector
def test_a_connector_has_recordings_of_what_it_can_do(kind: type[Connector]) -> None:
    held = list(recordings(kind.name).values())
    pages = [len([e for e in r.exchanges if e.response.status == 200]) for r in held if r.expected_likers]
    assert not issubclass(kind, NamesLikers) or max(pages, default=0) >= 2, "no recording of two pages of likers"
    assert not issubclass(kind, CountsLikes) or any(r.expected_counts for r in held), "no recording of a count"
    assert not issubclass(kind, LocatesPosts) or any(r.expected_post for r in held), "no recording of a located post"
    assert any(r.expected_outcome for r in held), "no recording of an error"


@each_connector
def test_a_connector_is_in_the_documentation(kind: type[Connector]) -> None:
    proofs = {exchange.provenance for recording in recordings(kind.name).values() for exchange in recording.exchanges}
    row = re.search(rf"^\| `{kind.name}` \|.*$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert row, f"{DOCS.name} has no row for {kind.name}"
    assert [proof for proof in proofs if proof not in row[0]] == []


@each_connector
def test_a_connector_imports_only_the_vocabulary(kind: type[Connector]) -> None:
    nodes = list(ast.walk(ast.parse(inspect.getsource(inspect.getmodule(kind) or kind))))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {f"{'.' * node.level}{node.module}" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {
        name for name in imported if name not in ALLOWED_IMPORTS and name.split(".")[0] not in ALLOWED_IMPORTS
    } == set()


@each_scenario
def test_replaying_a_recording_gives_what_it_expects(kind: type[Connector], recording: Recording) -> None:
    replayed = replay(kind, recording, Tape(recording.exchanges))
    assert replayed.counts == recording.expected_counts
    assert replayed.likers == recording.expected_likers
    assert replayed.outcome == recording.expected_outcome
    assert recording.expected_post in (None, replayed.post)


@each_scenario
def test_the_requests_made_are_the_recorded_ones(kind: type[Connector], recording: Recording) -> None:
    tape = Tape(recording.exchanges)
    replay(kind, recording, tape)
    assert tape.made == tape.recorded


@each_scenario
def test_every_form_of_a_url_is_one_post_of_one_connector(kind: type[Connector], recording: Recording) -> None:
    claims = {url: [post.platform for post in claims_on(url)] for url in recording.urls}
    posts = [recognise(kind, url) for url in recording.urls]
    assert claims == {url: [kind.name] for url in recording.urls}
    assert len({(post.realm, post.native_id) for post in posts}) == 1
    assert [post.url for post in posts] == recording.urls


@each_connector
def test_every_form_shown_to_people_is_recognised_by_its_connector_alone(kind: type[Connector]) -> None:
    for url in kind.url_forms:
        assert [post.platform for post in claims_on(url)] == [kind.name]


STATUS = "109294719267373593"
RECORD = "3k7qmjev5lr2s"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "likes",
        "https://",
        "https://[",
        "javascript:alert(1)",
        f"ftp://mastodon.social/@user/{STATUS}",
        f"//mastodon.social/@user/{STATUS}",
        # a host that is not what it looks like
        f"https://notbsky.app/profile/alice.example/post/{RECORD}",
        f"https://bsky.app.evil.example/profile/alice.example/post/{RECORD}",
        f"https://www.bsky.app/profile/alice.example/post/{RECORD}",
        f"https://bsky.app:8443/profile/alice.example/post/{RECORD}",
        f"https://bsky.app@evil.example/profile/alice.example/post/{RECORD}",
        f"https://bsky.app:443@evil.example/profile/alice.example/post/{RECORD}",
        f"https://bsky.app\\@evil.example/profile/alice.example/post/{RECORD}",
        f"https://bsky.аpp/profile/alice.example/post/{RECORD}",
        f"https://mastodon.social@evil.example/@user/{STATUS}",
        f"https://mаstodon.social/@user/{STATUS}",
        f"https://mastodon.social./@user/{STATUS}",
        f"https://mastodon.social:0/@user/{STATUS}",
        f"https://mastodon.social:99999/@user/{STATUS}",
        f"https://mastodon.social:https/@user/{STATUS}",
        # a path that is not a post
        f"https://bsky.app/profile/alice.example/post/{RECORD}/liked-by",
        f"https://bsky.app/profile/alice.example/feed/{RECORD}",
        f"https://bsky.app/profile/alice/post/{RECORD}",
        f"https://bsky.app/profile/did:plc:/post/{RECORD}",
        "https://bsky.app/profile/alice.example/post/",
        f"at://did:plc:ic6zqvuw5ulmfpjiwnhsr2ns/app.bsky.feed.generator/{RECORD}",
        f"at://did:plc:ic6zqvuw5ulmfpjiwnhsr2ns/app.bsky.feed.post/{RECORD}/x",
        f"https://mastodon.social/@user/{STATUS}/embed",
        f"https://mastodon.social/@user/{STATUS}x/",
        f"https://mastodon.social/@user/0{STATUS}",
        f"https://mastodon.social/@user/{STATUS}%0a",
        f"https://mastodon.social/@us\ner/{STATUS}",
        f"https://mastodon.social/@\u202euser/{STATUS}",
        f"https://mastodon.social//@user/{STATUS}",
        f"https://mastodon.social/@user@/{STATUS}",
        "https://mastodon.social/@user/followers",
        "https://mastodon.social/@user/12345",
        "https://pixelfed.example/p/user/CxYz123_",
        # other networks
        "https://x.com/@user/1234567890",
        "https://twitter.com/user/status/1234567890",
        "https://www.tiktok.com/@user/video/7234567890123456789",
        "https://m.tiktok.com/@user/7234567890123456789",
        "https://www.youtube.com/@channel/shorts123",
        "https://medium.com/@writer/ten-likes-4f3c2a1b0d9e",
        "https://blog.medium.com/@writer/ten-likes-4f3c2a1b0d9e",
        "https://www.threads.net/@user/post/C8abcdefghi",
        "https://threads.com/@user/123456789",
        "https://www.instagram.com/p/C8abcdefghi/",
        "https://instagram.com/p/user/123456789",
        "https://m.facebook.com/@user/123456789",
        "https://t.me/@channel/123456",
        "https://vk.com/@group/1234567",
    ],
)
def test_a_url_that_only_looks_like_a_post_is_nobodys(url: str) -> None:
    assert claims_on(url) == []


NASTY: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**18, 10**30, [], [None], {}, {"id": 1}),
    *("", "x", "9" * 5000, "\x00", "\u202eمرحبا", "👍🏽" * 50, "at://", "https://["),
    *("0001-01-01T00:00:00+14:00", "2026-13-40", "2026-11-23T12:00:00"),
)
NOT_JSON = (b"", b"null", b"[]", b"{}", b'"', b"<html>", b'{"likes":', b"\xff\xfe", b"1e999", b'["\\ud800"]')


@each_scenario
def test_a_hostile_answer_gives_an_outcome_or_valid_values(kind: type[Connector], recording: Recording) -> None:
    bodies = [exchange.response.body for exchange in recording.exchanges if exchange.response.status == 200]
    spoilt = (json.dumps(body).encode() for original in bodies for body in _spoilt(original))
    for content in (*NOT_JSON, *spoilt):
        for value in _everything_it_says(kind, recording, content):
            _check(value)


@each_connector
def test_no_message_shows_a_token(kind: type[Connector]) -> None:
    recording = max(recordings(kind.name).values(), key=lambda held: len(str(held.settings)))
    token = "tok3n-that-nobody-may-see"
    secret = msgspec.structs.replace(
        recording, settings=json.loads(json.dumps(recording.settings).replace(TOKEN, token))
    )
    for status in (200, 302, 400, 401, 403, 404, 410, 418, 429, 500):
        told = "".join(map(_told, _outcomes(kind, secret, lambda _, code=status: httpx.Response(code, text="no"))))
        assert told
        assert token not in told


def _spoilt(body: Any) -> Iterator[Any]:
    """Give the body with each field missing, then replaced by each nasty value; a list is spoilt in its first item."""
    yield from NASTY
    if isinstance(body, dict):
        for key, value in body.items():
            yield {name: kept for name, kept in body.items() if name != key}
            yield from ({**body, key: other} for other in _spoilt_deeper(value))
    if isinstance(body, list) and body:
        yield from ([other, *body[1:]] for other in _spoilt_deeper(body[0]))


def _spoilt_deeper(value: Any) -> Iterator[Any]:
    return _spoilt(value) if isinstance(value, dict | list) else iter(NASTY)


def _calls(kind: type[Connector], recording: Recording) -> list[Callable[[Any, Post], Any]]:
    connector = open_connector(kind, recording.settings)
    calls: list[Callable[[Any, Post], Any]] = []
    if isinstance(connector, LocatesPosts):
        calls.append(connector.locate)
    if isinstance(connector, CountsLikes):
        calls.append(lambda http, post: connector.fetch_counts(http, [post]))
    if isinstance(connector, NamesLikers):
        calls.append(lambda http, post: connector.fetch_page(http, post, None))
    return calls


def _outcomes(kind: type[Connector], recording: Recording, answer: Any) -> Iterator[Outcome | Any]:
    """Give what each capability says, as a value or as the outcome it raises; nothing else may come out."""
    post = recognise(kind, recording.urls[0])
    with session(open_connector(kind, recording.settings), post, answer) as http:
        for call in _calls(kind, recording):
            try:
                yield call(http, post)
            except Outcome as outcome:
                yield outcome


def _everything_it_says(kind: type[Connector], recording: Recording, content: bytes) -> Iterator[Any]:
    headers = {"content-type": "application/json"}
    yield from _outcomes(kind, recording, lambda _: httpx.Response(200, headers=headers, content=content))


def _told(outcome: object) -> str:
    return "".join(traceback.format_exception(outcome)) if isinstance(outcome, Exception) else ""


def _check(value: object) -> None:
    """Refuse a value that the core could not store."""
    match value:
        case Outcome() | Post():
            pass
        case Page(likes=likes, cursor=cursor):
            assert cursor is None or isinstance(cursor, str)
            assert all(type(like) is Like and _is_instant(like.at) for like in likes)
        case tuple():
            assert all(isinstance(count, Count) and _is_instant(count.published_at) for count in value)
        case _:
            raise AssertionError(f"{value!r} is no value of the vocabulary")


def _is_instant(at: datetime | None) -> bool:
    return at is None or at.tzinfo is UTC
