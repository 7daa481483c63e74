"""Which connectors are installed, which one knows a URL, and how one is opened with its settings and its client.

Connectors are found through the entry-point group `harvester.connectors`; the core knows none of them by name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import msgspec

from harvester.collect.grants import GrantAuth, GrantKeeper
from harvester.collect.guard import refuse_private_url
from harvester.collect.http import PoliteClient, PoliteSession, says_nothing
from harvester.collect.oauth import GrantServer
from harvester.collect.remedies import another
from harvester.collect.spending import pauses_in_force, spent_since
from harvester.config import Settings
from harvester.connector import (
    Budget,
    Connector,
    ExplainsAnswers,
    GrantSettings,
    Post,
    WantsGrant,
    on_hosts,
    read_secret,
)
from harvester.errors import ConfigError, UsageError
from harvester.store.installation import Installation

GROUP = "harvester.connectors"


@dataclass(frozen=True, slots=True)
class Platform:
    """A connector and the client it reads its platform with."""

    connector: Connector
    client: PoliteClient

    def session(self, *posts: Post, page_size: int | None = None) -> PoliteSession:
        """Open the client for some posts: it reaches their servers and the connector's own, nothing else."""
        origins = {*(post.origin for post in posts), *self.connector.origins} - {""}
        return self.client.session(origins, page_size or self.connector.traits.page_max)


@cache
def installed() -> Mapping[str, type[Connector]]:
    """Give every installed connector by name, in order of name."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: _load(point.name, point.load) for point in found}


def find(name: str) -> type[Connector]:
    """Give the connector called `name`."""
    try:
        return installed()[name]
    except KeyError as error:
        raise UsageError(f"no connector is called {name!r} (installed: {', '.join(installed())})") from error


def recognise(url: str, settings: Settings) -> Post:
    """Say which post a pasted URL means; `UsageError` when no connector knows it or its server is private."""
    found = claims_on(url)
    if not found:
        raise UsageError(_unknown(url))
    if len(found) > 1:
        raise UsageError(f"several connectors claim {url!r}: {', '.join(post.platform for post in found)}")
    if not settings.http.allow_private_hosts:
        refuse_private_url(url.strip())
    return found[0]


def claims_on(url: str) -> Sequence[Post]:
    """Say what every connector that may read a link takes it for: the owners of its site, or where none is, all."""
    return [post for one in _owners(url) or installed().values() if (post := one.recognise(url.strip()))]


def _owners(url: str) -> Sequence[type[Connector]]:
    return [one for one in installed().values() if on_hosts(url, one.hosts)]


def _unknown(url: str) -> str:
    """Say what the links of that site look like, or how to see those of all."""
    owners = _owners(url)
    if not owners:
        return f"no connector knows the URL {url!r}: 'harvester connectors list --urls' shows what links can be read"
    forms = ", ".join(form for one in owners for form in one.url_forms)
    return f"the {owners[0].name} connector does not know the URL {url!r}: a post's link looks like {forms}"


def open_platforms(at: Installation, names: Iterable[str], stack: ExitStack) -> Mapping[str, Platform]:
    """Open several connectors, each once; `stack` closes them."""
    platforms = {name: open_platform(at, name) for name in sorted(set(names))}
    for platform in platforms.values():
        stack.enter_context(platform.client)
    return platforms


def open_platform(at: Installation, name: str) -> Platform:
    """Make a connector from its section of the settings, and its client with the budgets that apply here."""
    settings = read_settings(at.settings, name)
    try:
        connector = find(name)(settings)
        server = grant_server(at, connector, settings)
    except ValueError as error:
        raise ConfigError(f"connectors.{name}: {error}") from error
    budget = at.settings.connectors.get(name, {}).get("budget")
    explain = connector.explain if isinstance(connector, ExplainsAnswers) else says_nothing
    client = PoliteClient(
        at.settings.http,
        budgets=connector.traits.budgets if budget is None else _declared(name, str(budget)),
        explain=explain,
        grant=GrantAuth(GrantKeeper(at, name, server), explain) if server else None,
        remedy=another(connector, settings),
        now=at.now,
        sleep=at.sleep,
    )
    _remember_spending(at, connector, client)
    return Platform(connector, client)


def _remember_spending(at: Installation, connector: Connector, client: PoliteClient) -> None:
    """Count what was sent before this process began, and keep the pauses: a restart is no reason to ask for more.

    What was sent in the future was sent by a clock that has been set back since: at the latest now.
    """
    now = at.now()
    with at.database.reading() as session:
        if client.budgets:
            since = now - max(budget.per for budget in client.budgets)
            for origin, sent_at, requests in spent_since(session, connector, since):
                client.remember(origin, min(sent_at, now), requests)
        for origin, until in pauses_in_force(session, connector, now):
            client.block(origin, until)


def read_settings(settings: Settings, name: str) -> msgspec.Struct:
    """Read a connector's section into the settings that it declares."""
    section = {key: _from_environment(value) for key, value in settings.connectors.get(name, {}).items()}
    section.pop("budget", None)
    try:
        return msgspec.convert(section, find(name).settings_type, strict=False, dec_hook=read_secret)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"connectors.{name}: {error}") from error


def grant_server(at: Installation, connector: Connector, settings: msgspec.Struct) -> GrantServer | None:
    """Give the server that grants access for a connector; None for one that wants no grant."""
    if not isinstance(connector, WantsGrant) or not isinstance(settings, GrantSettings):
        return None
    return GrantServer(connector.oauth, settings, at.settings.http, now=at.now, sleep=at.sleep)


def check_settings(settings: Settings) -> None:
    """Refuse a section of the settings that belongs to no installed connector."""
    for name in settings.connectors:
        find(name)


def _load(name: str, load: Callable[[], Any]) -> type[Connector]:
    try:
        loaded: type[Connector] = load()
        return loaded
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the connector {name!r} is installed but cannot be loaded: {error}") from error


def _declared(name: str, text: str) -> tuple[Budget, ...]:
    """Read `connectors.<name>.budget`: one's own server may allow more, or everything."""
    if text == "off":
        return ()
    try:
        return (Budget.parse(text),)
    except UsageError as error:
        raise ConfigError(f"connectors.{name}.budget: {error}") from error


def _from_environment(value: Any) -> Any:
    """Read a table that came as JSON in an environment variable."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value
