"""`harvester deploy`: the paths, the user and the variables of this very installation."""

import getpass
import sysconfig
from pathlib import Path

import pytest

from tests.cli.conftest import Run

COMMAND = f"{sysconfig.get_path('scripts')}/harvester"


def test_cron_gets_absolute_paths(home: Run, folder: Path) -> None:
    said = home("deploy", "cron")

    assert said.code == 0
    assert f"cd {folder} && {COMMAND} nightly --if-due --config {folder}/config.toml" in said.out
    assert f"crontab of {getpass.getuser()}" in said.out


def test_the_folders_of_the_database_and_the_reports_may_be_written(home: Run, folder: Path) -> None:
    assert home("deploy", "systemd").out.count("ReadWritePaths=") == 1  # the reports lie beside the database

    (folder / "config.toml").write_text("[database]\nurl = 'sqlite:///kept/a.db'\n[schedule]\nreports_folder = 'out'\n")
    said = home("deploy", "systemd", "--nightly").out
    for path in (folder / "kept", folder / "out"):
        assert said.count(f'ReadWritePaths="{path}"') == 2


def test_no_secret_of_the_environment_is_printed(home: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_DATABASE__URL", "postgresql+psycopg://harvester:hunter2@db.example/harvester")
    monkeypatch.setenv("HARVESTER_AUTHOR", "s.alaoui")

    for words in (("cron",), ("systemd",), ("systemd", "--nightly"), ("systemd", "--user")):
        said = home("deploy", *words)
        assert said.code == 0
        assert "HARVESTER_AUTHOR, HARVESTER_DATABASE__URL" in said.out
        assert "hunter2" not in said.out
        assert "alaoui" not in said.out


def test_another_configuration_is_named_with_its_own_folder(home: Run, folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "config.toml").rename(folder / "other" / "a.toml")

    said = home("deploy", "systemd", "--user", "--config", "other/a.toml")

    assert f'--config "{folder}/other/a.toml"' in said.out
    assert f"WorkingDirectory={folder}/other\n" in said.out


def test_without_a_configuration_it_says_how_to_make_one(refused) -> None:
    assert "run 'harvester init' first" in refused("deploy", "cron")
