"""Where a connector may connect to, and for how long one request may keep a connection busy.

A pasted link must not make the machine read its own network: a name is resolved once, every address it has is checked,
and only a checked address is connected to. A server that drips headers or body is cut off at the request's deadline.
"""

import socket
import time
from collections.abc import Iterable
from contextvars import ContextVar
from functools import cache
from ipaddress import ip_address
from ssl import SSLContext
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from harvester.connector import Refused
from harvester.errors import UsageError

_HOW_TO_ALLOW = "set http.allow_private_hosts = true (HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS) to reach it"

deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))
"""When, on the monotonic clock, the request at hand must be over."""


class GuardedTransport(httpx.HTTPTransport):
    """httpx's transport over a guarded network; with `allow_private`, only the deadline is guarded."""

    def __init__(self, *, allow_private: bool = False) -> None:
        context = _ssl_context()
        super().__init__(verify=context)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=100,
            max_keepalive_connections=20,
            keepalive_expiry=5,
            network_backend=_GuardedNetwork(allow_private=allow_private),
        )


@cache
def _ssl_context() -> SSLContext:
    """Read the certificates once: that takes longer than a short poll."""
    return httpx.create_ssl_context()


class _GuardedNetwork(httpcore.SyncBackend):
    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _addresses(host)
        if not self._allow_private:
            for address in addresses:
                _refuse_private(host, address)
        for address in addresses[:-1]:
            try:
                return self._connect(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return self._connect(addresses[-1], port, timeout, local_address, socket_options)

    def _connect(self, address: str, port: int, timeout: float | None, *rest: Any) -> httpcore.NetworkStream:
        return _TimedStream(super().connect_tcp(address, port, _time_left(timeout), *rest))


class _TimedStream(httpcore.NetworkStream):
    """A connection on which no wait lasts past the request's deadline."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _time_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _time_left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, _time_left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def refuse_private_url(url: str) -> None:
    """Refuse, before any request, a URL that names this machine or a private address in so many words."""
    host = urlsplit(url).hostname or ""
    try:
        is_private = not ip_address(host).is_global
    except ValueError:
        is_private = host == "localhost" or host.endswith(".localhost")
    if is_private:
        raise UsageError(f"{host} is a private address: {_HOW_TO_ALLOW}")


def _time_left(timeout: float | None) -> float | None:
    left = deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the whole answer took too long")
    limits = [limit for limit in (timeout, left) if limit is not None and limit != float("inf")]
    return min(limits, default=None)


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} does not resolve") from error
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _refuse_private(host: str, address: str) -> None:
    found = ip_address(address.partition("%")[0])
    if not found.is_global or found.is_multicast:
        raise Refused(f"{host} is at a private address: {_HOW_TO_ALLOW}")
