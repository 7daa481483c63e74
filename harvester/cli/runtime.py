"""What every command needs: its shared options, the settings, the database, the time, and how to answer."""

import codecs
import getpass
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console, RenderableType

from harvester.clock import Now, utc_now
from harvester.collect.registry import check_settings
from harvester.config import Settings, load_settings
from harvester.contest.campaigns import list_campaigns
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
from harvester.store.kinds import SweepOutcome

DEFAULT_CONFIG = Path("config.toml")
_WIDTH_OF_A_FILE = 120
EXIT_CODES = {SweepOutcome.COMPLETE: 0, SweepOutcome.PARTIAL: 3, SweepOutcome.FAILED: 1}

ConfigOption = Annotated[
    Path, typer.Option("--config", envvar="HARVESTER_CONFIG", help="The configuration file.", show_default=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept with the decision.")]
CampaignArgument = Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's slug.")]


def new_app(help_text: str | None = None) -> typer.Typer:
    """Start the app of one noun, in the one style of all."""
    return typer.Typer(
        help=help_text,
        no_args_is_help=help_text is not None,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def user_name() -> str:
    """Say who decides, for the records: HARVESTER_AUTHOR, or the login name."""
    try:
        return os.environ.get("HARVESTER_AUTHOR") or getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The time, the patience and the person a command runs with; a rehearsal brings its own."""

    now: Now = utc_now
    sleep: Callable[[float], None] = time.sleep
    author: str = field(default_factory=user_name)


def runtime(ctx: typer.Context) -> Runtime:
    return ctx.find_object(Runtime) or Runtime()


def open_settings(config: Path) -> Settings:
    settings = load_settings(config)
    check_settings(settings)
    return settings


def open_database(config: Path) -> Database:
    """Open the database of an installation, once it is sure to be of this version."""
    database = Database(open_settings(config).database.url)
    database.check_is_current()
    return database


def open_installation(config: Path, running: Runtime) -> Installation:
    """Open everything a job needs, once it is sure that the master key is the one of its campaigns."""
    settings = open_settings(config)
    database = Database(settings.database.url)
    database.check_is_current()
    master = MasterKey.load(settings.keys)
    with database.reading() as session:
        for campaign in list_campaigns(session):
            master.open_campaign_key(campaign.sealed_key, campaign.slug)
    return Installation(database=database, settings=settings, master=master, now=running.now, sleep=running.sleep)


def plain_console() -> Console:
    """Open the terminal so that names and links are printed as they are; a file or a pipe has room for a table."""
    console = Console(markup=False, emoji=False, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_OF_A_FILE
    return console


def show(content: RenderableType) -> None:
    """Print for a person."""
    plain_console().print(content)


def show_json(value: Any) -> None:
    """Print for a program: one indented JSON document, with escapes where the output could not hold every letter."""
    document = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    holds_all = codecs.lookup(getattr(sys.stdout, "encoding", None) or "utf-8").name == "utf-8"
    typer.echo(document if holds_all else json.dumps(json.loads(document), indent=2))


def exit_with(outcome: SweepOutcome) -> NoReturn:
    """End with the exit code that the outcome deserves."""
    raise typer.Exit(EXIT_CODES[outcome])
