"""Which addresses a connector may reach: public ones, unless the configuration says otherwise.

A pasted link must not make the machine read its own network. The name is checked before connecting, and the address
really connected to before the answer is read, so a name that changes its mind in between gains nothing.
"""

import socket
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from harvester.connector import Refused
from harvester.errors import UsageError

_HOW_TO_ALLOW = "set http.allow_private_hosts = true (HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS) to reach it"


class GuardedTransport(httpx.HTTPTransport):
    """Reaches public addresses only."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for address in _addresses(request.url.host):
            _refuse_private(request.url.host, address)
        response = super().handle_request(request)
        stream: Any = response.extensions.get("network_stream")
        peer = stream.get_extra_info("server_addr") if stream else None
        if peer:
            try:
                _refuse_private(request.url.host, peer[0])
            except Refused:
                response.close()
                raise
        return response


def refuse_private_url(url: str) -> None:
    """Refuse, before any request, a URL that names this machine or a private address in so many words."""
    host = urlsplit(url).hostname or ""
    try:
        is_private = not ip_address(host).is_global
    except ValueError:
        is_private = host == "localhost" or host.endswith(".localhost")
    if is_private:
        raise UsageError(f"{host} is a private address: {_HOW_TO_ALLOW}")


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError(f"{host} does not resolve") from error


def _refuse_private(host: str, address: str) -> None:
    found = ip_address(address.partition("%")[0])
    if not found.is_global or found.is_multicast:
        raise Refused(f"{host} is at a private address: {_HOW_TO_ALLOW}")
