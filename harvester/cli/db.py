"""`harvester db`: the database's own commands."""

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, new_app, open_database, open_settings
from harvester.store.database import Database

app = new_app("The database: upgrade, backup.")


@app.command()
def upgrade(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Bring the tables to this version of harvester; back up first.

    Example: harvester db upgrade
    """
    database = Database(open_settings(config).database.url)
    database.upgrade()
    typer.echo(f"the database {database} is up to date")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the copy.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write a consistent copy of the database while others go on working. Keep the keys elsewhere: they are not in it.

    Example: harvester db backup /srv/backup/harvester-2027-06-19.db
    """
    open_database(config).backup(file)
    typer.echo(f"backup written to {file}")
