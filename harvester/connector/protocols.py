"""What a connector is: a capability is a method that exists, and the core asks for nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import httpx
import msgspec

from harvester.connector.credentials import ApiVersion, GrantFacts, OAuth, Secret
from harvester.connector.outcomes import ContractBroken, Outcome
from harvester.connector.traits import Basis, Traits
from harvester.connector.values import Count, Page, Post

Params = Mapping[str, str] | tuple[tuple[str, str], ...]  # pairs where a name is repeated
_MOST_HOPS = 5


class Http(Protocol):
    """The polite client as a connector sees it: one request a call, everything else is its business.

    Each method answers 2xx with a JSON body, or raises an outcome.
    """

    @property
    def page_size(self) -> int:
        """How many likers to ask for; at most the connector's own `page_max`."""

    def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.Response: ...

    def post(
        self,
        url: str,
        *,
        json: object,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        auth: httpx.Auth | None = None,
    ) -> httpx.Response:
        """Ask a question that the API wants as a JSON body; it is asked again after a failure."""

    def redirect_of(self, url: str) -> str:
        """Say where a short link leads, one hop; `Missing` when it leads nowhere. Nothing is followed."""

    def bearer(self, token: Secret | None) -> httpx.Auth:
        """Sign with this token, or when it is None with the grant that a person gave by `connectors login`."""


class Connector(Protocol):
    """What every connector has.

    `hosts` are the sites whose links it alone reads, every host below them included; none for a network of many
    servers. `origins` are the servers it asks beside the post's own, such as 'https://api.example'.
    """

    name: ClassVar[str]
    traits: ClassVar[Traits]
    hosts: ClassVar[tuple[str, ...]]
    url_forms: ClassVar[tuple[str, ...]]
    settings_type: ClassVar[type[msgspec.Struct]]
    origins: tuple[str, ...]

    def __init__(self, settings: Any) -> None: ...

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        """Say which post a URL means, or None; needs no settings and no network."""


@runtime_checkable
class LocatesPosts(Protocol):
    """A platform whose URLs are not yet ids."""

    def locate(self, http: Http, post: Post) -> Post:
        """Give the post under its stable id, on its home server; it may take several requests."""


@runtime_checkable
class NamesLikers(Protocol):
    """A platform that says who liked."""

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        """Read one page of likers; `cursor=None` is the first."""


@runtime_checkable
class CountsLikes(Protocol):
    """A platform that says how many likes a post has."""

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        """Read up to `traits.batch_max` posts; one that is gone is left out."""


@runtime_checkable
class ExplainsAnswers(Protocol):
    """A platform whose answers mean something else than their HTTP status: 200 with an error, 400 for a pause."""

    def explain(self, response: httpx.Response) -> Outcome | None:
        """Say what an answer of any status means; None when its status says it. Pure, asked before anyone decodes."""


@runtime_checkable
class WantsGrant(Protocol):
    """A platform that wants a person's leave, given in a browser; its settings are `GrantSettings`."""

    oauth: ClassVar[OAuth]


@runtime_checkable
class ShowsGrant(Protocol):
    """A platform that says what our credential is worth."""

    def fetch_grant(self, http: Http) -> GrantFacts:
        """Ask whose credential this is, what it allows and until when, in the cheapest way there is."""


@runtime_checkable
class HasVersion(Protocol):
    """An API whose versions end."""

    version: ApiVersion


def default_basis(connector: type[Connector] | Connector) -> Basis:
    """Say what a post there is credited by unless a person decides: its likers where they are named."""
    names = hasattr(connector, "fetch_page")
    return connector.traits.basis or (Basis.IDENTITY if names else Basis.COUNT)


def follow(http: Http, connector: type[Connector] | Connector, post: Post) -> Post:
    """Resolve a short link by its redirects until it is a link that says its id; any other post stays as it is."""
    for _ in range(_MOST_HOPS):
        if not post.is_short:
            return post
        found = connector.recognise(http.redirect_of(post.url))
        if found is None:
            raise ContractBroken("the short link does not lead to a post")
        post = found
    raise ContractBroken(f"the short link leads on for more than {_MOST_HOPS} hops")
