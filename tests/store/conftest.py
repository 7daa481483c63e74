"""Databases of both kinds, fresh or of this version, all closed again."""

from collections.abc import Callable, Iterator

import pytest

from harvester.store.database import Database


@pytest.fixture
def open_database(database_url: str) -> Iterator[Callable[..., Database]]:
    """Open the test's database, as often as wanted."""
    opened: list[Database] = []

    def make(url: str = database_url) -> Database:
        opened.append(Database(url))
        return opened[-1]

    yield make
    for database in opened:
        database.engine.dispose()


@pytest.fixture
def database(open_database: Callable[..., Database]) -> Database:
    """A database with the tables of this version."""
    database = open_database()
    database.upgrade()
    return database
