"""Real processes, killed at any instant by SIGKILL, and many at once: what is credited in the end is exact.

A post of 20,000 likers is served by a process of its own. The victims are forked from a nursery that has imported
everything, so that most kills meet the work and not Python's start.
"""

import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from harvester.clock import utc_now
from harvester.contest.campaigns import find_campaign
from harvester.report.views import StatusView, status_of
from harvester.store.database import Database

pytestmark = pytest.mark.crash

LIKERS, KILLS = 20_000, 40
HARVESTER = Path(sys.executable).with_name("harvester")

_NURSERY = """
import json, os, sys
from harvester.cli.main import load_command, main
from harvester.collect.registry import installed
for name in ("campaign", "init", "poll", "post", "run"):
    load_command(name)
installed()
import alembic.command, psycopg
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(2, 1)
        sys.argv = json.loads(line)
        main()
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Nursery:
    """Runs `harvester` commands, one at a time, in processes that need no time to start; `victim` is the newest."""

    victim = 0

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._log = (folder / "nursery.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _NURSERY],
            env=environment,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
        )

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()
        self._log.close()

    def run(self, *arguments: str, kill_after: float | None = None) -> int:
        """Run a command, or kill it after so many seconds; give its exit code."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(["harvester", *arguments]).encode() + b"\n")
        self.victim = int(self._line())
        is_over = select.select([self._process.stdout], [], [], kill_after)[0]
        if not is_over:
            os.kill(self.victim, signal.SIGKILL)
        return int(self._line())

    def said(self) -> str:
        self._log.seek(0)
        return self._log.read()[-4000:]

    def _line(self) -> bytes:
        assert self._process.stdout
        line = b""
        while not line.endswith(b"\n"):
            character = self._process.stdout.read(1)
            assert character, self.said()
            line += character
        return line


@pytest.fixture(scope="module")
def served() -> Iterator[dict[str, Any]]:
    """A simulated platform in a process of its own; gives what it serves."""
    with serving(LIKERS) as facts:
        yield facts


@contextmanager
def serving(likers: int) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "harvester.rehearsal", "--likers", str(likers), "--dialect", "mastodon"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout
        try:
            yield json.loads(server.stdout.readline())
        finally:
            server.kill()


class Scene:
    """A contest over the served post, in a database of its own."""

    def __init__(self, folder: Path, url: str, served: dict[str, Any]) -> None:
        self.folder = folder
        self.served = served
        self.environment = without_pytest(os.environ) | {
            "HARVESTER_CONFIG": str(folder / "config.toml"),
            "HARVESTER_DATABASE__URL": url,
            "HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS": "true",
            "HARVESTER_CONNECTORS__MASTODON__BUDGET": "off",
        }
        self.database = Database(url)

    def set_up(self, nursery: Nursery) -> None:
        window = ("--start", "2020-01-01", "--end", "2100-01-01")
        assert nursery.run("init") == 0, nursery.said()
        assert nursery.run("campaign", "add", "cup", "--name", "The cup", *window) == 0, nursery.said()
        assert nursery.run("post", "add", "cup", self.served["url"]) == 0, nursery.said()

    @property
    def status(self) -> StatusView:
        with self.database.reading() as session:
            return status_of(session, find_campaign(session, "cup"), utc_now())

    @property
    def totals(self) -> tuple[int, int, int | None]:
        """Give credited likes, credited bytes, likers held."""
        status = self.status
        return status.likes.credited, status.bytes.credited, status.entries[0].held

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start the installed command."""
        return subprocess.Popen(
            [HARVESTER, *arguments], env=self.environment, cwd=self.folder, stdout=subprocess.DEVNULL
        )


def without_pytest(environment: Any) -> dict[str, str]:
    """Let the children keep their bytecode: most of their start is compiling."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


EXACT = (LIKERS, LIKERS * 10_000_000, LIKERS)


@pytest.fixture
def make_scene(tmp_path: Path, database_url: str, served: dict[str, Any]) -> Iterator[Callable[[], Scene]]:
    scenes = []

    def make() -> Scene:
        scenes.append(Scene(tmp_path, database_url, served))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.database.engine.dispose()


def test_polls_killed_forty_times_end_exact(make_scene: Callable[[], Scene]) -> None:
    """Thirty short lives spread over the first sweep, ten of any length up to a whole sweep."""
    scene, chance, left_at = make_scene(), random.Random(20_000), []
    with closing(Nursery(scene.environment, scene.folder)) as nursery:
        scene.set_up(nursery)
        start = startup_of(nursery)
        for kill in range(KILLS):
            longest = start + (0.06 if kill < 30 else 2.5)
            code = nursery.run("poll", "--full", kill_after=chance.uniform(0.3 * start, longest))
            assert code in (-signal.SIGKILL, 0), nursery.said()
            last = scene.status.entries[0].last_sweep
            left_at.append((last.pages, last.outcome) if last else None)
            assert scene.totals[0] * 10_000_000 == scene.totals[1]
        assert len(set(left_at)) > KILLS // 4, f"the kills missed the work: {left_at}"
        assert nursery.run("poll", "--full") == 0, nursery.said()
        assert scene.totals == EXACT
        transfers = scene.status.checkpoint
        assert nursery.run("poll", "--full") == 0, nursery.said()
        assert (scene.totals, scene.status.checkpoint) == (EXACT, transfers)


def startup_of(nursery: Nursery) -> float:
    """Measure how long a command takes to get to work."""
    begun = monotonic()
    assert nursery.run("campaign", "list") == 0
    return monotonic() - begun


def test_four_polls_at_once_end_exact(make_scene: Callable[[], Scene]) -> None:
    scene = make_scene()
    with closing(Nursery(scene.environment, scene.folder)) as nursery:
        scene.set_up(nursery)
    polls = [scene.start("poll", "cup", "--full") for _ in range(4)]
    assert {poll.wait(timeout=120) for poll in polls} <= {0, 3}
    assert scene.start("poll", "cup", "--full").wait(timeout=120) == 0
    assert scene.totals == EXACT


def test_a_poll_killed_beside_three_others_is_made_good(make_scene: Callable[[], Scene]) -> None:
    """Whoever held the post dies; the next one goes on at its cursor."""
    scene, chance = make_scene(), random.Random(3)
    with closing(Nursery(scene.environment, scene.folder)) as nursery:
        scene.set_up(nursery)
        others = [scene.start("poll", "--full") for _ in range(3)]
        while any(other.poll() is None for other in others):
            nursery.run("poll", "--full", kill_after=chance.uniform(0.1, 0.8))
        assert {other.wait() for other in others} <= {0, 3}
        assert nursery.run("poll", "--full") == 0, nursery.said()
    assert scene.totals == EXACT
