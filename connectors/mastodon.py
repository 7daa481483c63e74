"""Mastodon, and the servers that speak its API: who favourited a public post.

API: GET /api/v1/statuses/:id and /api/v1/statuses/:id/favourited_by (docs.joinmastodon.org/methods/statuses).
Only the post's home server knows its likers; the next page is named by the Link header alone; nothing says when
someone favourited.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar

import httpx
import msgspec

from harvester.connector import (
    Bearer,
    Budget,
    ContractBroken,
    Count,
    Http,
    Like,
    LikeTime,
    Need,
    Order,
    Page,
    Post,
    Provenance,
    Secret,
    Traits,
    decode,
    origin_of,
    parse_instant,
    split_url,
)

_POST_PATH = re.compile(
    r"/(?:(?:web/|deck/)?@[\w.-]+(?:@[\w.:-]+)?/(?:statuses/|posts/)?"  # /statuses is GoToSocial's, /posts Takahe's
    r"|(?:ap/)?users/[\w.-]+/statuses/|p/[\w.-]+/(?=[0-9]+/?$))"  # /p is Pixelfed's
    # Snowflake, ULID or UUID. A word ("followers") is no id; Rails reads "007" and "7x" as 7: second names of one post.
    r"(?P<id>(?=[^/]*[0-9])(?!0[0-9]*/?$)(?![0-9]{9,}[A-Za-z-])[0-9A-Za-z-]{6,36})/?",
    re.ASCII,
)
_OTHER_NETWORK = re.compile(r"(?:.+\.)?(?:flipboard|medium|reddit|snapchat|substack)\.com")  # no connector owns these


class MastodonSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tokens: Annotated[
        dict[str, Secret],
        Need(
            "by host, a user's own token with leave to read, where a server asks for one", "its settings, development"
        ),
    ] = {}

    def __post_init__(self) -> None:
        for host, token in self.tokens.items():
            if not re.fullmatch(r"[!-~]+", token.reveal()):
                raise ValueError(f"the token of {host} is not one line of plain characters")


class _Status(msgspec.Struct):
    id: str
    favourites_count: int
    created_at: str | None = None
    uri: str = ""
    url: str | None = None


class _Account(msgspec.Struct):
    id: str
    acct: str | None = None


class Mastodon:
    name: ClassVar[str] = "mastodon"
    traits: ClassVar[Traits] = Traits(
        order=Order.SERVER_DESC,
        time=LikeTime.NONE,
        page_max=80,
        budgets=(Budget(requests=300, per=timedelta(minutes=15)),),
        handle_retention=timedelta(days=365),
        proven_by=(Provenance.RECORDED, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ()
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://mastodon.social/@user/109294719267373593",
        "https://mastodon.social/users/user/statuses/109294719267373593",
        "https://gotosocial.example/@user/statuses/01FBVD42CQ3ZEEVMW180SBX03B",
        "https://pixelfed.example/p/user/612345678901234567",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = MastodonSettings

    def __init__(self, settings: MastodonSettings) -> None:
        self.origins: tuple[str, ...] = ()
        self._tokens = {host.lower(): token for host, token in settings.tokens.items()}

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = split_url(url)
        match = _POST_PATH.fullmatch(parts.path) if parts else None
        if not parts or not match or _OTHER_NETWORK.fullmatch(parts.hostname or ""):
            return None
        url = url.strip()
        host = origin_of(url).partition("://")[2]
        return Post(platform=cls.name, native_id=match["id"], realm=f"{cls.name}:{host}", url=url)

    def locate(self, http: Http, post: Post) -> Post:
        """Ask the server that shows a copy (/@user@elsewhere/ID, under its own id) where the post's home is."""
        if _is_at_home(post):
            return post
        status = self._status(http, post)
        for url in filter(None, (status.url, status.uri)):
            home = self.recognise(url)
            if home and _is_at_home(home):
                return home
        raise ContractBroken(f"{_host(post)} says the post's home is {status.uri[:200]!r}, which is no known form")

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(_count(self._status(http, post)) for post in posts)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        first = f"{_api(post)}/favourited_by?limit={http.page_size}"
        response = http.get(first if cursor is None else cursor, auth=self._auth(post))
        likes = tuple(Like(actor=account.id, handle=account.acct) for account in decode(response, list[_Account]))
        return Page(likes=likes, cursor=_older_page(response))

    def _status(self, http: Http, post: Post) -> _Status:
        status = decode(http.get(_api(post), auth=self._auth(post)), _Status)
        if status.id != post.native_id:  # two names of one post would be credited twice
            raise ContractBroken(f"{_host(post)} knows {post.native_id} as {status.id[:40]!r}: use that post's URL")
        return status

    def _auth(self, post: Post) -> httpx.Auth | None:
        """Give a host its own token; over plain http to this machine only: a pasted link must not give it away."""
        token = self._tokens.get(_host(post))
        is_safe = post.origin.startswith("https:") or _host(post).partition(":")[0] in ("localhost", "127.0.0.1")
        return Bearer(token) if token and is_safe else None


def _count(status: _Status) -> Count:
    published_at = parse_instant(status.created_at) if status.created_at else None
    return Count(native_id=status.id, likes=status.favourites_count, published_at=published_at)


def _host(post: Post) -> str:
    return post.realm.partition(":")[2]


def _api(post: Post) -> str:
    return f"{post.origin}/api/v1/statuses/{post.native_id}"


def _is_at_home(post: Post) -> bool:
    elsewhere = re.match(r"https?://[^/]+/[a-z/]*@[^/@]+@([^/]+)/", post.url, re.IGNORECASE)
    return elsewhere is None or elsewhere[1].lower() == _host(post)


def _older_page(response: httpx.Response) -> str | None:
    """Take the next page's URL; where links carry Laravel's `cursor`, "prev" is the older page.

    MA-11: pixelfed/pixelfed @ 8aae92d, ApiV1Controller::statusFavouritedBy.
    """
    links = response.links
    is_inverted = any(re.search(r"[?&]cursor=", link["url"]) for link in links.values())
    older = links.get("prev" if is_inverted else "next")
    return older["url"] if older else None
