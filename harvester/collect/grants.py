"""What people granted in a browser: kept sealed, renewed in time, shared by every thread and process.

A renewal makes the tokens before it worthless, so one renews for all, under a lock, and the new tokens are committed
before anybody uses them. A process that dies between the platform's answer and that commit has lost the grant: no
order of steps can prevent it, and a person has to log in again.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

import httpx
import msgspec

from harvester.collect.guard import deadline
from harvester.collect.oauth import GrantServer, Tokens
from harvester.connector import GrantLost, Outcome, Secret, Unstable
from harvester.errors import ConfigError
from harvester.store.installation import Installation
from harvester.store.models import StoredGrant

log = logging.getLogger(__name__)

_MARGIN = timedelta(minutes=5)
_LONG_MARGIN = timedelta(days=7)  # for tokens that only renew themselves while they are valid
_MOMENT = timedelta(minutes=1)
_PAUSE_SECONDS = 0.25
_TRIES = 480


class _Box(msgspec.Struct, frozen=True):
    access_token: str
    refresh_token: str | None
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A grant as it is stored; `version` rises with every renewal and every login."""

    tokens: Tokens
    version: int
    account: str
    granted_at: datetime
    renewed_at: datetime


def read_grant(at: Installation, connector: str) -> Grant | None:
    """Give what was granted for a connector, opened; `GrantLost` when another master key sealed it."""
    with at.database.reading() as session:
        row = session.get(StoredGrant, connector)
    if row is None:
        return None
    try:
        box = msgspec.json.decode(at.master.unseal(row.box, f"the grant of {connector}"), type=_Box)
    except ConfigError as error:
        raise GrantLost(str(error)) from error
    return Grant(
        tokens=Tokens(
            access=Secret(box.access_token),
            refresh=Secret(box.refresh_token) if box.refresh_token else None,
            scopes=box.scopes,
            expires_at=row.expires_at,
        ),
        version=row.version,
        account=row.account,
        granted_at=row.granted_at,
        renewed_at=row.renewed_at,
    )


def keep_new_grant(at: Installation, connector: str, tokens: Tokens) -> None:
    """Store what a person just granted, in the place of whatever was granted before."""
    with _alone(at, connector), at.database.writing() as session:
        now = at.now()
        row = session.get(StoredGrant, connector)
        row = row or StoredGrant(connector=connector, box=b"", version=0, granted_at=now, renewed_at=now)
        row.account, row.granted_at = "", now
        session.add(_refilled(row, at, tokens))


def name_account(at: Installation, connector: str, account: str) -> None:
    """Note whose grant it is, once the platform said so."""
    with at.database.writing() as session:
        row = session.get_one(StoredGrant, connector)
        row.account = account


class GrantKeeper:
    """Keeps the access token of one opened connector valid; shared by its threads."""

    def __init__(self, at: Installation, connector: str, server: GrantServer) -> None:
        self._at = at
        self._connector = connector
        self._server = server
        self._grant: Grant | None = None
        self._next_try_at: datetime | None = None
        self._one_thread = Lock()

    def current(self) -> Grant:
        """Give the grant to sign with, renewed when it is about to end."""
        with self._one_thread:
            grant = self._grant or self._read()
            self._grant = self._renewed_in_time(grant) if self._is_due(grant) else grant
            return self._grant

    def after_refusal_of(self, refused: Grant) -> Grant | None:
        """Give a better grant than one that the platform no longer accepts; None when there is none to be had."""
        with self._one_thread:
            latest = self._read()
            is_young = self._at.now() - latest.renewed_at < _MOMENT
            if latest.version == refused.version and (is_young or not self._server.can_renew(latest.tokens)):
                return None
            self._grant = self._renewed(refused)
            return self._grant

    def _renewed_in_time(self, grant: Grant) -> Grant:
        """Renew; what fails costs nothing while the token is still good."""
        try:
            return self._renewed(grant)
        except Outcome as error:
            if not self._is_good(grant):
                raise
            log.warning("the grant of %s is not renewed yet: %s", self._connector, error)
            self._next_try_at = self._at.now() + _MOMENT
            return grant

    def _renewed(self, known: Grant) -> Grant:
        """Renew what is known, unless somebody else did; the new tokens are committed before they are given."""
        with _time_given_back(), _alone(self._at, self._connector):
            latest = self._read()
            if latest.version != known.version:
                return latest
            tokens = self._server.renew(latest.tokens)
            with self._at.database.writing() as session:
                _refilled(session.get_one(StoredGrant, self._connector), self._at, tokens)
            log.info("the grant of %s was renewed", self._connector)
            return self._read()

    def _read(self) -> Grant:
        grant = read_grant(self._at, self._connector)
        if grant is None:
            raise GrantLost("no token is configured and nobody has granted access yet")
        return grant

    def _is_due(self, grant: Grant) -> bool:
        expires_at, now = grant.tokens.expires_at, self._at.now()
        if expires_at is None or not self._server.can_renew(grant.tokens):
            return False
        if self._next_try_at and now < self._next_try_at and self._is_good(grant):
            return False
        half_a_life = (expires_at - grant.renewed_at) / 2
        return expires_at - now <= (_MARGIN if grant.tokens.refresh else min(_LONG_MARGIN, half_a_life))

    def _is_good(self, grant: Grant) -> bool:
        return grant.tokens.expires_at is None or self._at.now() < grant.tokens.expires_at


class GrantAuth(httpx.Auth):
    """Sign with what a person granted; a token that the platform refuses is renewed once, and the request repeated.

    `explain` is the connector's word on an answer: a 401 may be about the post and not about the token.
    """

    def __init__(self, keeper: GrantKeeper, explain: Callable[[httpx.Response], Outcome | None]) -> None:
        self._keeper = keeper
        self._explain = explain

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        grant = self._keeper.current()
        response = yield _signed(request, grant)
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        response.read()
        meant = self._explain(response)
        if meant and not isinstance(meant, GrantLost):
            return
        better = self._keeper.after_refusal_of(grant)
        if better:
            yield _signed(request, better)


def _signed(request: httpx.Request, grant: Grant) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {grant.tokens.access.reveal()}"
    return request


def _refilled(row: StoredGrant, at: Installation, tokens: Tokens) -> StoredGrant:
    """Put tokens into a row, sealed, as its next version; the caller holds the grant's lock."""
    refresh = tokens.refresh.reveal() if tokens.refresh else None
    box = _Box(access_token=tokens.access.reveal(), refresh_token=refresh, scopes=tokens.scopes)
    row.box = at.master.seal(msgspec.json.encode(box))
    row.version += 1
    row.renewed_at, row.expires_at = at.now(), tokens.expires_at
    return row


@contextmanager
def _alone(at: Installation, connector: str) -> Iterator[None]:
    """Hold the grant's lock, waiting for whoever holds it as long as a renewal may take."""
    for _ in range(_TRIES):
        with at.database.lock(f"grant-{connector}") as is_ours:
            if is_ours:
                yield
                return
        at.sleep(_PAUSE_SECONDS)
    raise Unstable(f"another process has been renewing the grant of {connector} for too long")


@contextmanager
def _time_given_back() -> Iterator[None]:
    """Let the request that waits for a renewal have all of its own time after it."""
    end, begun = deadline.get(), time.monotonic()
    try:
        yield
    finally:
        deadline.set(end + time.monotonic() - begun)
