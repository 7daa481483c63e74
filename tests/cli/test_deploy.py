"""`harvester deploy`: the paths, the user and the variables of this very installation."""

import os
import pwd
import sysconfig
from pathlib import Path

import pytest

from tests.cli.conftest import Run

COMMAND = f"{sysconfig.get_path('scripts')}/harvester"


def test_cron_gets_absolute_paths(home: Run, folder: Path) -> None:
    said = home("deploy", "cron")

    assert said.code == 0
    assert f"cd {folder} && {COMMAND} nightly --if-due --config {folder}/config.toml" in said.out
    assert f"crontab of {pwd.getpwuid(os.geteuid()).pw_name}" in said.out


def test_the_folders_of_the_database_and_the_reports_may_be_written(home: Run, folder: Path) -> None:
    assert home("deploy", "systemd").out.count("ReadWritePaths=") == 1  # the reports lie beside the database

    (folder / "config.toml").write_text("[database]\nurl = 'sqlite:///kept/a.db'\n[schedule]\nreports_folder = 'out'\n")
    said = home("deploy", "systemd", "--nightly").out
    for path in (folder / "kept", folder / "out"):
        assert said.count(f'ReadWritePaths="{path}"') == 2


def test_the_user_is_who_runs_this_whatever_the_environment_says(home: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody-else")

    assert "somebody-else" not in home("deploy", "cron").out


def test_what_a_service_with_these_limits_makes_can_be_used_again(run: Run, folder: Path) -> None:
    before = os.umask(0o077)
    try:
        assert run("init").code == 0
        assert run("nightly").code == 0
    finally:
        os.umask(before)

    assert run("doctor", "--offline").code == 0
    modes = {
        path.name: path.stat().st_mode & 0o777 for path in [folder / "harvester.db", *(folder / "reports").iterdir()]
    }
    assert modes == {"harvester.db": 0o600, "nightly.jsonl": 0o600}


def test_the_folders_that_a_unit_names_are_made_by_init(home: Run, folder: Path) -> None:
    (folder / "config.toml").write_text("[schedule]\nreports_folder = 'kept/out'\n")

    assert f"reports: {folder / 'kept' / 'out'}\n" in home("init").out
    assert (folder / "kept" / "out").is_dir()
    assert "reports" not in home("init").out


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
