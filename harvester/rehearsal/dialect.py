"""What a simulated platform's dialect is: a frozen value that puts the world's truth into one API's words.

To add one, write a module beside `mastodon.py`, or beside `youtube.py` when nobody is told who liked; lists are read
into a `ListPage` and written from it, so that every fault of a list works in every dialect that has one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Protocol, runtime_checkable

from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Request
from harvester.rehearsal.world import Naming, SimulatedLike, SimulatedPost, World


class Kind(StrEnum):
    """What a request asks for: posts and their counts, who likes one, what a link means, or leave to ask at all."""

    POST = "post"
    LIKES = "likes"
    IDENTITY = "identity"
    GRANT = "grant"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of likers before it is written; only `cursor=None` ends the list."""

    likes: tuple[SimulatedLike, ...]
    cursor: str | None
    previous: str | None = None


class Handler(Protocol):
    """What answers some of the paths of a server."""

    def kind_of(self, request: Request) -> Kind | None:
        """Say what is asked, or None when there is no such path here."""

    def answer(self, world: World, request: Request) -> Answer:
        """Answer honestly, or raise `Refusal`."""


@runtime_checkable
class Dialect(Naming, Handler, Protocol):
    """One API, spoken over one world."""

    def url_of(self, post: SimulatedPost, origin: str, /) -> str:
        """Give the address a person would paste."""


@runtime_checkable
class WantsToken(Protocol):
    """A dialect that answers only who shows a token: its own `token`, or one that an `OAuthServer` granted."""

    @property
    def token(self) -> str | None: ...

    def admit(self, request: Request, tokens: Tokens) -> None:
        """Raise `Refusal`, in this API's words, for a request without a token that is accepted now."""


@runtime_checkable
class ListDialect(Dialect, Protocol):
    """One API that says who liked."""

    def cursor_of(self, request: Request) -> str | None: ...

    def read_page(self, world: World, request: Request, cursor: str | None) -> ListPage:
        """Read the page of likers that begins at `cursor`."""

    def write_page(self, world: World, request: Request, page: ListPage) -> Answer: ...

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


def digits(*parts: str, length: int) -> str:
    """Turn words into a number of so many digits that looks random and is the same in every run."""
    lowest = 10 ** (length - 1)
    return str(lowest + int.from_bytes(digest(*parts, size=16)) % (9 * lowest))


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
