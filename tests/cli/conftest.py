"""The real command in a folder of its own, on a clock turned by hand, in front of simulated platforms."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harvester.cli.main import app
from harvester.cli.runtime import Runtime
from harvester.rehearsal import Bluesky, Mastodon, SimulatedPlatform, SimulatedPost, World

KICK_OFF = datetime(2027, 1, 21, 20, tzinfo=UTC)


class Clock:
    """Stands still but for `forward` and its own sleep."""

    def __init__(self) -> None:
        self.at = KICK_OFF

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)

    def sleep(self, seconds: float) -> None:
        self.forward(seconds=seconds)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def facts(self) -> Any:
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """What it printed, without the lines and columns of a terminal."""
        return " ".join(self.out.split())


Run = Callable[..., Said]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and another one for what should leave no trace."""
    for variable in [name for name in os.environ if name.startswith("HARVESTER_")]:
        monkeypatch.delenv(variable)
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("COLUMNS", "250")
    return work


@pytest.fixture
def run(folder: Path, clock: Clock) -> Run:
    """Run a command; an error that is not ours stays a traceback."""

    def invoke(*arguments: str) -> Said:
        runtime = Runtime(now=clock, sleep=clock.sleep, author="the test")
        result = CliRunner().invoke(app, list(arguments), obj=runtime)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(code=result.exit_code, out=result.stdout, err=result.stderr)

    return invoke


@pytest.fixture
def platform(world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedPlatform]:
    """One server for every platform, which this installation may reach."""
    with SimulatedPlatform(world) as platform:
        monkeypatch.setenv("HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS", "true")
        monkeypatch.setenv("HARVESTER_CONNECTORS__BLUESKY__APPVIEW", platform.origin)
        yield platform


@pytest.fixture
def publish(world: World) -> Callable[..., SimulatedPost]:
    """Publish a post that some people like."""

    def make(likers: int, *, dialect: Any = None, author: str = "contest", at: datetime | None = None) -> SimulatedPost:
        post = world.publish(dialect or Mastodon(), author=author, at=at)
        for number in range(likers):
            post.like(f"fan-{number}")
        return post

    return make


@pytest.fixture
def home(run: Run) -> Run:
    """An installation without a contest."""
    assert run("init").code == 0
    return run


@pytest.fixture
def contest(home: Run) -> Run:
    """An installation with a contest, `afcon`, from today to 18 February in Casablanca, and an association."""
    add = ("campaign", "add", "afcon", "--name", "AFCON", "--start", "2027-01-21", "--end", "2027-02-18")
    assert home(*add).code == 0
    register = ("association", "add", "tanger", "--name", "Tanger Solidarité", "--city", "Tangier", "--region", "Nord")
    assert home(*register).code == 0
    return home


@pytest.fixture
def read_contest(contest: Run, platform: SimulatedPlatform, publish: Callable[..., SimulatedPost]) -> Run:
    """A contest with the posts of two contestants, read once: Yasmine's 120 likers and Omar's 90 on two platforms."""
    posts = {"Yasmine": publish(120, author="yasmine"), "Omar": publish(90, dialect=Bluesky(), author="omar")}
    for entrant, post in posts.items():
        assert contest("post", "add", "afcon", platform.url_of(post), "--entrant", entrant).code == 0
    assert contest("poll").code == 0
    return contest


def the_one_line(said: Said, code: int) -> str:
    """Check that a command only said what was wrong, in one line, and give it."""
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("harvester: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    return said.err.removeprefix("harvester: ").rstrip("\n")


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """Run a command that must end in one line, and give that line."""
    return lambda *arguments, code=2: the_one_line(run(*arguments), code)
