"""Whom alerts are told: Apprise addresses, which hold secrets, so only their number and their scheme are ever shown."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvester.config import AlertSettings
from harvester.errors import ConfigError
from harvester.run.daemon.quiet import quieten

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset

_SECONDS_PER_MESSAGE = 30
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,19}(?=://)", re.IGNORECASE)
_ANOTHER = re.compile(r"[\s,;]\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Address:
    """One place where messages go; `name` hides all but its scheme."""

    name: str
    service: "Apprise"

    def deliver(self, title: str, body: str) -> bool:
        """Send plain text, and say whether it was taken in time."""
        return bool(self.service.notify(body, title, body_format="text", timeout=_SECONDS_PER_MESSAGE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses that are understood, and a sentence on each of the others."""

    understood: Sequence[Address] = ()
    refused: Sequence[str] = ()


def open_addresses(settings: AlertSettings) -> Addresses:
    """Understand the addresses of the settings; one that is wrong must not silence the others."""
    if not settings.urls:
        return Addresses()
    import apprise  # noqa: PLC0415 - only who tells somebody pays for it

    quieten()
    asset = apprise.AppriseAsset(app_id="harvester", app_desc="harvester", app_url="")
    understood, refused = [], []
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # of modules its plugins use
        for number, url in enumerate(settings.urls, start=1):
            try:
                understood.append(_opened(number, url.get_secret_value(), asset))
            except ConfigError as error:
                refused.append(str(error))
    return Addresses(understood=understood, refused=refused)


def _opened(number: int, url: str, asset: "AppriseAsset") -> Address:
    from apprise import Apprise  # noqa: PLC0415

    scheme = _SCHEME.match(url)
    name = f"address {number} ({scheme[0]}://…)" if scheme else f"address {number}"
    if _ANOTHER.search(url):
        raise ConfigError(f"alerts: {name} is more than one address: write one a line")
    service, plugin = Apprise(asset=asset), Apprise.instantiate(url, asset=asset)
    if plugin is None or not service.add(plugin):
        raise ConfigError(
            f"alerts: {name} is not an address that Apprise understands: expected one such as "
            "mailto://user:password@host or json://host/path, one a line of alerts.urls_file"
        )
    return Address(name, service)
