"""`harvester poll`: read the likes of every open post once, now."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from harvester.cli.alerts import open_notify
from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    exit_with,
    new_app,
    open_installation,
    runtime,
    show,
    show_json,
)
from harvester.contest.campaigns import check_open, find_campaign, open_campaigns
from harvester.report.text import number, outcome_text, table
from harvester.run.alerts.attend import Notify, attend
from harvester.run.alerts.condition import write_utc
from harvester.run.poll import overall, poll
from harvester.run.reader import EntryResult
from harvester.store.installation import Installation
from harvester.store.kinds import SweepOutcome

app = new_app()


@app.command("poll")
def poll_(
    ctx: typer.Context,
    campaign: Annotated[str | None, typer.Argument(metavar="CAMPAIGN", help="One contest; all when omitted.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read every list to its end, even where new likes come first.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read the likes of every open post once, now. What was interrupted goes on where it stopped; alerts are sent.

    Exit code: 0 complete, 3 partial (run it again), 1 failed.

    Example: harvester poll afcon-2027 --full
    """
    at = open_installation(config, runtime(ctx))
    notify, begun = open_notify(at.settings.alerts), at.now()
    with at.database.reading() as session:
        campaigns = [find_campaign(session, campaign)] if campaign else open_campaigns(session)
    for one in campaigns:
        check_open(one)
    with _progress() as progress:
        done = progress.add_task("reading likes", total=None) if progress else None
        advance = (lambda _: progress.advance(done)) if progress else None
        try:
            results = poll(at, campaigns, wants_full=full, on_done=advance)
        except KeyboardInterrupt:
            typer.echo("harvester: stopped; what was read is kept, and the next poll goes on from there", err=True)
            exit_with(SweepOutcome.PARTIAL)
    outcome = overall(one.outcome for one in results)
    if as_json:
        show_json({"outcome": outcome, "entries": results})
    else:
        _show(results, begun, outcome)
    _tell(at, notify)
    exit_with(outcome)


def _tell(at: Installation, notify: Notify) -> None:
    """Send the alerts: an address may keep one waiting, and who waits has the answer and may stop it."""
    try:
        attend(at, notify)
    except KeyboardInterrupt:
        typer.echo("harvester: stopped; alerts that were not sent are sent by the next poll", err=True)


def _progress() -> Any:
    """Show that work is going on, on a terminal only."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True) if console.is_terminal else nullcontext()


def _show(results: Sequence[EntryResult], begun: datetime, outcome: SweepOutcome) -> None:
    """Print a table below the time: in a file of many polls, one wants to know which is which."""
    if not results:
        return typer.echo("no post to read: add one with 'harvester post add'")
    typer.echo(f"poll of {write_utc(begun)}: {outcome}")
    rows = table("post", "outcome", "#pages", "#new", "#credited", "")
    for one in results:
        goes_on = f" (goes on after {one.resume_at:%Y-%m-%d %H:%M} UTC)" if one.resume_at else ""
        rows.add_row(
            one.url,
            outcome_text(one.outcome),
            number(one.pages),
            number(one.new),
            number(one.credited),
            f"{one.reason or ''}{goes_on}",
        )
    return show(rows)
