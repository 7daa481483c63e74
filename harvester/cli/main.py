"""The command `harvester`: loads the one noun that was asked for, and turns every error into one line and an exit code.

The nouns are listed here with their help, so that `harvester --help` imports none of them.
"""

import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from harvester.cli.output import OutputError, open_outlets
from harvester.errors import HarvesterError

COMMANDS = {
    "demo": "A rehearsed contest in seconds: first like to report.",
    "try": "What public posts would earn; nothing is kept.",
    "init": "Make config.toml, the keys and the database.",
    "campaign": "Contests: add, list, show, rate, load, settle.",
    "post": "Posts of a contest: add, list, remove.",
    "association": "Associations: add, list, assign to a contest.",
    "winner": "Winners: rank the contestants, assign, draw among likers.",
    "plan": "Before launch: what each platform will and will not give.",
    "poll": "Read the likes of every open post once, now.",
    "nightly": "What cron calls every night: everything, and one summary.",
    "run": "The daemon: polls by itself, closes and settles on time.",
    "deploy": "What makes it run by itself, as text: cron, systemd.",
    "alerts": "Who is told what: list, test.",
    "status": "Totals; displayed, held and gap per post.",
    "db": "The database: upgrade, backup.",
    "doctor": "What works, what soon will not, and what to do.",
    "connectors": "The platforms that can be read: list, check, login.",
}


class LazyCommands(TyperGroup):
    """Finds a command in the module of its name, and only when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give a stand-in with the help line, enough to list it."""
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Load the command that was called."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name and command else None, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; every error that is ours becomes one line here, and nowhere else."""
        try:
            return super().invoke(ctx)
        except HarvesterError as error:
            typer.echo(f"harvester: {error}", err=True)
            raise typer.Exit(error.exit_code) from error


app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help, at a third of the start-up time
    pretty_exceptions_enable=False,
    help="Provable like-for-good campaigns: every like on a contest post becomes mobile data for an association.",
    epilog="Start with: harvester demo",
)


@app.callback()
def harvester() -> None:
    """Every option belongs to a command; this only gives the group its help."""


def load_command(name: str) -> Any:
    """Import the module of a command and give the command."""
    module = import_module(f"harvester.cli.{name}_" if name == "try" else f"harvester.cli.{name}")
    return typer.main.get_command(module.app)


def main() -> None:
    """Run the command that was typed, whatever becomes of its output."""
    open_outlets()
    try:
        app()
    except OutputError as error:  # said outside a command, by --help
        typer.echo(f"harvester: {error}", err=True)
        sys.exit(error.exit_code)
