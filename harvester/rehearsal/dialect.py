"""What a simulated platform's dialect is: a frozen value that puts the world's truth into one API's words.

To add one, write a module beside `mastodon.py`; lists are read into a `ListPage` and written from it, so that every
fault of a list works in every dialect.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol

from harvester.rehearsal.wire import Answer, Request
from harvester.rehearsal.world import Naming, SimulatedLike, SimulatedPost, World


class Kind(StrEnum):
    """What a request asks for."""

    POST = "post"
    LIKES = "likes"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of likers before it is written; only `cursor=None` ends the list."""

    likes: tuple[SimulatedLike, ...]
    cursor: str | None
    previous: str | None = None


class Dialect(Naming, Protocol):
    """One API, spoken over one world."""

    def url_of(self, post: SimulatedPost, origin: str, /) -> str:
        """Give the address a person would paste."""

    def kind_of(self, request: Request) -> Kind | None:
        """Say what is asked, or None when this API has no such path."""

    def answer(self, world: World, request: Request) -> Answer:
        """Answer honestly, or raise `Refusal`."""

    def cursor_of(self, request: Request) -> str | None: ...

    def read_page(self, world: World, request: Request, cursor: str | None) -> ListPage:
        """Read the page of likers that begins at `cursor`."""

    def write_page(self, request: Request, page: ListPage) -> Answer: ...

    def invented_cursor(self, number: int) -> str:
        """Invent a well-formed cursor, another for every number, that leads back to the top of the list."""


def iso_millis(instant: datetime) -> str:
    """Write UTC the way JavaScript does: 2027-01-21T20:00:00.000Z."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_micros(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def millis(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000)


def digest(*parts: str, size: int) -> bytes:
    """Turn words into bytes that look random and are the same in every run."""
    return blake2b("/".join(parts).encode(), digest_size=size).digest()


def written_in(alphabet: str, number: int, length: int) -> str:
    """Write a number in the letters of an alphabet, padded or cut to `length`."""
    letters: list[str] = []
    for _ in range(length):
        number, place = divmod(number, len(alphabet))
        letters.append(alphabet[place])
    return "".join(reversed(letters))


def visible(post: SimulatedPost, likes: Iterable[SimulatedLike]) -> Iterator[SimulatedLike]:
    """Leave out hidden likers."""
    return (like for like in likes if not post.is_hidden(like))
