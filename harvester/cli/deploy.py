"""`harvester deploy`: what makes this installation run by itself, as text to put in its place."""

import os
import sys
import sysconfig
from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, new_app, open_settings
from harvester.config import ENVIRONMENT_PREFIX, Settings
from harvester.errors import UsageError
from harvester.run.deploy import Place, crontab, systemd_daemon, systemd_nightly
from harvester.store.database import Database

_NAMED_ANYWAY = ("HARVESTER_CONFIG",)  # as --config
app = new_app("What makes this installation run by itself: a crontab, or systemd units. Nothing is changed.")


@app.command()
def cron(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the lines of a crontab: the night, when it is due in the zone of the settings, and a poll twice an hour.

    Example: harvester deploy cron
    """
    settings = open_settings(config)
    typer.echo(crontab(_place(config, settings), settings.schedule), nl=False)


@app.command()
def systemd(
    nightly: Annotated[bool, typer.Option("--nightly", help="Timers as cron's, instead of the daemon.")] = False,
    user: Annotated[bool, typer.Option("--user", help="Units of a user's own systemd.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Print the unit of the daemon, `harvester run`; with --nightly, timers for the night and the polls instead.

    Example: harvester deploy systemd
    """
    settings = open_settings(config)
    place = _place(config, settings)
    if nightly:
        typer.echo(systemd_nightly(place, settings.schedule, is_user_unit=user), nl=False)
    else:
        typer.echo(systemd_daemon(place, is_user_unit=user), nl=False)


def _place(config: Path, settings: Settings) -> Place:
    database = Database(settings.database.url)
    of_sqlite = [Path(str(database.url.database)).parent] if database.is_sqlite else []
    folders = {_full(path) for path in (*of_sqlite, settings.schedule.reports_folder)}
    inside = {path for path in folders for other in folders if path != other and path.is_relative_to(other)}
    return Place(
        executable=_executable(),
        config=_full(config),
        user=_user(),
        written=tuple(sorted(folders - inside)),
        variables=tuple(
            sorted({name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)} - {*_NAMED_ANYWAY})
        ),
    )


def _full(path: Path) -> Path:
    """Make a path absolute without following links: a link is how an operator moves what it leads to."""
    return Path(os.path.abspath(path))


def _user() -> str:
    """Name who runs this by the system, not by variables that sudo and cron leave as somebody else's."""
    try:
        import pwd  # noqa: PLC0415 - there is none where there is no cron either

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError) as error:
        raise UsageError("the user who runs this has no name: run it as the user who is to run harvester") from error


def _executable() -> Path:
    """Find the command that belongs to the Python that runs this."""
    found = Path(sysconfig.get_path("scripts")) / ("harvester.exe" if os.name == "nt" else "harvester")
    if not found.exists():
        raise UsageError(f"the command harvester is not installed for {sys.executable}: run 'pip install' first")
    return found
