"""A simulated platform on loopback: HTTP/1.1 with keep-alive, one thread a connection, its clock the world's.

`with SimulatedPlatform(world) as platform:` serves until the block ends; nothing is left open or running after it.
A body is read to its announced end before anyone answers, so that the next request on the connection begins there.
"""

import os
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from harvester.rehearsal.bluesky import Bluesky
from harvester.rehearsal.dialect import Dialect, Handler, Kind, WantsToken
from harvester.rehearsal.exchange import Exchange
from harvester.rehearsal.faults import Faults
from harvester.rehearsal.mastodon import Mastodon
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.wire import Answer, Delivery, Request
from harvester.rehearsal.world import SimulatedPost, World

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was received."""

    at: datetime
    kind: Kind
    target: str
    body: bytes = b""


class SimulatedPlatform:
    """One origin that speaks some dialects; `faults` is its plan, `requests` what it was asked.

    It accepts the `token` of each dialect, and what an `OAuthServer` that shares its `tokens` has granted.
    """

    def __init__(self, world: World, *handlers: Handler, port: int = 0, tokens: Tokens | None = None) -> None:
        self.world = world
        self.handlers = handlers or (Mastodon(), Bluesky())
        self.tokens = tokens or Tokens(world.now)
        for handler in self.handlers:
            if isinstance(handler, WantsToken) and handler.token is not None:
                self.tokens.accept(handler.token)
        self.faults = Faults()
        self.requests: list[Asked] = []
        self._lock = Lock()
        self._server = _Server(self, port)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url_of(self, post: SimulatedPost) -> str:
        """Give the address a person would paste."""
        return self._speaker_of(post).url_of(post, self.origin)

    def revoke(self) -> None:
        """Refuse every token that was accepted until now; `Meanwhile(platform.revoke)` does it at a chosen request."""
        self.tokens.revoke()

    def asked(self, kind: Kind) -> tuple[str, ...]:
        """Give the targets of all requests of a kind, in order of arrival."""
        return tuple(asked.target for asked in self.requests if asked.kind is kind)

    def respond(self, request: Request) -> Answer:
        """Answer a request, through whatever faults it meets."""
        for handler in self.handlers:
            kind = handler.kind_of(request)
            if kind is not None:
                return self._exchange(handler, kind, request).proceed()
        return Answer.json({"error": "Not Found"}, status=404)

    def _exchange(self, handler: Handler, kind: Kind, request: Request) -> Exchange:
        with self._lock:
            self.requests.append(Asked(self.world.now(), kind, request.target, request.body))
            faults, number = self.faults.met_by(kind, request), len(self.requests)
        return Exchange(
            world=self.world, handler=handler, tokens=self.tokens, request=request, number=number, faults=faults
        )

    def _speaker_of(self, post: SimulatedPost) -> Dialect:
        return next(each for each in self.handlers if isinstance(each, Dialect) and each == post.naming)


class _Server(ThreadingMixIn, TCPServer):
    """Joins its threads and closes its connections when it stops."""

    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, platform: SimulatedPlatform, port: int) -> None:
        self.platform = platform
        self.stopping = Event()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        self._send(self._respond())

    def do_POST(self) -> None:
        self._send(self._respond())

    def _respond(self) -> Answer:
        headers = {name.lower(): value for name, value in self.headers.items()}
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal():
            self.close_connection = True  # where the next request begins cannot be known
            return Answer.json({"error": "Length Required"}, status=411, headers={"Connection": "close"})
        request = Request(
            origin=f"http://{headers.get('host', 'localhost')}",
            target=self.path,
            headers=headers,
            method=self.command,
            body=self.rfile.read(int(length)),
        )
        return self.server.platform.respond(request)

    def _send(self, answer: Answer) -> None:
        head = self._head(answer)
        match answer.delivery:
            case Delivery.WHOLE:
                self.wfile.write(head + answer.body)
            case Delivery.RESET_BEFORE:
                self._reset()
            case Delivery.RESET_MIDWAY:
                self.wfile.write(head + answer.body[: len(answer.body) // 2])
                self._reset()
            case Delivery.DRIP:
                self._drip(head, answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the library's)
        """Stay quiet."""

    def _head(self, answer: Answer) -> bytes:
        """Write the head, to be sent in one piece with the body; a lie about the length ends the connection."""
        length = len(answer.body) if answer.announced is None else answer.announced
        self.close_connection = self.close_connection or length != len(answer.body)
        lines = [
            f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('',))[0]}",
            f"Date: {format_datetime(self.server.platform.world.now(), usegmt=True)}",
            *(f"{name}: {value}" for name, value in answer.headers),
            f"Content-Length: {length}",
        ]
        return "\r\n".join([*lines, "\r\n"]).encode("latin-1")

    def _reset(self) -> None:
        """Close so that the client sees RST, not a polite end: no lingering, and no shutdown before it."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        os.close(self.connection.detach())

    def _drip(self, head: bytes, answer: Answer) -> None:
        self.wfile.write(head)
        for byte in answer.body:
            if self.server.stopping.wait(answer.pause.total_seconds()):
                self.close_connection = True
                return
            self.wfile.write(bytes([byte]))
