"""Facebook Page: who reacted to a post of one's own Page.

API: GET /{page-post-id}/reactions (developers.facebook.com/docs/graph-api/reference/pagepost/reactions), with the
Page's own token. Any other token is answered too: by an empty list beside the true count. A `pfbid` in a link changes
over time and is no id, so a post is looked up among the Page's own; personal timelines and groups are not read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar, Literal
from urllib.parse import SplitResult, parse_qsl

import httpx
import msgspec

from connectors._graph import NO_ENDORSEMENT, Paging, Server, Version, api_version, explain, find_own, next_cursor
from harvester.connector import (
    Bearer,
    Budget,
    ContractBroken,
    Count,
    GrantFacts,
    GrantLost,
    Http,
    Like,
    Need,
    Outcome,
    Page,
    Post,
    Provenance,
    Refused,
    Secret,
    Traits,
    decode,
    follow,
    needed,
    on_hosts,
    parse_instant,
    server_address,
)

_ID = r"(?P<id>[1-9][0-9]{4,19}|pfbid[0-9A-Za-z]{5,128})"
_PATH = re.compile(rf"/(?!groups/|share/)(?:(?P<page>[^/]+)/(?P<kind>posts|videos|photos)/(?:[^/]+/)?|reel/){_ID}")
_STORY_PATHS = ("/permalink.php", "/story.php")
_ID_IS = dict.fromkeys(_STORY_PATHS, "story_fbid")
_ID_IS |= {"/watch": "v", "/watch/live": "v", "/video.php": "v", "/photo": "fbid", "/photo.php": "fbid"}
_SITE_HOST = r"(?:(?:www|web|m|mbasic|touch|business|[a-z]{2}-[a-z]{2})\.)?(?:facebook|fb)\.com"
_SITE = re.compile(_SITE_HOST)
_SHORT = re.compile(rf"(?:{_SITE_HOST}/share/(?:[prv]/)?|(?:www\.)?fb\.watch/)[A-Za-z0-9_-]{{5,64}}")


class FacebookPageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reactions` says whether every reaction is a like, or the thumb alone."""

    token: Annotated[
        Secret | None,
        Need(
            "the Page's own access token, with pages_read_engagement and pages_show_list",
            "GET /me/accounts as an administrator of the Page (developers.facebook.com/docs/pages-api/getting-started)",
        ),
    ] = None
    page_id: Annotated[str, Need("the number of your Page", "the Page's About, Page transparency")] = ""
    reactions: Annotated[Literal["all", "like"], Need("which reactions are likes: all or like", "your rules")] = "all"
    api: Server = "https://graph.facebook.com"
    version: Version = "v26.0"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{0,20}", self.page_id):
            raise ValueError("page_id is not the number of a Page")


class _Profile(msgspec.Struct):
    id: str
    name: str | None = None


class _Summary(msgspec.Struct, frozen=True):
    total_count: int | None = None


class _Reactions(msgspec.Struct):
    data: list[_Profile]
    paging: Paging | None = None
    summary: _Summary = _Summary()


class _View(msgspec.Struct):
    created_time: str | None = None
    reactions: _Reactions | None = None


class FacebookPage:
    name: ClassVar[str] = "facebook_page"
    traits: ClassVar[Traits] = Traits(
        page_max=100,  # no maximum is documented
        batch_max=25,  # nor for `ids`; every id costs one call, so more would only save round trips
        # 4,800 calls for every person who engaged with the Page: as if there were one, and a day for the hour
        budgets=(Budget(requests=4800, per=timedelta(days=1)),),
        cursor_life=timedelta(hours=2),  # Meta says to keep none; a post of many pages must outlast a pause of one hour
        terms=(
            NO_ENDORSEMENT,
            "Promotions may run on Pages, never on personal timelines; 'share to enter' and 'tag your friends' are "
            "forbidden (contestqueen.com/2024/conflicting-meta-promotional-guidelines).",
            "Nobody may be rewarded for liking a Page; whether that covers likes of posts is not settled "
            "(iplawwatch.com/2014/10/like-gating-facebook-says-dislike).",
        ),
        proven_by=(Provenance.CAPTURED, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("facebook.com", "fb.com", "fb.watch")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.facebook.com/PAGE/posts/4018908568149933",
        "https://www.facebook.com/PAGE/posts/pfbid02ExampLe1",
        "https://www.facebook.com/permalink.php?story_fbid=4018908568149933&id=565225540184937",
        "https://www.facebook.com/PAGE/videos/4018908568149933",
        "https://www.facebook.com/watch/?v=4018908568149933",
        "https://www.facebook.com/photo/?fbid=4018908568149933",
        "https://www.facebook.com/reel/4018908568149933",
        "https://www.facebook.com/share/p/1ExampLe",
        "https://fb.watch/ExampLe",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = FacebookPageSettings

    def __init__(self, settings: FacebookPageSettings) -> None:
        api = server_address(settings.api, "api")
        self.version = api_version(settings.version)
        self.origins: tuple[str, ...] = (api,)
        self._root = f"{api}/{self.version.name}"
        self._settings = settings
        self._type = "" if settings.reactions == "all" else "LIKE"

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read what a link says: an id under its Page's number, an id alone, a pfbid, or a short link to follow."""
        parts = on_hosts(url, cls.hosts)
        native_id = _id_in(parts) if parts else None
        return Post(platform=cls.name, native_id=native_id, realm="facebook", url=url.strip()) if native_id else None

    def locate(self, http: Http, post: Post) -> Post:
        """Give the post as `page_post`; it is looked up unless the link says that its Page is ours."""
        page = self._settings.page_id
        if not page:
            raise GrantLost(f"connectors.{self.name}.page_id is not set: the number of your Page")
        native_id = follow(http, self, post).native_id
        if not native_id.startswith(f"{page}_"):
            names = {_tail(native_id)}
            native_id = find_own(
                http,
                f"{self._root}/{page}/posts",
                fields="id,permalink_url",
                auth=self._auth(),
                is_wanted=lambda own: not names.isdisjoint((_tail(own.id), _tail_of_link(own.permalink_url))),
            ).id
        return replace(post, native_id=native_id, realm=f"facebook:{page}")

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        asked = {"summary": "total_count", "fields": "id,name", "limit": str(http.page_size)}
        asked |= {name: value for name, value in (("type", self._type), ("after", cursor)) if value}
        answer = decode(self._get(http, f"{post.native_id}/reactions", asked), _Reactions)
        following = next_cursor(answer.paging)
        if cursor is None and following is None and not answer.data:
            _check_that_nobody_reacted(answer.summary.total_count)
        return Page(likes=tuple(Like(actor=one.id, handle=one.name) for one in answer.data), cursor=following)

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        """Read several posts at once; where one is gone, Meta answers an error for all of them."""
        kind = f".type({self._type})" if self._type else ""
        fields = f"id,created_time,reactions{kind}.summary(total_count).limit(0)"
        ids = [post.native_id for post in posts]
        views = decode(self._get(http, "", {"ids": ",".join(ids), "fields": fields}), dict[str, _View])
        return tuple(_count(native_id, views[native_id]) for native_id in ids if native_id in views)

    def explain(self, response: httpx.Response) -> Outcome | None:
        return explain(response)

    def fetch_grant(self, http: Http) -> GrantFacts:
        """Ask whose the token is; what it allows can only be asked with the token in a query, which is not done."""
        owner = decode(self._get(http, "me", {"fields": "id,name"}), _Profile)
        if owner.id != self._settings.page_id:
            raise GrantLost(f"the token is of {owner.id[:20]!r}, not of the Page {self._settings.page_id!r}")
        return GrantFacts(account=owner.name or owner.id)

    def _get(self, http: Http, path: str, params: Mapping[str, str]) -> httpx.Response:
        return http.get(f"{self._root}/{path}", params=params, auth=self._auth())

    def _auth(self) -> Bearer:
        return Bearer(needed(self.name, self._settings, "token"))


def _id_in(parts: SplitResult) -> str | None:
    host, path = parts.hostname or "", parts.path.removesuffix("/")
    if _SHORT.fullmatch(f"{host}{path}"):
        return f"https://{host}{path}"
    if not _SITE.fullmatch(host):
        return None
    asked = dict(parse_qsl(parts.query))
    match = _PATH.fullmatch(path)
    if match:
        return _api_id(match["page"] if match["kind"] == "posts" else "", match["id"])
    page = asked.get("id", "") if path in _STORY_PATHS else ""
    return _api_id(page, asked.get(_ID_IS.get(path, ""), ""))


def _api_id(page: str, name: str) -> str | None:
    """Put a post's id under its Page's number; a photo's or a video's, a pfbid and a Page's name are no part of one."""
    if not re.fullmatch(_ID, name):
        return None
    return f"{page}_{name}" if page.isascii() and page.isdecimal() and name.isdecimal() else name


def _tail(native_id: str) -> str:
    return native_id.rpartition("_")[2]


def _tail_of_link(permalink: str | None) -> str:
    post = FacebookPage.recognise(permalink or "")
    return _tail(post.native_id) if post else ""


def _check_that_nobody_reacted(total: int | None) -> None:
    if total is None:
        raise ContractBroken("an empty list of reactions that does not say how many there are")
    if total:
        raise Refused(
            f"an empty list beside {total:,} reactions: the token has no right to see who they are "
            "(it must be the Page's own, with pages_read_engagement)"
        )


def _count(native_id: str, view: _View) -> Count:
    return Count(
        native_id=native_id,
        likes=view.reactions.summary.total_count if view.reactions else None,
        published_at=parse_instant(view.created_time) if view.created_time else None,
    )
