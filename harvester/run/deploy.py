"""The text that makes an installation run unattended: lines for cron, or units for systemd.

Both call `nightly --if-due` oftener than once a night: cron knows only the zone of its machine, the machine's rules may
not be ours, and a night that was missed or killed is made up for. The command itself knows when a night is due.
"""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harvester.config import ScheduleSettings
from harvester.errors import UsageError

_EVERY_TEN_MINUTES, _TWICE_AN_HOUR = "*/10 * * * *", "10,40 * * * *"
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - where PrivateTmp would hide our files
_NOT_FOR_SYSTEMD = re.compile(r"""['"\\]""")
_NEW_LINE = re.compile(r"[\r\n\0]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an installation is, all in absolute paths; `variables` are names that its environment sets and cron's not.

    `written` are the folders that its jobs write to.
    """

    executable: Path
    config: Path
    user: str
    written: tuple[Path, ...]
    variables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for path in (self.executable, self.config, *self.written):
            if _NEW_LINE.search(str(path)):
                raise UsageError(f"{str(path)!r} has a line break: neither cron nor systemd can be told such a path")

    @property
    def folder(self) -> Path:
        return self.config.parent


def crontab(place: Place, schedule: ScheduleSettings) -> str:
    """Give the lines of a crontab; the standard error holds problems only, and cron mails it."""
    lines = [
        f"# Lines for the crontab of {place.user}: add them with 'crontab -e'.",
        f"# The night begins at {schedule.nightly:%H:%M} in {schedule.timezone}: harvester knows when that is.",
        "# Answers go to the logs. Problems are mailed by cron: name whom with MAILTO= at the top of the crontab.",
        *_about_variables(place, "set them at the top of the crontab"),
        f"{_EVERY_TEN_MINUTES} {_cron_job(place, 'nightly --if-due', 'nightly.log')}",
        f"{_TWICE_AN_HOUR} {_cron_job(place, 'poll', 'poll.log')}",
    ]
    return _text(lines)


def systemd_daemon(place: Place, *, is_user_unit: bool) -> str:
    """Give the unit of `harvester run`."""
    unit = _unit("harvester: reads the likes of contests by itself", is_user_unit=is_user_unit)
    service = [
        "[Service]",
        "Type=exec",
        *_command(place, "run"),
        "Restart=on-failure",
        "RestartSec=30",
        "# 2 is a wrong configuration: trying again would not help.",
        "RestartPreventExitStatus=2",
        *_limits(place, is_user_unit=is_user_unit),
    ]
    install = ["[Install]", f"WantedBy={'default' if is_user_unit else 'multi-user'}.target"]
    head = [*_where(place, ["harvester.service"], is_user_unit=is_user_unit), *_about_variables(place, _IN_A_FILE)]
    return _text([*head, "", *unit, "", *service, "", *install])


def systemd_nightly(place: Place, schedule: ScheduleSettings, *, is_user_unit: bool) -> str:
    """Give the units of the jobs that cron would call: the night, and a poll twice an hour; a timer for each."""
    night = [
        f"OnCalendar=*-*-* {schedule.nightly:%H:%M:%S} {schedule.timezone}",
        "# And a look every hour: a night that was missed, killed, or is due by newer rules of the zone.",
        "OnCalendar=hourly",
    ]
    jobs = (
        ("harvester-nightly", "nightly --if-due", "harvester: the night", night),
        ("harvester-poll", "poll", "harvester: reads every post once", ["OnCalendar=*:10,40"]),
    )
    names = [f"{name}.{kind}" for name, *_ in jobs for kind in ("service", "timer")]
    lines = [*_where(place, names, is_user_unit=is_user_unit), *_about_variables(place, _IN_A_FILE)]
    for name, words, what, calendar in jobs:
        lines += ["", f"# --- {name}.service", *_unit(what, is_user_unit=is_user_unit)]
        lines += ["", "[Service]", "Type=oneshot", *_command(place, words)]
        lines += ["# 3 is partial: it goes on by itself.", "SuccessExitStatus=3"]
        lines += _limits(place, is_user_unit=is_user_unit)
        lines += ["", f"# --- {name}.timer", "[Unit]", f"Description={what}, on time"]
        lines += ["", "[Timer]", *calendar, "Persistent=true", "", "[Install]", "WantedBy=timers.target"]
    return _text(lines)


_IN_A_FILE = "put them into a file that only you can read, and name it with EnvironmentFile= under [Service]"


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _about_variables(place: Place, what_to_do: str) -> Sequence[str]:
    """Say by name, never by value, what the environment sets here and will not set there."""
    if not place.variables:
        return []
    return [f"# Set here, and not there by itself: {', '.join(place.variables)};", f"# {what_to_do}."]


def _cron_job(place: Place, words: str, log: str) -> str:
    folder, executable, config = (_in_cron(path) for path in (place.folder, place.executable, place.config))
    return f"cd {folder} && {executable} {words} --config {config} >> {log}"


def _in_cron(path: Path) -> str:
    r"""Quote for the shell; cron takes a bare % for the end of the line, and \% for one."""
    return r"\%".join(shlex.quote(part) if part else "" for part in str(path).split("%"))


def _where(place: Place, names: Sequence[str], *, is_user_unit: bool) -> Sequence[str]:
    folder = "~/.config/systemd/user" if is_user_unit else "/etc/systemd/system"
    systemctl = "systemctl --user" if is_user_unit else "systemctl"
    started = [name for name in names if name.endswith(".timer")] or list(names)
    lingering = [f"# So that it runs while nobody is logged in: loginctl enable-linger {place.user}"]
    return [
        *(f"# {'This' if len(names) == 1 else 'Each part'} goes to {folder}/{name}" for name in names),
        f"# The folders that it writes to must exist: {', '.join(map(str, place.written)) or 'none'}",
        f"# Then: {systemctl} daemon-reload && {systemctl} enable --now {' '.join(started)}",
        *(lingering if is_user_unit else []),
    ]


def _unit(what: str, *, is_user_unit: bool) -> Sequence[str]:
    """Wait for the network, of which a user's own systemd knows nothing."""
    network = [] if is_user_unit else ["Wants=network-online.target", "After=network-online.target"]
    return ["[Unit]", f"Description={what}", *network]


def _command(place: Place, words: str) -> Sequence[str]:
    if _NOT_FOR_SYSTEMD.search(str(place.executable)):
        raise UsageError(f"systemd starts no command with a quote or a backslash in its path: {place.executable}")
    return [
        f"WorkingDirectory={_in_systemd(place.folder)}",
        f'ExecStart="{_in_quotes(place.executable)}" {words} --config "{_in_quotes(place.config).replace("$", "$$")}"',
        "KillSignal=SIGTERM",
        "TimeoutStopSec=150",
        "# What it writes is its user's alone.",
        "UMask=0077",
    ]


def _limits(place: Place, *, is_user_unit: bool) -> Sequence[str]:
    """Take away what is not needed; a user's own systemd may not be allowed to take away more."""
    if is_user_unit:
        return ["NoNewPrivileges=true"]
    hides = any(
        path.is_relative_to(one) for path in (place.executable, place.folder, *place.written) for one in _TEMPORARY
    )
    return [
        f"User={place.user}",
        "NoNewPrivileges=true",
        *([] if hides else ["PrivateTmp=true"]),
        "PrivateDevices=true",
        "ProtectSystem=strict",
        *(f'ReadWritePaths="{_in_quotes(path)}"' for path in place.written),
        "ProtectKernelTunables=true",
        "ProtectKernelModules=true",
        "ProtectControlGroups=true",
        "RestrictSUIDSGID=true",
        "LockPersonality=true",
    ]


def _in_systemd(path: Path) -> str:
    return str(path).replace("%", "%%")


def _in_quotes(path: Path) -> str:
    return _in_systemd(path).replace("\\", "\\\\").replace('"', '\\"')
