"""Threads: how many likes a post of one's own account has; who liked is never said.

API: GET /{media-id}/insights?metric=likes (developers.facebook.com/docs/threads/insights). The post itself carries no
count, and its insights no time: `post add --published` says when it was published. Links are matched against the
account's own posts.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, ClassVar

import httpx
import msgspec

from connectors._graph import Server, Version, api_version, explain, find_own
from harvester.connector import (
    Budget,
    Count,
    GrantFacts,
    GrantSettings,
    Http,
    Need,
    OAuth,
    Outcome,
    Pkce,
    Post,
    Provenance,
    Secret,
    Traits,
    decode,
    on_hosts,
    server_address,
)

_PATH = re.compile(r"/(?:@[\w.]+/post|t)/(?P<shortcode>[\w-]{5,64})/?", re.ASCII)


class ThreadsSettings(GrantSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    token: Annotated[
        Secret | None,
        Need("a token of the account, with threads_basic, threads_manage_insights", "developers.facebook.com/apps"),
    ] = None
    api: Server = "https://graph.threads.net"
    version: Version = "v1.0"


class _Value(msgspec.Struct):
    value: int


class _Metric(msgspec.Struct):
    name: str
    values: list[_Value] = []


class _Insights(msgspec.Struct):
    data: list[_Metric]


class _Account(msgspec.Struct):
    username: str


class Threads:
    name: ClassVar[str] = "threads"
    traits: ClassVar[Traits] = Traits(
        # 4,800 calls a day for every time anything of the account was seen, which counts as 10 at least
        budgets=(Budget(requests=48_000, per=timedelta(days=1)),),
        terms=(
            "Insights are shown solely to the person who created the post: publishing its count needs that person's "
            "leave (developers.facebook.com/docs/threads/overview).",
        ),
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ("threads.net", "threads.com")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://www.threads.com/@user/post/C8abcdefghi",
        "https://www.threads.net/@user/post/C8abcdefghi",
        "https://www.threads.net/t/C8abcdefghi",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = ThreadsSettings
    oauth: ClassVar[OAuth] = OAuth(  # developers.facebook.com/docs/threads/get-started
        authorize_url="https://threads.com/oauth/authorize",
        token_url="https://graph.threads.net/oauth/access_token",  # noqa: S106
        scopes=("threads_basic", "threads_manage_insights"),
        scope_separator=",",
        pkce=Pkce.NONE,
        exchange_url="https://graph.threads.net/access_token",
        exchange_grant="th_exchange_token",
        renew_url="https://graph.threads.net/refresh_access_token",
        renew_grant="th_refresh_token",
    )

    def __init__(self, settings: ThreadsSettings) -> None:
        api = server_address(settings.api, "api")
        self.version = api_version(settings.version, note="the day that it ends is not announced")
        self.origins: tuple[str, ...] = (api,)
        self._root = f"{api}/{self.version.name}"
        self._token = settings.token

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Read a link's shortcode; the post's id is another until located."""
        parts = on_hosts(url, cls.hosts)
        match = _PATH.fullmatch(parts.path) if parts else None
        return Post(platform=cls.name, native_id=match["shortcode"], realm=cls.name, url=url.strip()) if match else None

    def locate(self, http: Http, post: Post) -> Post:
        found = find_own(
            http,
            f"{self._root}/me/threads",
            fields="id,shortcode,permalink",
            auth=http.bearer(self._token),
            is_wanted=lambda own: own.is_known_as(post.native_id),
        )
        return replace(post, native_id=found.id)

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(Count(native_id=post.native_id, likes=self._likes(http, post)) for post in posts)

    def explain(self, response: httpx.Response) -> Outcome | None:
        return explain(response)

    def fetch_grant(self, http: Http) -> GrantFacts:
        """Ask whose token it is; what it allows, and until when, is not said without the token in a query."""
        answer = http.get(f"{self._root}/me", params={"fields": "username"}, auth=http.bearer(self._token))
        return GrantFacts(account=decode(answer, _Account).username)

    def _likes(self, http: Http, post: Post) -> int | None:
        url = f"{self._root}/{post.native_id}/insights"
        answer = decode(http.get(url, params={"metric": "likes"}, auth=http.bearer(self._token)), _Insights)
        likes = [one.value for metric in answer.data if metric.name == "likes" for one in metric.values]
        return likes[0] if likes else None  # a metric that is left out is not zero
