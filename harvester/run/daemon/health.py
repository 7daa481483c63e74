"""What the daemon answers on its local address: GET /health for whoever watches it, GET /metrics for Prometheus.

It answers 503 when the scheduler stands still or the database does not answer: the process may be there all the same.
An address that cannot be listened on stops no contest: then nobody is answered, and the log says so.
"""

import json
import logging
import socketserver
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from socket import AF_INET6
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app
from sqlalchemy import func
from sqlmodel import col, select

from harvester.errors import StoreError
from harvester.run.alerts.attend import count_untold
from harvester.run.daemon.metrics import KEPT, new_registry
from harvester.store.installation import Installation
from harvester.store.models import Alert, Night

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LONGEST_PULSE = timedelta(seconds=60)
_SECONDS_FOR_A_REQUEST = 10
_SECONDS_BETWEEN_LOOKS = 0.1
log = logging.getLogger(__name__)


@contextmanager
def serve_health(
    at: Installation, address: str, *, pulse: Callable[[], datetime], metrics_kept: timedelta = KEPT
) -> Iterator[str]:
    """Answer on "host:port" while the block runs, and give the address that is listened on; "" where nothing is served.

    `pulse` tells when the scheduler's loop last turned.
    """
    server = _listen(address) if address else None
    if server is None:
        yield ""
        return
    server.set_app(_application(at, pulse, metrics_kept))
    thread = Thread(
        target=server.serve_forever, kwargs={"poll_interval": _SECONDS_BETWEEN_LOOKS}, name="health", daemon=True
    )
    thread.start()
    try:
        yield f"{address.rpartition(':')[0]}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(WSGIRequestHandler):
    """Hangs up on whoever does not finish a question, and writes no line for each answer."""

    timeout = _SECONDS_FOR_A_REQUEST

    def log_message(self, *parts: Any) -> None:
        pass


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without asking the name service what this machine is called, which may take half a minute."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("a connection from %s broke off", client_address, exc_info=True)


class _SixServer(_Server):
    address_family = AF_INET6


def _listen(address: str) -> _Server | None:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    kind = _SixServer if ":" in host else _Server
    try:
        return kind((host, int(port)), _Handler)
    except (OSError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        log.error("daemon.listen: %s cannot be listened on, so health and metrics are not served: %s", address, reason)
        return None


def _application(at: Installation, pulse: Callable[[], datetime], metrics_kept: timedelta) -> "WSGIApplication":
    metrics = make_wsgi_app(new_registry(at, pulse, kept=metrics_kept))

    def health(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        is_well, facts = _health(at, pulse)
        return _answer(start_response, HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, facts)

    pages = {"/health": health, "/metrics": metrics}

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        page = pages.get(environ["PATH_INFO"])
        if page is None:
            return _answer(start_response, HTTPStatus.NOT_FOUND, {"status": "not found"})
        method = environ["REQUEST_METHOD"]
        if method not in ("GET", "HEAD"):
            return _answer(start_response, HTTPStatus.METHOD_NOT_ALLOWED, {"status": "only GET is answered"})
        try:
            body = page(environ | {"REQUEST_METHOD": "GET"}, start_response)
            return body if method == "GET" else []
        except StoreError as error:
            log.warning("the daemon's own state cannot be read: %s", error)
            return _answer(start_response, HTTPStatus.SERVICE_UNAVAILABLE, {"status": "the database does not answer"})

    return answer


def _health(at: Installation, pulse: Callable[[], datetime]) -> tuple[bool, Mapping[str, Any]]:
    last, now = pulse(), at.now()
    is_turning = now - last <= LONGEST_PULSE
    with at.database.reading() as session:
        night = session.exec(select(Night).order_by(col(Night.id).desc()).limit(1)).first()
        alerts = session.exec(select(func.count()).select_from(Alert).where(col(Alert.recovered_at).is_(None))).one()
        untold = count_untold(session)
    return is_turning, {
        "status": "ok" if is_turning else "the scheduler stands still",
        "last_pulse": _write(last),
        "open_alerts": alerts,
        "unsent_alerts": untold,
        "last_night": night
        and {"started_at": _write(night.started_at), "ended_at": _write(night.ended_at), "outcome": night.outcome},
    }


def _write(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds").replace("+00:00", "Z")


def _answer(start_response: "StartResponse", status: HTTPStatus, facts: Mapping[str, Any]) -> Iterable[bytes]:
    body = json.dumps(facts).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]
