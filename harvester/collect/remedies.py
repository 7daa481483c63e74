"""What a person can do about a credential that is missing, refused, or about to end."""

import msgspec

from harvester.connector import Connector, GrantSettings, Secret, needs_of

_TOKEN = "token"  # noqa: S105 - the name of a setting


def login(connector: Connector) -> str:
    """Say how a person grants access in a browser."""
    return f"run 'harvester connectors login {connector.name}'"


def uses_grant(settings: msgspec.Struct) -> bool:
    """Tell whether a person's grant signs, and not a token that was made elsewhere: a login would change nothing."""
    return isinstance(settings, GrantSettings) and getattr(settings, _TOKEN, None) is None


def another(connector: Connector, settings: msgspec.Struct) -> str:
    """Say how to replace a credential that is missing or no longer accepted; "" where none is wanted."""
    if uses_grant(settings):
        return login(connector)
    needs = needs_of(type(settings))
    given = [field for field in needs if isinstance(getattr(settings, field), Secret)]
    for field in sorted(given, key=lambda field: field != _TOKEN):
        return f"renew connectors.{connector.name}.{field}: get it from {needs[field].where}"
    for field, need in needs.items():
        return f"give connectors.{connector.name}.{field}, {need.what}: get it from {need.where}"
    return ""
