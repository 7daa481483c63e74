"""`harvester init`: everything an installation needs before its first contest."""

import os
from importlib.resources import files
from pathlib import Path

import typer

from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, new_app, open_settings
from harvester.contest.campaigns import list_campaigns
from harvester.errors import ConfigError
from harvester.store.database import Database
from harvester.store.keys import create_key_files

_EXAMPLE = "config.example.toml"
app = new_app()


@app.command()
def init(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Make the configuration file, the keys, the database and the reports folder; what is there already is kept.

    Example: harvester init
    """
    if not config.exists():
        _write_config(config)
        typer.echo(f"configuration: {config}")
    settings = open_settings(config)
    database = Database(settings.database.url)
    database.upgrade()
    typer.echo(f"database: {database}")
    _refuse_to_replace_a_lost_key(database, settings.keys.master_file, has_other=bool(settings.keys.master))
    for path in create_key_files(settings.keys):
        typer.echo(f"key: {path}")
    _make_folder(settings.schedule.reports_folder)
    typer.echo("keep a copy of the master key in a safe: without it nobody can tell a known liker from a new one")
    typer.echo("next: harvester campaign add --help")


def example_config() -> str:
    """Give the text of the example: beside the packages in a checkout, inside the package once installed."""
    package = files("harvester")
    for place in (package.joinpath(_EXAMPLE), Path(str(package)).parent / _EXAMPLE):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise ConfigError(f"{_EXAMPLE} is missing from this installation: install like-harvester again")


def _write_config(config: Path) -> None:
    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(example_config(), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{config} cannot be written: {os.strerror(error.errno or 0).lower()}") from error


def _make_folder(folder: Path) -> None:
    """Make the folder of the reports: systemd starts nothing that may write to a folder which is not there."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ConfigError(f"the folder {folder} cannot be made: {os.strerror(error.errno or 0).lower()}") from error
    typer.echo(f"reports: {folder}")


def _refuse_to_replace_a_lost_key(database: Database, key: Path, *, has_other: bool) -> None:
    """A new master key would lock every existing campaign for good."""
    with database.reading() as session:
        has_campaigns = bool(list_campaigns(session))
    if has_campaigns and not has_other and not key.exists():
        raise ConfigError(
            f"the database has campaigns, but their master key {key} is missing: restore it from your safe"
        )
