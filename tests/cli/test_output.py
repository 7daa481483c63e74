"""Where a command's words go: a full disk, a closed pipe, few letters, a screen. Real processes: only they end."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from harvester.cli.main import main; main()"]
NAME = "Solidarité طنجة"
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")


def called(*arguments: str, **wanted: object) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a shell does."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | wanted
    return subprocess.run([*COMMAND, *arguments], check=False, timeout=60, **settings)  # type: ignore[call-overload,no-any-return]


@needs_full
@pytest.mark.parametrize("command", [("status",), ("status", "--json"), ("--help",)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_said_in_one_line(contest, command: tuple[str, ...], unbuffered: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = called(*command, stdout=full, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    assert done.returncode == 1
    assert done.stderr == b"harvester: the output cannot be written: no space left on device\n"


def test_a_reader_that_left_changes_neither_the_work_nor_its_exit_code(read_contest, platform, publish) -> None:
    dead = publish(2, author="dead")
    read_contest("post", "add", "afcon", platform.url_of(dead))
    dead.remove()
    reader, writer = os.pipe()
    os.close(reader)
    done = called("poll", stdout=writer)
    os.close(writer)
    assert (done.returncode, b"Traceback" in done.stderr, b"Broken pipe" in done.stderr) == (3, False, False)
    assert read_contest("status", "afcon", "--json").facts["entries"][2]["state"] == "missing"


def test_an_error_nobody_reads_keeps_its_exit_code(contest) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = called("status", "nobody", stderr=writer)
    os.close(writer)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_an_output_lacks_are_no_traceback(contest, encoding: str) -> None:
    contest("association", "add", "two", "--name", NAME, "--city", "Tangier", "--region", "Nord")
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    lists = [called("association", "list", *more, env=environment) for more in ((), ("--json",))]
    assert [(done.returncode, done.stderr) for done in lists] == [(0, b""), (0, b"")]
    assert b"Tangier" in lists[0].stdout
    assert NAME in [one["name"] for one in json.loads(lists[1].stdout)]


def test_what_is_not_settled_is_watched_on_a_screen_until_an_interrupt(contest, clock) -> None:
    contest("campaign", "add", "spring", "--name", "Spring", "--start", "2027-03-01", "--end", "2027-05-01")
    clock.forward(days=60)
    assert contest("campaign", "settle", "afcon").code == 0
    screen, terminal = pty.openpty()
    with subprocess.Popen([*COMMAND, "status", "--watch"], stdout=terminal, stderr=terminal) as watching:
        seen = read_until(screen, b"spring", b"likes credited")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=60) == 0
    os.close(screen)
    os.close(terminal)
    assert b"afcon" not in seen


def read_until(screen: int, *words: bytes) -> bytes:
    seen = b""
    while not all(word in seen for word in words):
        seen += os.read(screen, 4096)
    return seen


@pytest.mark.parametrize(
    ("more", "says"), [((), "--watch needs a terminal"), (("--json",), "--watch is for a screen, --json for programs")]
)
def test_a_status_is_not_watched_without_a_screen(contest, refused: Callable[..., str], more, says: str) -> None:
    assert refused("status", "--watch", *more).startswith(says)


def test_a_demo_has_nothing_to_complain_of(folder: Path) -> None:
    done = called("demo")
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_interrupted_demo_says_so_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary"), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*COMMAND, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as playing:
        assert playing.stdout
        assert playing.stderr
        next(line for line in playing.stdout if b"Two weeks" in line)
        playing.send_signal(signal.SIGINT)
        said = playing.stderr.read()
        playing.stdout.read()
    assert (playing.returncode, said) == (130, b"harvester: the demo was stopped\n")
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("kept", "kept exists: name a new folder"),
        ("kept/file/deeper", "the folder kept/file/deeper cannot be made: not a directory"),
        ("/proc/demo", "the folder /proc/demo cannot be made: no such file or directory"),
    ],
)
def test_a_folder_where_no_demo_can_be_is_one_line(folder: Path, refused: Callable[..., str], place, says) -> None:
    (folder / "kept").mkdir()
    (folder / "kept" / "file").touch()
    assert refused("demo", "--folder", place) == says
