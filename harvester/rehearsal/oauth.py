"""A simulated server that grants access: OAuth 2.0 (RFC 6749) with PKCE (RFC 7636), and Meta's long-lived tokens.

It serves beside a dialect or alone, and the platforms that share its `tokens` accept what it grants, until it expires:

    oauth = OAuthServer(Tokens(world.now), ROTATING)
    with SimulatedPlatform(world, Tiktok(), oauth, tokens=oauth.tokens) as platform: ...

Its surprise: a refresh token works once. Who loses the answer to a refresh has lost the grant. Nobody is asked to log
in: a visit to `authorize` grants at once, and while it `denies`, never.
"""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from threading import Lock
from urllib.parse import urlencode

from harvester.connector import Pkce
from harvester.rehearsal import meta
from harvester.rehearsal.dialect import Kind
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Refusal, Request
from harvester.rehearsal.world import World

_AUTHORIZE = re.compile(r".*/(?:authorize|authorization|dialog/oauth|oauth|auth)/?")
_GRANT = re.compile(r".*/(?:token|access_token|accessToken|refresh_access_token)/?")
_CODE_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRules:
    """How one platform grants.

    `refresh_life` is None where there are no refresh tokens, and the first token is exchanged for one that lives
    `long_life` and is renewed once it is `renewable_after` old; `rotates` says whether a refresh token works once.
    """

    client_id: str = "simulated-client"
    client_secret: str = "simulated-secret"  # noqa: S105 (no secret: the server is simulated)
    client_id_field: str = "client_id"
    pkce: Pkce = Pkce.S256
    access_life: timedelta = timedelta(hours=2)
    refresh_life: timedelta | None = timedelta(days=180)
    rotates: bool = True
    long_life: timedelta = timedelta(days=60)
    renewable_after: timedelta = timedelta(hours=24)
    error_status: int = 400


ROTATING = GrantRules()
TIKTOK = GrantRules(client_id_field="client_key", pkce=Pkce.HEX)
META = GrantRules(pkce=Pkce.NONE, access_life=timedelta(hours=1), refresh_life=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Code:
    redirect_uri: str
    challenge: str
    scope: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refresh:
    scope: str
    until: datetime


class OAuthServer:
    """Grants tokens; `logins`, `refreshes` and `refusals` count what it did, and `denies` makes people say no."""

    def __init__(self, tokens: Tokens, rules: GrantRules = ROTATING) -> None:
        self.tokens = tokens
        self.rules = rules
        self.denies = False
        self.logins = 0
        self.refreshes = 0
        self.refusals = 0
        self._numbers = count(1)
        self._codes: dict[str, _Code] = {}
        self._refresh_tokens: dict[str, _Refresh] = {}
        self._long_lived: dict[str, datetime] = {}
        self._lock = Lock()

    def revoke(self) -> None:
        """Take everything back that was granted: what a person does in the platform's settings."""
        with self._lock:
            self.tokens.revoke()
            self._codes.clear()
            self._refresh_tokens.clear()
            self._long_lived.clear()

    def kind_of(self, request: Request) -> Kind | None:
        is_known = _AUTHORIZE.fullmatch(request.path) or _GRANT.fullmatch(request.path)
        return Kind.GRANT if is_known else None

    def answer(self, world: World, request: Request) -> Answer:
        with self._lock:
            if _AUTHORIZE.fullmatch(request.path):
                return self._authorize(request, world.now())
            try:
                return self._grant(request, world.now())
            except Refusal:
                self.refusals += 1
                raise

    def _authorize(self, request: Request, now: datetime) -> Answer:
        """Send the browser back with a code; a caller that cannot be trusted is sent nowhere."""
        asked, redirect_uri = request.form, request.form.get("redirect_uri", "")
        if asked.get(self.rules.client_id_field) != self.rules.client_id or not redirect_uri:
            raise self._refused("invalid_request", f"{self.rules.client_id_field} or redirect_uri is wrong")
        mistake = self._mistake_in(asked)
        if mistake or self.denies:
            told = {"error": mistake or "access_denied"}
        else:
            code = self._new("code")
            challenge, scope = asked.get("code_challenge", ""), asked.get("scope", "")
            self._codes[code] = _Code(
                redirect_uri=redirect_uri, challenge=challenge, scope=scope, until=now + _CODE_LIFE
            )
            told = {"code": code}
        state = {"state": asked["state"]} if "state" in asked else {}
        mark = "&" if "?" in redirect_uri else "?"
        return Answer(status=302).with_headers({"Location": f"{redirect_uri}{mark}{urlencode(told | state)}"})

    def _mistake_in(self, asked: dict[str, str]) -> str:
        if asked.get("response_type") != "code":
            return "unsupported_response_type"
        is_proven = asked.get("code_challenge_method") == "S256" and bool(asked.get("code_challenge"))
        return "" if self.rules.pkce is Pkce.NONE or is_proven else "invalid_request"

    def _grant(self, request: Request, now: datetime) -> Answer:
        kind = request.form.get("grant_type") or ("authorization_code" if "code" in request.form else "")
        grants: dict[str, Callable[[Request, datetime], Answer]] = {
            "authorization_code": self._by_code,
            "refresh_token": self._by_refresh_token,
        }
        if self.rules.refresh_life is None:
            del grants["refresh_token"]
            grants |= dict.fromkeys(("ig_exchange_token", "th_exchange_token", "fb_exchange_token"), self._exchange)
            grants |= dict.fromkeys(("ig_refresh_token", "th_refresh_token"), self._renew)
        if kind not in grants:
            raise self._refused("unsupported_grant_type", f"{kind!r} is no way to be granted access")
        return grants[kind](request, now)

    def _by_code(self, request: Request, now: datetime) -> Answer:
        self._check_client(request)
        asked = request.form
        code = self._codes.pop(asked.get("code", ""), None)
        if code is None or now >= code.until or code.redirect_uri != asked.get("redirect_uri"):
            raise self._refused("invalid_grant", "the code is unknown, used, expired or another redirect_uri's")
        if self.rules.pkce is not Pkce.NONE and code.challenge != _challenge(asked, self.rules.pkce):
            raise self._refused("invalid_grant", "code_verifier does not fit the challenge")
        self.logins += 1
        return self._told(code.scope, now)

    def _by_refresh_token(self, request: Request, now: datetime) -> Answer:
        self._check_client(request)
        shown = request.form.get("refresh_token", "")
        refresh = self._refresh_tokens.get(shown)
        if refresh is None or now >= refresh.until:
            raise self._refused("invalid_grant", "the refresh token is unknown, used or expired")
        if self.rules.rotates:
            del self._refresh_tokens[shown]
        self.refreshes += 1
        return self._told(refresh.scope, now, with_refresh_token=self.rules.rotates)

    def _exchange(self, request: Request, now: datetime) -> Answer:
        """Give a long-lived token for one that is valid."""
        if request.form.get("client_secret") != self.rules.client_secret:
            raise meta.refused(1, "Error validating client secret.")
        self._check_shown(request)
        return self._long(now)

    def _renew(self, request: Request, now: datetime) -> Answer:
        """Give another long-lived token for one of some age that is still valid."""
        issued = self._long_lived.get(self._check_shown(request))
        if issued is None or now - issued < self.rules.renewable_after:
            raise meta.refused(10, "The token is too young to be renewed, or is no long-lived one.")
        self.refreshes += 1
        return self._long(now)

    def _check_shown(self, request: Request) -> str:
        shown = request.form.get(request.form.get("grant_type", ""), meta.token_of(request) or "")
        if not self.tokens.accepts(shown):
            raise meta.refused(190, "Invalid OAuth access token.")
        return shown

    def _check_client(self, request: Request) -> None:
        """Know the app by what it sends in the body, or in a Basic header."""
        shown = (request.form.get(self.rules.client_id_field, ""), request.form.get("client_secret", ""))
        known = (self.rules.client_id, self.rules.client_secret)
        if shown != known and _basic(request) != ":".join(known):
            raise self._refused("invalid_client", "the app is unknown, or its secret is wrong")

    def _told(self, scope: str, now: datetime, *, with_refresh_token: bool = True) -> Answer:
        life, token = self.rules.access_life, self._new("access")
        self.tokens.accept(token, now + life)
        facts = {"access_token": token, "token_type": "Bearer", "expires_in": _seconds(life), "scope": scope}
        if self.rules.refresh_life is None or not with_refresh_token:
            return Answer.json(facts)
        refresh = self._new("refresh")
        self._refresh_tokens[refresh] = _Refresh(scope=scope, until=now + self.rules.refresh_life)
        return Answer.json(facts | {"refresh_token": refresh, "refresh_expires_in": _seconds(self.rules.refresh_life)})

    def _long(self, now: datetime) -> Answer:
        token = self._new("long-lived")
        self.tokens.accept(token, now + self.rules.long_life)
        self._long_lived[token] = now
        return Answer.json(
            {"access_token": token, "token_type": "bearer", "expires_in": _seconds(self.rules.long_life)}
        )

    def _new(self, what: str) -> str:
        return f"simulated-{what}-{next(self._numbers)}"

    def _refused(self, error: str, description: str) -> Refusal:
        told = {"error": error, "error_description": description}
        return Refusal(Answer.json(told, status=self.rules.error_status))


def _challenge(asked: dict[str, str], pkce: Pkce) -> str:
    """Write the challenge that fits a verifier."""
    proof = sha256(asked.get("code_verifier", "").encode())
    return proof.hexdigest() if pkce is Pkce.HEX else urlsafe_b64encode(proof.digest()).decode().rstrip("=")


def _basic(request: Request) -> str:
    kind, _, shown = request.headers.get("authorization", "").partition(" ")
    try:
        return b64decode(shown).decode() if kind == "Basic" else ""
    except ValueError:
        return ""


def _seconds(life: timedelta) -> int:
    return int(life.total_seconds())
