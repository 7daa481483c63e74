"""Recorded lists under the core's own sweep: a page read twice credits once, and nobody beside a number is refused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx

from harvester.connector import Connector, Count, Http, NamesLikers, Page, Post, Traits
from harvester.kit.ledgers import open_books
from harvester.kit.recordings import Exchange, Recording
from harvester.kit.replay import Call, Replayed, Step, Tape, facts_of, open_client, perform, recorded_facts
from harvester.kit.spoiling import shortened
from harvester.kit.subject import Subject
from harvester.store.kinds import SweepOutcome

_MOST_PAGES = 50
"""More than any recording holds."""


@dataclass(frozen=True, kw_only=True)
class _Lister:
    """A connector's list alone, so that a sweep needs no recorded count; `shown`, a count to put beside it."""

    inner: Any
    traits: Traits

    @property
    def origins(self) -> tuple[str, ...]:
        return tuple(self.inner.origins)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        page: Page = self.inner.fetch_page(http, post, cursor)
        return page


@dataclass(frozen=True, kw_only=True)
class _Beside(_Lister):
    """The same list beside a count that the platform shows."""

    shown: int

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(Count(native_id=post.native_id, likes=self.shown) for post in posts)


def a_page_read_twice_credits_once(subject: Subject) -> Iterator[str]:
    for name, replayed in _whole_lists(subject):
        pages = [step for step in replayed.steps if step.call is Call.LIST]
        exchanges = [exchange for step in pages for exchange in step.exchanges]
        actors = {like.actor for like in replayed.likers or ()}
        lister, post = _Lister(inner=replayed.connector, traits=replayed.connector.traits), replayed.post
        with open_books() as books:
            entry = books.enter(post)
            for time in ("read once", "read twice"):
                with open_client(replayed.connector, Tape(exchanges)) as client:
                    ending = books.sweep(entry, post, lister, client)
                if ending.outcome is not SweepOutcome.COMPLETE:
                    yield f"{name}: the sweep of its list ends {ending.outcome}: {ending.reason}"
                elif books.credited(entry) != len(actors):
                    yield f"{name}: {len(actors)} likers {time} are credited {books.credited(entry)} times"


def nobody_beside_a_count_is_refused(subject: Subject) -> Iterator[str]:
    """Empty a recorded list, keep the count: the connector must raise, or the core's sweep must refuse it."""
    for name, replayed in _recorded_lists(subject):
        wanted, post, platform = replayed.recording, replayed.post, _Emptying(replayed.recording)
        listed = _walked(replayed.connector, Step(call=Call.LIST, post=post, page_size=wanted.page_size), platform)
        if not listed:
            continue
        connector: Any = replayed.connector
        if not wanted.expected_counts:
            connector = _Beside(inner=connector, traits=connector.traits, shown=listed)
        with open_books() as books, open_client(replayed.connector, platform) as client:
            ending = books.sweep(books.enter(post), post, connector, client)
        if ending.outcome is SweepOutcome.COMPLETE:
            yield f"{name}: an empty list beside a count is accepted: nobody is said to like a post with likes"


def has_a_recorded_list(subject: Subject) -> bool:
    return issubclass(subject.kind, NamesLikers) and any(True for _ in _recorded_lists(subject))


def has_a_whole_list(subject: Subject) -> bool:
    return any(True for _ in _whole_lists(subject))


def _whole_lists(subject: Subject) -> Iterator[tuple[str, Replayed]]:
    for name, replayed in subject.replays.items():
        likers = replayed.likers
        if likers and replayed.outcome is None and replayed.tape.made == replayed.tape.recorded:
            yield name, replayed


def _recorded_lists(subject: Subject) -> Iterator[tuple[str, Replayed]]:
    for name, replayed in subject.replays.items():
        wanted = replayed.recording
        if wanted.expected_likers and wanted.exchanges and not wanted.expected_outcome:
            yield name, replayed


def _walked(connector: Connector, step: Step, platform: "_Emptying") -> int:
    """Walk a list as far as it was recorded, and let it be empty from now on; give the number of its likers."""
    listed, pages_of_likers = 0, list[Exchange]()
    for _ in range(_MOST_PAGES):
        platform.take_asked()
        page = perform(connector, step, platform)
        if not isinstance(page, Page):
            break
        listed += len(page.likes)
        pages_of_likers += platform.take_asked() if page.likes else []
        if page.cursor is None:
            break
        step = replace(step, cursor=page.cursor)
    platform.emptied = pages_of_likers
    return listed


class _Emptying:
    """Answers what was recorded, whatever the order; the lists in `emptied` have no liker."""

    def __init__(self, recording: Recording) -> None:
        self._exchanges = recording.exchanges
        self._asked: list[Exchange] = []
        self.emptied: list[Exchange] = []

    def take_asked(self) -> list[Exchange]:
        """Give what was asked for since the last time."""
        taken, self._asked = self._asked, []
        return taken

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = facts_of(request)
        found = next((each for each in self._exchanges if recorded_facts(each) == asked), None)
        found = found or next(iter(self.emptied), None)  # a sweep asks for other page sizes
        if found is None:
            return httpx.Response(404, json={"error": "not recorded"})
        self._asked.append(found)
        response = found.response
        return response.saying(shortened(response.body, 0)) if found in self.emptied else response.answer()
