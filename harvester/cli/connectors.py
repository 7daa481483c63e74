"""`harvester connectors`: which platforms this installation reads."""

from dataclasses import dataclass

from harvester.cli.runtime import JsonOption, new_app, show, show_json
from harvester.collect.registry import installed
from harvester.connector import Connector, CountsLikes, LikeTime, NamesLikers, Order
from harvester.report.text import table

app = new_app("The platforms that can be read: list.")


@app.callback()
def connectors() -> None:
    """Keep `list` a command of its own while it is the only one."""


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the installed connectors and what their platforms tell.

    Example: harvester connectors list
    """
    facts = [_facts(name, connector) for name, connector in installed().items()]
    if as_json:
        return show_json(facts)
    rows = table("connector", "tells", "order", "time of a like", "#page", "requests", "URLs")
    for one in facts:
        requests, urls = ", ".join(one.budgets), "\n".join(one.urls)
        rows.add_row(one.connector, " and ".join(one.tells), one.order, one.time, str(one.page_max), requests, urls)
    return show(rows)


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


def _facts(name: str, connector: type[Connector]) -> ConnectorFacts:
    can = {"who liked": issubclass(connector, NamesLikers), "how many": issubclass(connector, CountsLikes)}
    return ConnectorFacts(
        connector=name,
        tells=tuple(what for what, is_told in can.items() if is_told),
        order=connector.traits.order,
        time=connector.traits.time,
        page_max=connector.traits.page_max,
        budgets=tuple(str(budget) for budget in connector.traits.budgets),
        urls=connector.url_forms,
    )
