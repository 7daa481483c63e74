"""The text for cron and systemd: the shell and systemd themselves read it back, whatever the paths are called."""

import shutil
import subprocess
from datetime import time
from pathlib import Path

import pytest

from harvester.config import ScheduleSettings
from harvester.errors import UsageError
from harvester.run.deploy import Place, crontab, systemd_daemon, systemd_nightly

ODD = 'my 100%H $HOME it\'s \\ "x"'
SCHEDULE = ScheduleSettings(nightly=time(2, 5), timezone="Africa/Casablanca")


def place(folder: Path = Path("/srv/harvester"), **other: object) -> Place:
    values = {
        "executable": folder / "bin" / "harvester",
        "config": folder / "config.toml",
        "user": "harvester",
        "written": (folder,),
    }
    return Place(**(values | other))


@pytest.fixture
def odd(tmp_path: Path) -> Place:
    """An installation in a folder with every difficult character, whose command tells what it was given."""
    folder, command = tmp_path / ODD, tmp_path / "100%H $HOME bin" / "harvester"
    for needed in (folder, command.parent):
        needed.mkdir()
    command.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\necho a problem >&2\n')
    command.chmod(0o755)
    return place(folder, executable=command)


def jobs(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


# Cron


def test_cron_asks_for_a_night_every_ten_minutes_and_polls_twice_an_hour() -> None:
    assert jobs(crontab(place(), SCHEDULE)) == [
        "*/10 * * * * cd /srv/harvester && /srv/harvester/bin/harvester nightly --if-due"
        " --config /srv/harvester/config.toml >> nightly.log",
        "10,40 * * * * cd /srv/harvester && /srv/harvester/bin/harvester poll"
        " --config /srv/harvester/config.toml >> poll.log",
    ]


def test_a_crontab_says_where_it_goes_and_when_the_night_begins() -> None:
    text = crontab(place(), SCHEDULE)

    assert "crontab of harvester" in text
    assert "02:05 in Africa/Casablanca" in text
    assert text.endswith("\n")


@pytest.mark.parametrize("cron_unescapes", [True, False], ids=["most crons", "a cron that leaves % alone"])
def test_a_shell_reads_difficult_paths_back_from_a_crontab(odd: Place, cron_unescapes: bool) -> None:
    command = jobs(crontab(odd, SCHEDULE))[0].removeprefix("*/10 * * * * ")
    assert "%" not in command.replace(r"\%", "")

    command = command.replace(r"\%", "%") if cron_unescapes else command
    done = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("", "a problem\n"), "what cron mails"
    said = (odd.folder / "nightly.log").read_text().splitlines()
    assert said == [str(odd.folder), "nightly", "--if-due", "--config", str(odd.config)]


# systemd


def test_the_daemon_is_started_again_and_confined() -> None:
    lines = systemd_daemon(place(), is_user_unit=False).splitlines()

    assert 'ExecStart="/srv/harvester/bin/harvester" run --config "/srv/harvester/config.toml"' in lines
    assert set(lines) >= {
        "WorkingDirectory=/srv/harvester",
        "User=harvester",
        "Restart=on-failure",
        "KillSignal=SIGTERM",
        "TimeoutStopSec=150",
        "NoNewPrivileges=true",
        "PrivateTmp=true",
        "UMask=0077",
        "ProtectSystem=strict",
        'ReadWritePaths="/srv/harvester"',
        "WantedBy=multi-user.target",
    }


def test_a_users_own_unit_asks_for_nothing_that_only_root_may() -> None:
    text = systemd_daemon(place(), is_user_unit=True)

    assert "WantedBy=default.target" in text
    assert "~/.config/systemd/user/harvester.service" in text
    assert "loginctl enable-linger harvester" in text
    for word in ("User=", "ProtectSystem", "network-online"):
        assert word not in text


def test_what_lies_in_a_temporary_folder_is_not_hidden_from_its_own_service() -> None:
    assert "PrivateTmp" not in systemd_daemon(place(Path("/tmp/harvester")), is_user_unit=False)


def test_timers_know_the_zone_make_up_for_missed_nights_and_take_partial_for_success() -> None:
    lines = systemd_nightly(place(), SCHEDULE, is_user_unit=False).splitlines()

    for line in ("OnCalendar=*-*-* 02:05:00 Africa/Casablanca", "OnCalendar=hourly", "OnCalendar=*:10,40"):
        assert lines.count(line) == 1
    for line in ("Persistent=true", "SuccessExitStatus=3", "Type=oneshot", "WantedBy=timers.target"):
        assert lines.count(line) == 2


def parts(text: str) -> dict[str, str]:
    """Take the units apart as a person does: each under the name above it."""
    _, *rest = text.split("# --- ")
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in rest}


def verified(folder: Path, units: dict[str, str]) -> str:
    """Let systemd read units, as files of their own; give what it complains of."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not on this machine")
    folder.mkdir()
    for name, text in units.items():
        (folder / name).write_text(text)
    files = [str(folder / name) for name in units]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    return "\n".join(
        line for line in (done.stdout + done.stderr).splitlines() if str(folder) in line or "harvester" in line
    )


@pytest.mark.parametrize("is_user_unit", [False, True])
def test_systemd_understands_every_unit_whatever_the_paths_are_called(
    odd: Place, tmp_path: Path, is_user_unit: bool
) -> None:
    units = {"harvester.service": systemd_daemon(odd, is_user_unit=is_user_unit)}
    units |= parts(systemd_nightly(odd, SCHEDULE, is_user_unit=is_user_unit))

    assert len(units) == 5
    assert verified(tmp_path / "units", units) == ""


def test_systemd_complains_of_a_unit_that_is_wrong(odd: Place, tmp_path: Path) -> None:
    text = systemd_daemon(odd, is_user_unit=False)

    assert "harvester.service" in verified(tmp_path / "units", {"harvester.service": text.replace("%%", "%")})


def test_what_systemd_reads_in_its_own_way_is_escaped(odd: Place) -> None:
    [command] = (line for line in systemd_daemon(odd, is_user_unit=True).splitlines() if line.startswith("ExecStart="))

    executable, _, config = command.partition(" run --config ")
    assert executable.endswith('/100%%H $HOME bin/harvester"')
    assert config.endswith('/my 100%%H $$HOME it\'s \\\\ \\"x\\"/config.toml"')


# Both


def test_variables_that_are_set_here_only_are_named_in_both() -> None:
    here = place(variables=("HARVESTER_DATABASE__URL", "HARVESTER_KEYS__MASTER"))

    for text in (
        crontab(here, SCHEDULE),
        systemd_daemon(here, is_user_unit=False),
        systemd_nightly(here, SCHEDULE, is_user_unit=False),
    ):
        assert "HARVESTER_DATABASE__URL, HARVESTER_KEYS__MASTER" in text


def test_a_path_that_would_begin_a_line_of_its_own_is_refused() -> None:
    with pytest.raises(UsageError, match="line break"):
        place(Path("/srv/a\nExecStart=/bin/sh"))


def test_a_command_that_systemd_would_not_start_is_refused(odd: Place) -> None:
    with pytest.raises(UsageError, match="systemd starts no command with a quote"):
        systemd_daemon(place(odd.folder), is_user_unit=True)
