"""Links: every form of one is a post of this connector alone, and what only looks like one is nobody's."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx

from harvester.collect.registry import claims_on, installed
from harvester.connector import Connector, LocatesPosts, Post
from harvester.kit.replay import Call, Replayed, Step, facts_of, open_connector, perform, recorded_facts
from harvester.kit.subject import Subject

_TWINS = str.maketrans({"a": "а", "c": "с", "e": "е", "i": "і", "o": "о", "p": "р", "x": "х", "y": "у"})  # Cyrillic
_FULL_WIDTH = 0xFEE0


def every_form_is_its_own(subject: Subject) -> Iterator[str]:
    urls = [url for one in subject.scenarios.values() for url in one.urls]
    for url in dict.fromkeys([*subject.kind.url_forms, *urls]):
        found = subject.kind.recognise(url)
        if found is None:
            yield f"it does not know its own link {url}"
        elif found.platform != subject.kind.name:
            yield f"it says that {url} is a post of {found.platform!r}"
        elif found.url != url:
            yield f"it keeps {url} as {found.url}"
        others = [post.platform for post in _claims(subject.kind, url)]
        if set(others) - {subject.kind.name}:
            yield f"{url} is claimed by several connectors: {', '.join(others)}"


def all_forms_are_one_post(subject: Subject) -> Iterator[str]:
    for name, replayed in subject.replays.items():
        first = replayed.recording.urls[0]
        for url in replayed.recording.urls[1:]:
            found = _located(replayed, url)
            if _identity(found) != _identity(replayed.post):
                yield f"{name}: {url} is {found}, while {first} is {replayed.post}: one post would pay twice"


def knows_no_lookalike(subject: Subject) -> Iterator[str]:
    for form in subject.kind.url_forms:
        for url in lookalikes(form, subject.kind):
            found = subject.kind.recognise(url)
            if found is not None:
                yield f"{url!r} only looks like a post and is taken for {found.native_id}"


def lookalikes(form: str, kind: type[Connector]) -> Iterator[str]:
    """Give links that resemble one that is shown to people and must be nobody's."""
    parts = urlsplit(form)
    for bad in ("\n", "\x00", "\u202e"):
        yield f"{form[:-2]}{bad}{form[-2:]}"
    if parts.scheme not in ("http", "https"):
        return
    host, rest = parts.netloc, form.partition(parts.netloc)[2]
    yield from (f"{scheme}{host}{rest}" for scheme in ("ftp://", "//", "javascript://"))
    yield from (f"https://{host}{port}{rest}" for port in (":0", ":99999", ":https"))
    yield from (f"https://{host}{trick}{rest}" for trick in ("@evil.example", ":443@evil.example", "\\@evil.example"))
    yield f"https://{host}.{rest}"
    yield f"https://{_homograph(host)}{rest}"
    if not parts.query:  # which may name the post whatever page lies behind it
        yield f"{form.rstrip('/')}/no/such/page/of/a/post"
    if not kind.hosts:
        return
    yield f"https://{host}:8443{rest}"
    for site in (one for one in kind.hosts if host == one or host.endswith(f".{one}")):
        yield from (f"https://{fake}{rest}" for fake in (f"not{site}", f"{site}.evil.example", f"{site}-evil.example"))


def _claims(kind: type[Connector], url: str) -> list[Post]:
    """Ask everybody who may read a link; only itself, while it is not installed."""
    if kind in installed().values():
        return list(claims_on(url))
    return [found] if (found := kind.recognise(url)) else []


def _homograph(host: str) -> str:
    """Write one letter of a host in another alphabet."""
    for index, letter in enumerate(host):
        if letter.translate(_TWINS) != letter:
            return f"{host[:index]}{letter.translate(_TWINS)}{host[index + 1 :]}"
    return f"{chr(ord(host[0]) + _FULL_WIDTH)}{host[1:]}"


def _located(replayed: Replayed, url: str) -> object:
    """Find the post behind a link by what was recorded, wherever in the scenario that stands."""
    kind = type(replayed.connector)
    post = kind.recognise(url)
    if post is None or not isinstance(replayed.connector, LocatesPosts):
        return post
    if _identity(post) == _identity(kind.recognise(replayed.recording.urls[0])):
        return replayed.post

    def answer(request: httpx.Request) -> httpx.Response:
        for exchange in replayed.recording.exchanges:
            if recorded_facts(exchange) == facts_of(request):
                return exchange.response.answer()
        return httpx.Response(404, json={"error": "not recorded"})

    connector = open_connector(kind, replayed.recording.settings)
    return perform(connector, Step(call=Call.LOCATE, post=post), answer)


def _identity(found: object) -> str | None:
    return f"{found.realm} {found.native_id}" if isinstance(found, Post) else None
