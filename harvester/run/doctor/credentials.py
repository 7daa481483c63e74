"""The examination of one platform's credential: is it there, is it accepted, what does it allow, how long will it last.

The platform is asked one thing, whose the credential is; its answer also says what time it is there. Nothing that is
found carries a secret. Asking may renew a grant.
"""

from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec

from harvester.clock import Now
from harvester.collect.grants import read_grant
from harvester.collect.registry import Platform, open_platform, read_settings
from harvester.collect.remedies import another, login, uses_grant
from harvester.connector import (
    Connector,
    GrantFacts,
    GrantLost,
    GrantSettings,
    HasVersion,
    Http,
    Need,
    Outcome,
    Secret,
    ShowsGrant,
    WantsGrant,
    answered_at,
    needs_of,
)
from harvester.errors import HarvesterError
from harvester.run.doctor.findings import Finding, Health, fail, ok, warn
from harvester.store.installation import Installation

_SUNSET_SOON = timedelta(days=90)
_MOST_SKEW = timedelta(minutes=1)
_OF_EVERY_GRANT = frozenset(needs_of(GrantSettings))


def examine_connector(at: Installation, name: str, *, offline: bool) -> Iterator[Finding]:
    """Examine one connector: is its credential there, is it accepted, and how long will it last."""
    try:
        settings, platform = read_settings(at.settings, name), open_platform(at, name)
    except HarvesterError as error:
        yield fail(name, str(error))
        return
    with platform.client:
        present = list(_present(at, platform.connector, settings))
        yield from present
        if all(finding.health is Health.OK for finding in present):
            facts = None if offline else (yield from _accepted(at, platform, settings))
            yield from _lasting(at, platform.connector, settings, facts)
    if isinstance(platform.connector, HasVersion):
        yield _api_version(platform.connector, at.now())


def _present(at: Installation, connector: Connector, settings: msgspec.Struct) -> Iterator[Finding]:
    """Say of each credential whether it is there; a grant stands for those that its platform could have instead."""
    name, needs = connector.name, needs_of(type(settings))
    if isinstance(settings, GrantSettings):
        own = [f for f in needs if f not in _OF_EVERY_GRANT and isinstance(getattr(settings, f), Secret)]
        yield from (ok(name, f"{field} is set") for field in own)
        yield _granted(at, connector, settings, worst=Health.WARN if own else Health.FAIL)
        return
    lacks = unset_needs(settings)
    yield from (
        fail(name, f"connectors.{name}.{field} is not set: {need.what}", f"get it from {need.where}")
        for field, need in lacks.items()
    )
    secrets = [field for field in needs if isinstance(getattr(settings, field), Secret) and field not in lacks]
    yield from (ok(name, f"{field} is set") for field in secrets)
    if not lacks and not secrets:
        yield ok(name, "needs no credential")


def _granted(at: Installation, connector: Connector, settings: GrantSettings, *, worst: Health) -> Finding:
    """Look for a token or a grant; without either the health is `worst`."""
    name, to_do = connector.name, login(connector)
    if not uses_grant(settings):
        return ok(name, "token is set")
    try:
        grant = read_grant(at, name)
    except GrantLost as error:
        return fail(name, str(error), to_do)
    if grant:
        by = f" by {grant.account}" if grant.account else ""
        return ok(name, f"access was granted{by} on {grant.granted_at:%Y-%m-%d}")
    lacks = {
        field: f"set connectors.{name}.{field}: {n.what}, from {n.where}" for field, n in unset_needs(settings).items()
    }
    first = f"{lacks['client_id']}; then " if "client_id" in lacks else ""
    others = [f"; or {text}" for field, text in lacks.items() if field == "token" or field not in _OF_EVERY_GRANT]
    what = "nobody has granted access, and no token is set"
    return Finding(about=name, health=worst, what=what, remedy=f"{first}{to_do}{''.join(others)}")


def _accepted(
    at: Installation, platform: Platform, settings: msgspec.Struct
) -> Generator[Finding, None, GrantFacts | None]:
    """Ask the platform whose the credential is, what it allows and what time it is; give what was said."""
    connector, http = platform.connector, _Watched(platform.session(), at.now)
    name = connector.name
    if not isinstance(connector, ShowsGrant):
        if needs_of(type(settings)):
            yield ok(name, "not checked: the platform has no cheap question that would tell")
        return None
    try:
        facts = connector.fetch_grant(http)
    except GrantLost as error:
        yield fail(name, f"refused: {error.__cause__ or error}", another(connector, settings))
        return None
    except Outcome as error:
        yield warn(name, f"could not be asked now: {error}")
        return None
    yield ok(name, f"accepted, as {facts.account}")
    if abs(http.skew) > _MOST_SKEW:
        seconds = abs(http.skew).total_seconds()
        yield warn(name, f"its clock and this machine's differ by {seconds:,.0f} s", "let NTP set this machine's clock")
    return facts


def _lasting(
    at: Installation, connector: Connector, settings: msgspec.Struct, facts: GrantFacts | None
) -> Iterator[Finding]:
    """Say what the credential allows and until when, by the platform's word or else by what was stored."""
    name = connector.name
    grant = read_grant(at, name) if uses_grant(settings) else None
    stored = frozenset(grant.tokens.scopes) if grant else None
    scopes = facts.scopes if facts and facts.scopes is not None else stored
    if scopes is not None:
        yield _scopes(connector, scopes)
    expires_at = (facts.expires_at if facts else None) or (grant.tokens.expires_at if grant else None)
    if grant and grant.tokens.refresh:
        yield ok(name, "renewed by itself")
    elif expires_at:
        yield _expiry(connector, settings, expires_at, at)


def _scopes(connector: Connector, scopes: frozenset[str]) -> Finding:
    wanted = connector.oauth.scopes if isinstance(connector, WantsGrant) else ()
    lacking = [scope for scope in wanted if scope not in scopes]
    if lacking:
        return warn(connector.name, f"does not allow {', '.join(lacking)}", login(connector))
    return ok(connector.name, f"allows {', '.join(sorted(scopes)) or 'nothing by name'}")


def _expiry(connector: Connector, settings: msgspec.Struct, expires_at: datetime, at: Installation) -> Finding:
    until, left = f"{expires_at:%Y-%m-%d %H:%M} UTC", expires_at - at.now()
    if left <= timedelta(0):
        return fail(connector.name, f"expired at {until}", another(connector, settings))
    if left < timedelta(days=at.settings.alerts.grant_days):
        return warn(connector.name, f"expires at {until}", another(connector, settings))
    return ok(connector.name, f"valid until {until}")


def _api_version(connector: HasVersion, now: datetime) -> Finding:
    api, name = connector.version, str(getattr(connector, "name", ""))
    if api.sunset is None:
        return ok(name, f"API version {api.name}{f': {api.note}' if api.note else ''}")
    left = api.sunset - now.date()
    if left >= _SUNSET_SOON:
        return ok(name, f"API version {api.name} lasts until {api.sunset}")
    verb = "ended" if left < timedelta(0) else "ends"
    return warn(name, f"API version {api.name} {verb} on {api.sunset}", "upgrade harvester, or set a newer version")


def unset_needs(settings: msgspec.Struct) -> dict[str, Need]:
    """Give what a connector needs and its settings lack, by field; a table or a list may always be empty."""
    return {field: need for field, need in needs_of(type(settings)).items() if not _is_set(settings, field)}


def _is_set(settings: msgspec.Struct, field: str) -> bool:
    value = getattr(settings, field)
    return (value.reveal() if isinstance(value, Secret) else value) not in (None, "")


class _Watched:
    """The client as a connector sees it, and by how much the platform's clock is ahead of ours."""

    def __init__(self, http: Http, now: Now) -> None:
        self._http = http
        self._now = now
        self.skew = timedelta(0)

    @property
    def page_size(self) -> int:
        return self._http.page_size

    def get(self, url: str, **parts: Any) -> httpx.Response:
        return self._noted(self._http.get(url, **parts))

    def post(self, url: str, **parts: Any) -> httpx.Response:
        return self._noted(self._http.post(url, **parts))

    def redirect_of(self, url: str) -> str:
        return self._http.redirect_of(url)

    def bearer(self, token: Secret | None) -> httpx.Auth:
        return self._http.bearer(token)

    def _noted(self, response: httpx.Response) -> httpx.Response:
        self.skew = answered_at(response) - self._now()
        return response
