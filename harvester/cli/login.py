"""`harvester connectors login`: a person grants access in a browser; what comes of it is kept sealed and renewed.

What a person reads while it runs goes to the standard error, so that `--json` leaves the standard output to programs.
"""

import os
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread
from typing import Annotated, ClassVar, Self
from urllib.parse import unquote, urlsplit

import typer

from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, JsonOption, open_installation, runtime, show_json
from harvester.collect.grants import keep_new_grant, name_account
from harvester.collect.oauth import GrantServer, Login, Tokens, code_in
from harvester.collect.registry import Platform, grant_server, open_platform, read_settings
from harvester.config import Settings
from harvester.connector import GrantSettings, Outcome, Pkce, Secret, ShowsGrant, WantsGrant, needs_of
from harvester.errors import ConfigError, HarvesterError, UsageError
from harvester.run.doctor.credentials import unset_needs
from harvester.store.installation import Installation

_LOOPBACK = "127.0.0.1"
_PATH = "/callback"
_MANUAL_PORT = 8765
_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>harvester</title>
<p>Harvester has your answer: you can close this window and go back to the terminal.</p></html>"""


class LoginError(HarvesterError):
    """A login did not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFacts:
    """What a login brought; None is not said."""

    connector: str
    account: str | None
    scopes: tuple[str, ...]
    scopes_not_granted: tuple[str, ...]
    expires_at: datetime | None
    renews_itself: bool


def login(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connector.")],
    manual: Annotated[
        bool, typer.Option("--manual", help="The browser is on another machine: paste the address it ends at.")
    ] = False,
    redirect: Annotated[
        str | None,
        typer.Option(metavar="URL", help="With --manual: where your app on the platform says that browsers end."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Where this machine listens; any free port when omitted.")
    ] = None,
    wait: Annotated[float, typer.Option(min=1, max=3600, help="How many seconds to wait for the browser.")] = 300,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Grant harvester access to a platform, in a browser. Done once: what it gets is kept sealed and renewed.

    Example: harvester connectors login tiktok --port 8765
    """
    at = open_installation(config, runtime(ctx))
    if redirect and not manual:
        raise UsageError("--redirect is for --manual: without it the browser comes back to this machine")
    platform = open_platform(at, name)
    with platform.client:
        server = _server_of(at, platform)
        if manual:
            tokens = _by_hand(server, redirect or f"http://{_LOOPBACK}:{port or _MANUAL_PORT}{_PATH}")
        else:
            tokens = _by_loopback(server, port or 0, wait)
        keep_new_grant(at, name, tokens)
        facts = _facts(at, platform, tokens, renews_itself=server.can_renew(tokens))
    if as_json:
        show_json(facts)
    else:
        _show(facts)


def _server_of(at: Installation, platform: Platform) -> GrantServer:
    """Give the server to ask, or say what this connector needs first, or instead."""
    name = platform.connector.name
    settings = read_settings(at.settings, name)
    server = grant_server(at, platform.connector, settings)
    if server is None or not isinstance(settings, GrantSettings) or not isinstance(platform.connector, WantsGrant):
        raise UsageError(f"{name} has no login: {_instead(at.settings, name)}")
    if settings.token:
        raise UsageError(f"connectors.{name}.token is set and used instead of a login: take it out first")
    is_secret_needed = platform.connector.oauth.pkce is Pkce.NONE and not settings.client_secret
    for field, is_missing in {"client_id": not settings.client_id, "client_secret": is_secret_needed}.items():
        if is_missing:
            need = needs_of(type(settings))[field]
            raise ConfigError(f"connectors.{name}.{field} is not set: {need.what}; get it from {need.where}")
    return server


def _instead(settings: Settings, name: str) -> str:
    needs = unset_needs(read_settings(settings, name))
    wanted = [f"connectors.{name}.{field}, {need.what}, from {need.where}" for field, need in needs.items()]
    return f"set {'; '.join(wanted)}" if wanted else "it needs nothing more"


def _by_loopback(server: GrantServer, port: int, patience: float) -> Tokens:
    """Send the browser to the platform, and wait on this machine for it to come back."""
    with _Listener(port) as listener:
        begun = server.begin(listener.redirect_uri)
        _invite(begun)
        if _has_display():
            webbrowser.open(begun.url)
        returned = listener.wait(patience)
    return server.redeem(begun, code_in(returned, begun))


def _by_hand(server: GrantServer, redirect_uri: str) -> Tokens:
    """Let a person carry the code over."""
    begun = server.begin(redirect_uri)
    _invite(begun)
    typer.echo("The page it ends at need not load. Paste its address, or the code in it:", err=True)
    pasted = sys.stdin.readline().strip()
    if not pasted:
        raise LoginError("nothing was pasted: begin again")
    code = code_in(pasted, begun) if "?" in pasted else Secret(unquote(pasted.removesuffix("#_")))
    return server.redeem(begun, code)


def _invite(begun: Login) -> None:
    typer.echo(f"Your app on the platform must know this redirect URI: {begun.redirect_uri}", err=True)
    typer.echo("Open this address in a browser, as the account whose posts are read:", err=True)
    typer.echo(begun.url, err=True)


def _has_display() -> bool:
    has_desktop = sys.platform in ("darwin", "win32")
    return has_desktop or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _facts(at: Installation, platform: Platform, tokens: Tokens, *, renews_itself: bool) -> LoginFacts:
    """Ask the platform whose grant it is, with the grant itself: so it is tried at once."""
    connector, account = platform.connector, None
    if isinstance(connector, ShowsGrant):
        try:
            account = connector.fetch_grant(platform.session()).account
        except Outcome as error:
            raise LoginError(f"the grant is stored, but the platform did not say whose it is: {error}") from error
        name_account(at, connector.name, account)
    asked = connector.oauth.scopes if isinstance(connector, WantsGrant) else ()
    return LoginFacts(
        connector=connector.name,
        account=account,
        scopes=tokens.scopes,
        scopes_not_granted=tuple(scope for scope in asked if scope not in tokens.scopes),
        expires_at=tokens.expires_at,
        renews_itself=renews_itself,
    )


def _show(facts: LoginFacts) -> None:
    until = f"until {facts.expires_at:%Y-%m-%d %H:%M} UTC" if facts.expires_at else "for a time that is not said"
    by = f"by {facts.account}" if facts.account else "by an account that the platform does not name"
    renewal = "then renewed by itself" if facts.renews_itself else "then log in again"
    typer.echo(f"{facts.connector}: access granted {by}, {until}, {renewal}")
    typer.echo(f"scopes: {', '.join(facts.scopes)}")
    if facts.scopes_not_granted:
        typer.echo(f"not granted: {', '.join(facts.scopes_not_granted)}; some of it cannot be read", err=True)


class _Listener:
    """Waits on this machine for the browser that comes back."""

    def __init__(self, port: int) -> None:
        self._returned: Queue[str] = Queue()
        try:
            self._server = _Server(self._returned.put, port)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(f"port {port} of this machine cannot be listened on: {reason}") from error
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def redirect_uri(self) -> str:
        return f"http://{_LOOPBACK}:{self._server.server_address[1]}{_PATH}"

    def wait(self, patience: float) -> str:
        """Give the address that the browser came back to."""
        try:
            return self._returned.get(timeout=patience)
        except Empty as error:
            raise LoginError(f"the browser did not come back within {patience:g} seconds: try --manual") from error


class _Server(ThreadingHTTPServer):
    """Listens on loopback alone; several connections at once, because browsers open some that they never use."""

    daemon_threads = True

    def __init__(self, returned: Callable[[str], None], port: int) -> None:
        self.returned = returned
        super().__init__((_LOOPBACK, port), _Browser)


class _Browser(BaseHTTPRequestHandler):
    """Answers the browser, and hands on the address it came back to."""

    server: _Server
    timeout: ClassVar[float] = 10

    def do_GET(self) -> None:
        is_back = urlsplit(self.path).path == _PATH
        page = _PAGE if is_back else b""
        self.send_response(200 if is_back else 404)
        headers = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(page))}
        for header, value in (headers | {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}).items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(page)
        if is_back:
            self.server.returned(self.path)

    def log_message(self, *_: object) -> None:
        """Say nothing: the address has the code in it."""
