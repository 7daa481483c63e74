"""`harvester alerts`: what people were told, and whether they can be told at all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from sqlmodel import col, select

from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    new_app,
    open_database,
    open_settings,
    show,
    show_json,
)
from harvester.config import AlertSettings
from harvester.errors import ConfigError
from harvester.report.text import table
from harvester.run.alerts.addresses import open_addresses
from harvester.run.alerts.attend import Notify, notify_all
from harvester.store.models import Alert

app = new_app("What needs a person: who is told, and of what.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFacts:
    """An alert as `alerts list --json` gives it; a milestone, a hole or a reached cap is over at once."""

    kind: str
    subject: str
    message: str
    remedy: str
    raised_at: datetime
    sent_at: datetime | None
    recovered_at: datetime | None
    recovery_sent_at: datetime | None


def open_notify(settings: AlertSettings) -> Notify:
    """Give what tells the addresses that are understood; one that is not stops no work, but is named."""
    addresses = open_addresses(settings)
    for problem in addresses.refused:
        typer.echo(f"harvester: {problem}; the others are told", err=True)
    return notify_all(addresses.understood)


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also what is over, milestones among it.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List what is wrong now, and since when; the times are UTC.

    Example: harvester alerts list --all
    """
    wanted = select(Alert).order_by(col(Alert.id))
    if not every:
        wanted = wanted.where(col(Alert.recovered_at).is_(None))
    with open_database(config).reading() as session:
        found = [_facts(row) for row in session.exec(wanted)]
    if as_json:
        return show_json(found)
    return show(_table(found) if found else "no alert" if every else "no open alert")


@app.command("test")
def send_test(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Send a test message to every address, and say which took it.

    Exit code: 0 when every address took it, 1 when any did not.

    Example: harvester alerts test
    """
    addresses = open_addresses(open_settings(config).alerts)
    if addresses.refused:
        raise ConfigError(addresses.refused[0])
    if not addresses.understood:
        raise ConfigError(
            "no address for alerts is configured: put Apprise URLs into a file, one a line, and name it in "
            "alerts.urls_file, or give HARVESTER_ALERTS__URLS='[\"...\"]'"
        )
    title, body = "harvester: test", "This is a test: alerts of harvester arrive here. Nothing is wrong."
    delivered = {address.name: address.deliver(title, body) for address in addresses.understood}
    if as_json:
        show_json([{"address": name, "delivered": was_taken} for name, was_taken in delivered.items()])
    else:
        for name, was_taken in delivered.items():
            typer.echo(f"{name}: {'delivered' if was_taken else 'not delivered: check this address'}")
    if not all(delivered.values()):
        raise typer.Exit(1)


def _facts(row: Alert) -> AlertFacts:
    return AlertFacts(
        kind=row.kind,
        subject=row.subject,
        message=row.message,
        remedy=row.remedy,
        raised_at=row.raised_at,
        sent_at=row.sent_at,
        recovered_at=row.recovered_at,
        recovery_sent_at=row.recovery_sent_at,
    )


def _table(found: list[AlertFacts]) -> Table:
    rows = table("since", "kind", "what, and what to do", "told", "over")
    for one in found:
        what = "\n".join(filter(None, [one.message, one.remedy]))
        rows.add_row(_time(one.raised_at), one.kind, what, _time(one.sent_at) or "not yet", _time(one.recovered_at))
    return rows


def _time(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M}" if instant else ""
