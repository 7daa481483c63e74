"""The conversation with a server that grants access (RFC 6749, with PKCE by RFC 7636), as an `OAuth` describes it.

A request is sent once: a code and a rotating refresh token work once, so asking again would lose what was granted. No
message carries a code, a verifier, a secret or a token; a server's own words are not repeated, but for the error codes
of the standard.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec

from harvester.clock import Now
from harvester.collect.answers import asked
from harvester.collect.http import PoliteClient
from harvester.config import HttpSettings
from harvester.connector import (
    ContractBroken,
    GrantLost,
    GrantSettings,
    OAuth,
    Outcome,
    Pkce,
    Refused,
    Secret,
    Unstable,
    decode,
    origin_of,
    server_address,
)

_PASSES = {"temporarily_unavailable", "server_error"}
_ABOUT_US = {"invalid_client", "unauthorized_client"}
_LONGEST_LIFE = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a server granted; None is not said. Without a refresh token a long-lived one may still renew itself."""

    access: Secret
    refresh: Secret | None = None
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A login that has begun: where the browser goes, where it comes back, and what proves that it is the same."""

    url: str = field(repr=False)
    redirect_uri: str
    state: Secret
    verifier: Secret


class _Granted(msgspec.Struct):
    """A token answer. `permissions` is what Meta calls the scopes, and its newest API wraps all of it in `data`."""

    access_token: str = ""
    refresh_token: str | None = None
    expires_in: float | str | None = None
    scope: str | None = None
    permissions: str | list[str] | None = None
    data: list["_Granted"] = []


class _Failed(msgspec.Struct):
    error: str = ""


class GrantServer:
    """Grants access to one platform and renews it; `settings` names our app there, and maybe a stand-in for it."""

    def __init__(
        self, oauth: OAuth, settings: GrantSettings, http: HttpSettings, *, now: Now, sleep: Callable[[float], None]
    ) -> None:
        self._oauth = oauth
        self._settings = settings
        self._server = server_address(settings.oauth_server, "oauth_server") if settings.oauth_server else ""
        self._http = http.model_copy(update={"attempts": 1})
        self._now = now
        self._sleep = sleep

    def begin(self, redirect_uri: str) -> Login:
        """Make the address where a person grants access, good for one login."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # noqa: PLC0415 - slow, and rarely needed

        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        address = prepare_grant_uri(
            self._at(self._oauth.authorize_url),
            self._settings.client_id,
            "code",
            redirect_uri=redirect_uri,
            scope=self._oauth.scope_separator.join(self._oauth.scopes),
            state=state,
            **self._challenge(verifier),
        )
        return Login(
            url=self._with_our_name(address), redirect_uri=redirect_uri, state=Secret(state), verifier=Secret(verifier)
        )

    def redeem(self, login: Login, code: Secret) -> Tokens:
        """Turn a login's code into tokens, long-lived ones where the platform has them."""
        proof = {"code_verifier": login.verifier.reveal()} if self._oauth.pkce is not Pkce.NONE else {}
        tokens = self._post("authorization_code", redirect_uri=login.redirect_uri, code=code.reveal(), **proof)
        tokens = replace(tokens, scopes=tokens.scopes or self._oauth.scopes)
        if not self._oauth.exchange_url:
            return tokens
        secret = {"client_secret": self._secret()}
        lasting = self._get(self._oauth.exchange_url, self._oauth.exchange_grant, tokens.access, secret)
        return replace(lasting, scopes=tokens.scopes)

    def can_renew(self, tokens: Tokens) -> bool:
        return tokens.refresh is not None or bool(self._oauth.renew_url)

    def renew(self, tokens: Tokens) -> Tokens:
        """Give the tokens that follow these, which from now on no longer work."""
        if self._oauth.renew_url:
            renewed = self._get(self._oauth.renew_url, self._oauth.renew_grant, tokens.access)
        elif tokens.refresh:
            renewed = self._post("refresh_token", refresh_token=tokens.refresh.reveal())
        else:
            raise GrantLost("the grant cannot be renewed")
        return replace(renewed, refresh=renewed.refresh or tokens.refresh, scopes=renewed.scopes or tokens.scopes)

    def _post(self, kind: str, **parts: str) -> Tokens:
        """Ask the token endpoint, as the app that we are."""
        from authlib.oauth2.rfc6749.parameters import prepare_token_request  # noqa: PLC0415 - slow, and rarely needed

        in_header = self._oauth.names_client_in_header and bool(self._secret())
        ours = {self._oauth.client_id_field: self._settings.client_id, "client_secret": self._secret()}
        body = prepare_token_request(kind, **parts, **({} if in_header else ours))
        form = {"content-type": "application/x-www-form-urlencoded"}
        auth = httpx.BasicAuth(self._settings.client_id, self._secret()) if in_header else None
        return self._ask("POST", self._oauth.token_url, auth, content=body, headers=form)

    def _get(self, url: str, kind: str, token: Secret, more: Mapping[str, str] | None = None) -> Tokens:
        """Ask for a token in the place of another, in the query: that is how the platforms that do this want it."""
        return self._ask("GET", url, params={"grant_type": kind, "access_token": token.reveal(), **(more or {})})

    def _ask(self, method: str, url: str, auth: httpx.Auth | None = None, **parts: Any) -> Tokens:
        asked_at = self._now()
        with PoliteClient(self._http, explain=_explain, now=self._now, sleep=self._sleep) as client:
            response = client.send(client.build_request(method, self._at(url), **parts), auth)
        granted = decode(response, _Granted)
        granted = granted.data[0] if granted.data and not granted.access_token else granted
        if not granted.access_token:
            raise ContractBroken(f"{asked(response)} answered no access token")
        return Tokens(
            access=Secret(granted.access_token),
            refresh=Secret(granted.refresh_token) if granted.refresh_token else None,
            scopes=_scopes(granted),
            expires_at=_end(granted.expires_in, asked_at),
        )

    def _at(self, url: str) -> str:
        """Say where a URL is really asked: on the server that stands in for the platform's, if there is one."""
        return f"{self._server}{url.removeprefix(origin_of(url))}" if self._server else url

    def _secret(self) -> str:
        return self._settings.client_secret.reveal() if self._settings.client_secret else ""

    def _challenge(self, verifier: str) -> dict[str, str]:
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415 - slow, and rarely needed

        if self._oauth.pkce is Pkce.NONE:
            return {}
        is_hex = self._oauth.pkce is Pkce.HEX
        challenge = hashlib.sha256(verifier.encode()).hexdigest() if is_hex else create_s256_code_challenge(verifier)
        return {"code_challenge": challenge, "code_challenge_method": "S256"}

    def _with_our_name(self, address: str) -> str:
        """Call our app's id what the platform calls it."""
        if self._oauth.client_id_field == "client_id":
            return address
        url = httpx.URL(address).copy_remove_param("client_id")
        return str(url.copy_add_param(self._oauth.client_id_field, self._settings.client_id))


def code_in(returned: str, login: Login) -> Secret:
    """Find the code in the address that a browser came back to, if that belongs to this login."""
    told = {name: values[0] for name, values in parse_qs(urlsplit(returned).query).items()}
    if not hmac.compare_digest(told.get("state", "").encode(), login.state.reveal().encode()):
        raise Refused("the browser came back from another login than this one: begin again")
    if "error" in told:
        word = _standard(told["error"])
        raise Refused(f"access was not granted{f' ({word})' if word else ''}")
    if "code" not in told:
        raise Refused("the browser came back without a code: begin again")
    return Secret(told["code"])


def _explain(response: httpx.Response) -> Outcome | None:
    """Say what a token endpoint means; some answer 200 to what they refuse."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error or response.is_redirect:
        return None
    error = _error(response)
    if response.is_success and not error:
        return None
    where, said = asked(response), _standard(error) or f"HTTP {response.status_code}"
    if error in _PASSES:
        return Unstable(f"{where} failed ({said})")
    if error in _ABOUT_US:
        return GrantLost(f"{where} does not accept the app's client_id and client_secret ({said})")
    if response.status_code in (400, 401) or error:
        return GrantLost(f"{where} does not accept the grant ({said})")
    return Refused(f"{where} refused ({said})")


def _error(response: httpx.Response) -> str:
    """Give the error code of the standard; '' for an answer that has none, '-' for one in a platform's own shape."""
    try:
        return decode(response, _Failed).error
    except ContractBroken:
        return "-" if response.is_error else ""


def _standard(error: str) -> str:
    """Repeat an error code, never anything else that may stand in its place."""
    return error if re.fullmatch(r"[a-z_]{3,40}", error) else ""


def _scopes(granted: _Granted) -> tuple[str, ...]:
    said = granted.scope or granted.permissions or ()
    return tuple(re.split(r"[,\s]+", said.strip())) if isinstance(said, str) else tuple(said)


def _end(expires_in: float | str | None, asked_at: datetime) -> datetime | None:
    """Say when a token ends, counted from when it was asked for; None when the platform does not say."""
    if expires_in is None:
        return None
    try:
        life = timedelta(seconds=float(expires_in))
    except (ValueError, OverflowError) as error:
        raise ContractBroken("the lifetime of the token is not a number of seconds") from error
    return asked_at + min(life, _LONGEST_LIFE)
