"""`harvester connectors`: which platforms this installation reads."""

from dataclasses import dataclass

import typer

from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app, open_settings, show, show_json
from harvester.collect.registry import installed
from harvester.config import load_settings
from harvester.connector import Connector, CountsLikes, LikeTime, NamesLikers, Order
from harvester.report.text import table

app = new_app("The platforms that can be read: list.")


@app.callback()
def connectors() -> None:
    """Keep `list` a command of its own while it is the only one."""


@app.command("list")
def list_(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List the installed connectors, what their platforms tell, and how often each may be asked here.

    Example: harvester connectors list
    """
    settings = open_settings(config) if config.exists() else load_settings(None)
    facts = [
        _facts(name, connector, settings.connectors.get(name, {}).get("budget"))
        for name, connector in installed().items()
    ]
    if as_json:
        return show_json(facts)
    rows = table("connector", "tells", "order", "time of a like", "#page", "requests")
    for one in facts:
        requests = ", ".join(one.budgets)
        rows.add_row(one.connector, " and ".join(one.tells), one.order, one.time, str(one.page_max), requests)
    show(rows)
    for one in facts:
        for url in one.urls:
            typer.echo(f"{one.connector}: {url}")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorFacts:
    """What a platform tells, and how it wants to be asked."""

    connector: str
    tells: tuple[str, ...]
    order: Order
    time: LikeTime
    page_max: int
    budgets: tuple[str, ...]
    urls: tuple[str, ...]


def _facts(name: str, connector: type[Connector], budget: str | None) -> ConnectorFacts:
    can = {"who liked": issubclass(connector, NamesLikers), "how many": issubclass(connector, CountsLikes)}
    return ConnectorFacts(
        connector=name,
        tells=tuple(what for what, is_told in can.items() if is_told),
        order=connector.traits.order,
        time=connector.traits.time,
        page_max=connector.traits.page_max,
        budgets=(budget,) if budget else tuple(str(declared) for declared in connector.traits.budgets),
        urls=connector.url_forms,
    )
