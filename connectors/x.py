"""X: how many like a post, and who, as far as X still says it.

API: GET /2/tweets and /2/tweets/:id/liking_users (docs.x.com/x-api). X names at most 100 likers of a post, ever, and to
its author alone, so a post is credited by its count unless a person says otherwise. Success may be partial: ids that
are gone stand under `errors` beside `data`, and an empty list has no `data` at all.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar, Generic, TypeVar

import httpx
import msgspec

from harvester.connector import (
    Basis,
    Bearer,
    Budget,
    ContractBroken,
    Count,
    Exhausted,
    GrantFacts,
    GrantLost,
    GrantSettings,
    Http,
    Like,
    Missing,
    Need,
    OAuth,
    Outcome,
    Page,
    Post,
    Provenance,
    Refused,
    Secret,
    Throttled,
    Traits,
    answered_at,
    decode,
    next_midnight,
    on_hosts,
    parse_epoch,
    parse_instant,
    server_address,
)

T = TypeVar("T")
_CONSOLE = "https://console.x.com"
_HOST = re.compile(r"(?:www\.|mobile\.|m\.)?(?:x|twitter)\.com")
_PATH = re.compile(
    r"/(?:i/(?:web/)?status|[A-Za-z0-9_]{1,15}/status(?:es)?)/(?P<id>[1-9][0-9]{0,18})(?:/(?:photo|video)/[0-9]{1,2})?/?"
)


class XSettings(GrantSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`app_token` is enough to count; naming likers takes the leave of the post's author."""

    app_token: Annotated[Secret | None, Need("the app's own bearer token, to count likes", _CONSOLE)] = None
    token: Annotated[Secret | None, Need("the author's token: tweet.read users.read like.read", _CONSOLE)] = None
    api: str = "https://api.x.com"


class _Problem(msgspec.Struct):
    type: str = ""


class _Meta(msgspec.Struct):
    result_count: int
    next_token: str | None = None


class _Answer(_Problem, Generic[T]):
    data: T | None = None
    errors: list[_Problem] = []
    meta: _Meta | None = None


class _Metrics(msgspec.Struct):
    like_count: int


class _Tweet(msgspec.Struct):
    id: str
    public_metrics: _Metrics
    created_at: str | None = None


class _User(msgspec.Struct):
    id: str
    username: str


class X:
    name: ClassVar[str] = "x"
    traits: ClassVar[Traits] = Traits(
        page_max=100,
        depth_limit=100,
        batch_max=100,
        # What liking_users allows. Counting has 3,500 of its own, but requests are counted by server: the tight one
        # protects both, and 75 calls read 7,500 counts.
        budgets=(Budget(requests=75, per=timedelta(minutes=15)),),
        basis=Basis.COUNT,
        terms=(
            "A service should not compensate people to take actions on X, likes among them"
            " (https://docs.x.com/developer-terms/policy).",
            "Nobody on X may be matched to a person elsewhere without express consent, and what X deletes must be"
            " deleted within 24 hours of its request (https://docs.x.com/developer-terms/policy).",
            "A contest must exclude people who use several accounts and must not reward repetition"
            " (https://help.x.com/en/rules-and-policies/x-contest-rules).",
        ),
        proven_by=(Provenance.RECORDED, Provenance.OFFICIAL, Provenance.HANDWRITTEN),
    )
    hosts: ClassVar[tuple[str, ...]] = ("x.com", "twitter.com")
    url_forms: ClassVar[tuple[str, ...]] = (
        "https://x.com/user/status/1460323737035677698",
        "https://twitter.com/user/status/1460323737035677698",
        "https://x.com/i/web/status/1460323737035677698",
    )
    settings_type: ClassVar[type[msgspec.Struct]] = XSettings
    oauth: ClassVar[OAuth] = OAuth(
        authorize_url="https://x.com/i/oauth2/authorize",
        token_url="https://api.x.com/2/oauth2/token",  # noqa: S106
        scopes=("tweet.read", "users.read", "like.read", "offline.access"),
        names_client_in_header=True,
    )

    def __init__(self, settings: XSettings) -> None:
        self._api = server_address(settings.api, "api")
        self._settings = settings
        self.origins: tuple[str, ...] = (self._api,)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        parts = on_hosts(url, cls.hosts)
        match = _PATH.fullmatch(parts.path) if parts and _HOST.fullmatch(parts.hostname or "") else None
        return Post(platform=cls.name, native_id=match["id"], realm=cls.name, url=url.strip()) if match else None

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        ids = [post.native_id for post in posts]
        params = {"ids": ",".join(ids), "tweet.fields": "created_at,public_metrics"}
        app_token = self._settings.app_token
        auth = Bearer(app_token) if app_token else http.bearer(self._settings.token)
        answer = decode(http.get(f"{self._api}/2/tweets", params=params, auth=auth), _Answer[list[_Tweet]])
        if not answer.data and not answer.errors:
            raise ContractBroken("X answered neither a post nor why there is none")
        shown = {tweet.id: tweet for tweet in answer.data or ()}
        return tuple(_count(shown[native_id]) for native_id in ids if native_id in shown)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        params = {"max_results": str(http.page_size)} | ({"pagination_token": cursor} if cursor else {})
        url = f"{self._api}/2/tweets/{post.native_id}/liking_users"
        answer = decode(http.get(url, params=params, auth=http.bearer(self._settings.token)), _Answer[list[_User]])
        if answer.errors and not answer.data:
            raise Missing("X does not show this post")
        if answer.meta is None or (answer.meta.result_count and not answer.data):
            raise ContractBroken("X answered a list of likers without the likers")
        likes = tuple(Like(actor=user.id, handle=user.username) for user in answer.data or ())
        return Page(likes=likes, cursor=answer.meta.next_token or None)

    def fetch_grant(self, http: Http) -> GrantFacts:
        answer = decode(http.get(f"{self._api}/2/users/me", auth=http.bearer(self._settings.token)), _Answer[_User])
        if answer.data is None:
            raise ContractBroken("X does not say whose grant this is")
        return GrantFacts(account=answer.data.username)

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Read X's problem types, which an answer of 200 may carry too, and its own reset header."""
        problems = _problems(response)
        if problems & {"usage-capped", "credits", "credits-depleted"}:
            # Nothing says when the cap ends or credits come: asking once a day costs nothing.
            return Exhausted(next_midnight(answered_at(response), "UTC"), "X: the app's usage cap or credit is spent")
        if "client-forbidden" in problems:
            return GrantLost("X does not let this app ask: see its project and access level in X's console")
        if problems and problems <= {"not-authorized-for-resource", "disallowed-resource"}:
            return Refused("X does not show this post to this account")
        reset = response.headers.get("x-rate-limit-reset", "")
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS and re.fullmatch(r"[0-9]{9,11}", reset):
            return Throttled(parse_epoch(int(reset)))
        return None


def _problems(response: httpx.Response) -> set[str]:
    """Name the kinds of problems of an answer that brings nothing else; its status speaks for one that is no JSON."""
    try:
        answer = decode(response, _Answer[object])
    except ContractBroken:
        return set()
    found = {problem.type.rpartition("/")[2] for problem in (answer, *answer.errors) if problem.type}
    return found if answer.data is None else set()


def _count(tweet: _Tweet) -> Count:
    published_at = parse_instant(tweet.created_at) if tweet.created_at else None
    return Count(native_id=tweet.id, likes=tweet.public_metrics.like_count, published_at=published_at)
