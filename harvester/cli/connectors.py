"""`harvester connectors`: which platforms this installation reads, and whether their connectors keep the contract."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.login import login
from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app, open_settings, show, show_json
from harvester.collect.registry import find, installed
from harvester.config import load_settings
from harvester.connector import (
    Basis,
    Connector,
    CountsLikes,
    LikeTime,
    NamesLikers,
    Order,
    Provenance,
    default_basis,
    needs_of,
)
from harvester.kit import Report, Verdict, check_connector
from harvester.report.text import number, table

app = new_app("The platforms that can be read: list, check, login.")
app.command()(login)

NameArgument = Annotated[str | None, typer.Argument(metavar="[NAME]", help="One connector; all when left out.")]
_NOTHING = "–"
_BUDGET, _PROOF = 12, 11
"""How wide these columns may be, so that the table fits 100 columns."""


@app.command("list")
def list_(
    name: NameArgument = None,
    with_urls: Annotated[bool, typer.Option("--urls", help="Show what their links look like, too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """List the installed connectors: what each tells, how often it may be asked here, and what proves it.

    Example: harvester connectors list
    """
    settings = open_settings(config) if config.exists() else load_settings(None)
    budgets = {one: settings.connectors.get(one, {}).get("budget") for one in installed()}
    facts = [_facts(kind, budgets[one]) for one, kind in _chosen(name).items()]
    if as_json:
        return show_json(facts)
    _show_facts(facts)
    for one in facts if with_urls or name else ():
        for url in one.urls:
            typer.echo(f"{one.connector}: {url}")
    return None


@app.command()
def check(
    name: NameArgument = None,
    recordings: Annotated[
        Path | None,
        typer.Option("--recordings", help="Where recordings lie; beside the connector's module if not said."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that connectors keep the contract, by replaying and spoiling their recordings; of all, show what failed.

    Example: harvester connectors check mastodon
    """
    reports = [check_connector(kind, recordings) for kind in _chosen(name).values()]
    if as_json:
        show_json(reports)
    else:
        _show_reports(reports, shown=set(Verdict) if name else {Verdict.FAILED})
    raise typer.Exit(0 if all(one.is_sound for one in reports) else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedFacts:
    """A setting that a connector asks for, and where a person gets it."""

    setting: str
    what: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorFacts:
    """What a platform tells, how it wants to be asked, and what proves that we understand it."""

    connector: str
    tells: tuple[str, ...]
    basis: Basis
    order: Order | None
    time: LikeTime | None
    page_max: int | None
    depth_limit: int | None
    batch_max: int | None
    budgets: tuple[str, ...]
    handle_retention_days: int | None
    proven_by: tuple[Provenance, ...]
    needs: tuple[NeedFacts, ...]
    terms: tuple[str, ...]
    hosts: tuple[str, ...]
    urls: tuple[str, ...]


def _chosen(name: str | None) -> dict[str, type[Connector]]:
    return {name: find(name)} if name else dict(installed())


def _facts(kind: type[Connector], budget: str | None) -> ConnectorFacts:
    """Say what the traits say; what only lists of likers have is None where there are none."""
    traits, names, counts = kind.traits, issubclass(kind, NamesLikers), issubclass(kind, CountsLikes)
    can = {"who liked": names, "how many": counts}
    needs = needs_of(kind.settings_type).items()
    return ConnectorFacts(
        connector=kind.name,
        tells=tuple(what for what, is_told in can.items() if is_told),
        basis=default_basis(kind),
        order=traits.order if names else None,
        time=traits.time if names else None,
        page_max=traits.page_max if names else None,
        depth_limit=traits.depth_limit,
        batch_max=traits.batch_max if counts else None,
        budgets=(budget,) if budget else tuple(str(declared) for declared in traits.budgets),
        handle_retention_days=traits.handle_retention.days if traits.handle_retention else None,
        proven_by=traits.proven_by,
        needs=tuple(NeedFacts(setting=field, what=need.what, where=need.where) for field, need in needs),
        terms=traits.terms,
        hosts=kind.hosts,
        urls=kind.url_forms,
    )


def _show_facts(facts: Sequence[ConnectorFacts]) -> None:
    rows = table("connector", "tells", "basis", "order", "time", "#page", "#batch", "budget", "proven by")
    rows.columns[-2].max_width, rows.columns[-1].max_width = _BUDGET, _PROOF
    for one in facts:
        rows.add_row(
            one.connector,
            "both" if len(one.tells) > 1 else {"who liked": "likers", "how many": "count"}[one.tells[0]],
            one.basis,
            one.order or _NOTHING,
            one.time or _NOTHING,
            number(one.page_max),
            number(one.batch_max),
            ", ".join(one.budgets) or _NOTHING,
            ", ".join(one.proven_by) or _NOTHING,
        )
    show(rows)


def _show_reports(reports: Sequence[Report], *, shown: set[Verdict]) -> None:
    rows = table("connector", "check", "result")
    for report in reports:
        for finding in report.findings:
            if finding.verdict in shown:
                rows.add_row(report.connector, "\n  ".join((finding.check, *finding.problems)), finding.verdict)
    if rows.rows:
        show(rows)
    for report in reports:
        typer.echo(str(report))
