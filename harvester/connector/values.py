"""The four values a connector turns answers into; what cannot be true of a post cannot be made."""

from dataclasses import dataclass
from datetime import datetime

from harvester.connector.outcomes import ContractBroken
from harvester.connector.reading import origin_of

LONGEST_CURSOR = 4096
MOST_LIKES = 2**31
"""More than any post has ever had; a larger number is a mistake, not a crowd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A publication on a platform. `realm` is the namespace in which its likers' ids are unique.

    A short link names a post whose id is not known before it is followed: until then the link itself is the id.
    """

    platform: str
    native_id: str
    realm: str
    url: str

    @property
    def origin(self) -> str:
        """Scheme, host and port of the URL: 'https://mastodon.social'; empty for a URI that names no server."""
        return origin_of(self.url)

    @property
    def is_short(self) -> bool:
        return self.native_id.startswith(("https://", "http://"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Like:
    """One liker on a page: `actor` is the platform's stable id, `at` the time it gives, on the clock of its traits."""

    actor: str
    handle: str | None = None
    at: datetime | None = None

    def __post_init__(self) -> None:
        if not self.actor:
            raise ContractBroken("a liker without an id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer understood. Only `cursor=None` ends a list: an empty page may well have a successor.

    `part` names the list a page is of, where a platform keeps several for one post: each may name the same people.
    """

    likes: tuple[Like, ...]
    cursor: str | None
    part: str = ""

    def __post_init__(self) -> None:
        if self.cursor is not None and (len(self.cursor) > LONGEST_CURSOR or not self.cursor.isprintable()):
            raise ContractBroken("a cursor that cannot be kept: over 4,096 characters, or not printable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """A post as its platform shows it now: `likes` is None when hidden, `published_at` None when not said."""

    native_id: str
    likes: int | None
    published_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.likes is not None and not 0 <= self.likes < MOST_LIKES:
            raise ContractBroken("a number of likes that no post can have")
