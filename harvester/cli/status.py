"""`harvester status`: what the platforms show, what is held, what it earned."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Event
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live

from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    Runtime,
    new_app,
    open_database,
    plain_console,
    runtime,
    show,
    show_json,
)
from harvester.contest.campaigns import CampaignFacts, find_campaign, list_campaigns
from harvester.errors import UsageError
from harvester.report.status import status_text
from harvester.report.views import StatusView, status_of
from harvester.store.database import Database

_SECONDS_BETWEEN_LOOKS = 2
app = new_app()


@app.command()
def status(
    ctx: typer.Context,
    campaign: Annotated[str | None, typer.Argument(metavar="CAMPAIGN", help="One contest; all when omitted.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Keep the table up to date until Ctrl-C.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Show the totals; then, per post, the likes displayed, the likers held and the gap. No platform is asked.

    With --json a CAMPAIGN gives one document, none gives a list of them. With --watch, what is settled is left out
    unless it is named.

    Example: harvester status afcon-2027 --watch
    """
    if watch:
        _check_watchable(as_json=as_json)
    database, running = open_database(config), runtime(ctx)
    if watch:
        return _watch(database, campaign, running)
    views = _look(database, campaign, running)
    if as_json:
        return show_json(views[0] if campaign else views)
    return show(_text(views))


def _look(database: Database, campaign: str | None, running: Runtime) -> Sequence[StatusView]:
    with database.reading() as session:
        found = [find_campaign(session, campaign)] if campaign else _settled_last(list_campaigns(session))
        return [status_of(session, one, running.now()) for one in found]


def _settled_last(campaigns: Iterable[CampaignFacts]) -> Sequence[CampaignFacts]:
    return sorted(campaigns, key=lambda one: one.rules.settled_at is not None)


def _still_open(views: Sequence[StatusView]) -> Sequence[StatusView]:
    """Leave out what is settled, unless everything is: nothing of it will move any more."""
    return [view for view in views if view.settlement is None] or views


def _text(views: Sequence[StatusView]) -> RenderableType:
    if not views:
        return "no contest yet: add one with 'harvester campaign add'"
    return Group(*(status_text(view) for view in views))


def _check_watchable(*, as_json: bool) -> None:
    """Refuse to draw one picture over another where there is no screen: it would never end."""
    if as_json:
        raise UsageError("--watch is for a screen, --json for programs: call 'harvester status --json' again instead")
    if not sys.stdout.isatty():
        raise UsageError("--watch needs a terminal: call 'harvester status' without it, as often as wanted")


def _watch(database: Database, campaign: str | None, running: Runtime) -> None:
    """Look again and again; Ctrl-C is how it ends, not an error."""
    pause = Event()

    def picture() -> RenderableType:
        return _text(_still_open(_look(database, campaign, running)))

    with suppress(KeyboardInterrupt), Live(picture(), console=plain_console(), auto_refresh=False) as live:
        while not pause.wait(_SECONDS_BETWEEN_LOOKS):
            live.update(picture(), refresh=True)
