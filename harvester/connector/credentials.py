"""Credentials: what a platform wants, where a person gets it, and how a request is signed with it."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, get_type_hints

import httpx
import msgspec

from harvester.connector.outcomes import GrantLost


class Secret:
    """A token that shows itself only when asked. (No dataclass: msgspec would fill that without its `dec_hook`.)"""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "(secret)"


def read_secret(kind: type, value: object) -> Secret:
    """Make a secret of a setting's text (msgspec's `dec_hook`)."""
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise ValueError("expected text")


@dataclass(frozen=True, slots=True)
class Need:
    """Why a connector has a setting: `what` it is (with its scopes), and `where` a person gets it.

    Written beside the field, `api_key: Annotated[Secret | None, Need("an API key", "https://...")] = None`, so that
    messages, `doctor` and the documentation say the same.
    """

    what: str
    where: str


def needs_of(settings_type: type[msgspec.Struct]) -> dict[str, Need]:
    """Give the documented settings of a connector, by field."""
    hints = get_type_hints(settings_type, include_extras=True)
    return {
        field: note
        for field, hint in hints.items()
        for note in getattr(hint, "__metadata__", ())
        if isinstance(note, Need)
    }


def needed(connector: str, settings: msgspec.Struct, field: str) -> Secret:
    """Give a secret setting, or raise `GrantLost` saying what is missing and where a person gets it."""
    secret = getattr(settings, field)
    if isinstance(secret, Secret) and secret.reveal():
        return secret
    need = needs_of(type(settings))[field]
    raise GrantLost(f"connectors.{connector}.{field} is not set: {need.what}; get it from {need.where}")


class GrantSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every platform has that wants a person's grant: our app there, or a token that was made elsewhere."""

    client_id: Annotated[str, Need("the id of your app on the platform", "the platform's developer site")] = ""
    client_secret: Annotated[Secret | None, Need("the app's secret", "the platform's developer site")] = None
    token: Annotated[Secret | None, Need("an access token, instead of a login", "the platform's developer site")] = None
    oauth_server: Annotated[str, Need("another server that grants access: a rehearsal's", "nowhere: leave it out")] = ""


class Pkce(StrEnum):
    """How a login proves that it is the one that began (RFC 7636); `HEX` is TikTok's way of writing S256."""

    NONE = "none"
    S256 = "S256"
    HEX = "S256 in hexadecimal"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """How a person grants us access in a browser (RFC 6749), as data.

    `client_id_field` is what the platform calls it. Where `exchange_url` is set, the first token is exchanged for a
    long-lived one (`exchange_grant` names the kind), which later renews itself at `renew_url` (`renew_grant`);
    elsewhere a refresh token does that. `names_client_in_header` is HTTP Basic at the token endpoint (RFC 6749, 2.3.1).
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    scope_separator: str = " "
    client_id_field: str = "client_id"
    names_client_in_header: bool = False
    pkce: Pkce = Pkce.S256
    exchange_url: str = ""
    exchange_grant: str = ""
    renew_url: str = ""
    renew_grant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFacts:
    """What a platform says of our credential: whose it is, what it allows and until when; None is not said."""

    account: str
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiVersion:
    """The version of an API that we ask for, and the day it ends; `note` says what is known when the day is not."""

    name: str
    sunset: date | None = None
    note: str = ""


class Bearer(httpx.Auth):
    """Sign with an `Authorization` header; `kind` is its first word."""

    def __init__(self, token: Secret, kind: str = "Bearer") -> None:
        self._token = token
        self._kind = kind

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"{self._kind} {self._token.reveal()}"
        yield request


class HeaderKey(httpx.Auth):
    """Sign with a header of the platform's own."""

    def __init__(self, header: str, key: Secret) -> None:
        self._header = header
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers[self._header] = self._key.reveal()
        yield request


class QueryKey(httpx.Auth):
    """Sign with a query parameter, where a platform knows no better place."""

    def __init__(self, name: str, key: Secret) -> None:
        self._name = name
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.url = request.url.copy_set_param(self._name, self._key.reveal())
        yield request


class PathKey(httpx.Auth):
    """Sign by putting a secret in front of the path, `/bot<secret>/getMe` for a `/getMe` that was asked."""

    def __init__(self, prefix: str, key: Secret) -> None:
        self._prefix = prefix
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        signed = f"{self._prefix}{self._key.reveal()}{request.url.raw_path.decode('ascii')}"
        request.url = request.url.copy_with(raw_path=signed.encode("ascii"))
        yield request
