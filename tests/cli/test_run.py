"""`harvester run`, as a command: what it refuses, in one line. tests/run/ has the rest of its life."""

from collections.abc import Callable

import pytest

from harvester.store.database import Database
from tests.cli.conftest import Run


@pytest.fixture
def database(home: Run) -> Database:
    return Database("sqlite:///harvester.db")


def test_a_second_daemon_is_refused_in_one_line(database: Database, refused: Callable[..., str]) -> None:
    with database.lock("daemon"):
        assert refused("run", code=3) == "another 'harvester run' works on this database already"


def test_an_address_that_is_none_is_refused(
    database: Database, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTER_DAEMON__LISTEN", "http://127.0.0.1:9464")
    assert refused("run").endswith("'http://127.0.0.1:9464' is not HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")
    with database.lock("daemon") as is_free:
        assert is_free


def test_a_daemon_goes_on_where_an_address_for_alerts_is_wrong(
    database: Database, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTER_ALERTS__URLS", '["nosuch://hunter2@x"]')
    with database.lock("daemon"):
        said = run("run")

    wrong, busy = said.err.splitlines()
    assert wrong.startswith("harvester: alerts: address 1 (nosuch://…) is not an address")
    assert busy == "harvester: another 'harvester run' works on this database already"


def test_a_daemon_needs_an_installation(refused: Callable[..., str]) -> None:
    assert "run 'harvester init' first" in refused("run")
