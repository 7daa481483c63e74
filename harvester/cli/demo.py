"""`harvester demo`: a rehearsed contest from first like to report, through the real commands and the real connectors.

Only the platforms and the calendar are simulated. The clock jumps from night to night; everything else is what an
operator would type.
"""

import json
import logging
import os
import signal
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from harvester.cli.main import app as harvester
from harvester.cli.runtime import Runtime, new_app, show
from harvester.config import ENVIRONMENT_PREFIX
from harvester.contest.times import find_zone, write_time
from harvester.errors import HarvesterError, UsageError
from harvester.rehearsal.contest import ENDS_AT, STARTS_AT, RehearsedContest
from harvester.report.text import number, post_name, table
from harvester.volume import Volume

_NEXT = """What to type next:
  harvester try URL                what a real public post would earn; nothing is kept
  harvester connectors list        whose posts can be read, and what their URLs look like
  harvester init                   config.toml, keys, database
  harvester campaign add --help    your first contest; README.md walks through it"""
_INTERRUPTED = 130  # as a shell has it
_ZONE = find_zone("Africa/Casablanca")
app = new_app()


class DemoError(HarvesterError):
    """The demo did not come out as it must."""


@app.command()
def demo(
    folder: Annotated[Path | None, typer.Option(help="Keep the demo's database here, to look around in it.")] = None,
) -> None:
    """Run a whole contest in seconds on simulated platforms, and check every credited like against their truth.

    Example: harvester demo
    """
    if folder is not None:
        _make(folder)
    logging.getLogger("harvester.run.alerts").setLevel(logging.ERROR)  # in two weeks of polls no night is missed
    kept = nullcontext(folder) if folder else tempfile.TemporaryDirectory(prefix="harvester-demo-")
    with _stopping_at_once(), kept as place, RehearsedContest() as contest:
        _Demo(contest, Path(place)).run()
    typer.echo(_NEXT)
    if folder is not None:
        typer.echo(f"  harvester status --config {folder / 'config.toml'}")


def _make(folder: Path) -> None:
    """Make the folder to keep; `UsageError` when it is there already, or cannot be."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(f"{folder} exists: name a new folder") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"the folder {folder} cannot be made: {reason}") from error


@contextmanager
def _stopping_at_once() -> Iterator[None]:
    """Let Ctrl-C end the whole demo: as an exception, each typed command would take it for the end of itself alone."""

    def stop(*_: object) -> NoReturn:
        typer.echo("harvester: the demo was stopped", err=True)
        raise SystemExit(_INTERRUPTED)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Demo:
    """The demo's stage: a rehearsed contest, and a folder for a real installation."""

    def __init__(self, contest: RehearsedContest, folder: Path) -> None:
        self._contest = contest
        self._clock = contest.clock
        self._config = folder / "config.toml"
        self._console = Console(highlight=False, soft_wrap=True)

    def run(self) -> None:
        """Play the contest, act by act."""
        for variable in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
            del os.environ[variable]  # the demo must never touch a real installation
        self._config.write_text(f"{self._contest.config}\n[sweep]\nthreads = 1\n", encoding="utf-8")
        for name, secret in self._contest.secrets.items():
            (self._config.parent / name).write_text(secret, encoding="utf-8")
        self._prepare()
        self._count_likes()
        self._decide()
        self._check()

    def _prepare(self) -> None:
        self._say("Before the contest: one installation, one contest, one association.")
        self._type("init", quiet=True)
        days = ("--start", write_time(STARTS_AT, _ZONE)[:10], "--end", write_time(ENDS_AT, _ZONE)[:10])
        self._type("campaign", "add", "afcon-2027", "--name", "AFCON 2027", *days)
        place = ("--city", "Tangier", "--region", "Tanger-Tétouan-Al Hoceïma")
        self._type("association", "add", "tanger-solidarite", "--name", "Tanger Solidarité", *place)
        self._clock.advance_to(STARTS_AT + timedelta(hours=10))
        self._say("The first morning: five posts on three (simulated) platforms; the third only counts.")
        for one in self._contest.posts:
            self._type("post", "add", "afcon-2027", one.url, "--entrant", one.entrant)

    def _count_likes(self) -> None:
        self._say("Two weeks, a poll every night at 03:00; one platform asks for a pause in the first.")
        self._contest.ask_for_a_pause(timedelta(minutes=15), at_page=4)
        first = STARTS_AT + timedelta(days=1, hours=3)
        nights = [first, first + timedelta(minutes=20), *(first + timedelta(days=day) for day in range(1, 13))]
        for instant in (*nights, ENDS_AT - timedelta(minutes=5), ENDS_AT, ENDS_AT + timedelta(days=1)):
            self._clock.advance_to(instant)
            self._poll()

    def _decide(self) -> None:
        self._say("The day after: the count is ended for good; then the winner, and who receives the data.")
        self._type("campaign", "settle", "afcon-2027")
        self._type("winner", "rank", "afcon-2027")
        self._type("winner", "assign", "afcon-2027", "Yasmine", "--reason", "most credited likes")
        self._type("association", "assign", "afcon-2027", "tanger-solidarite", "--reason", "chosen by the winner")
        self._type("status", "afcon-2027")

    def _check(self) -> None:
        """Compare every post with what truly happened on its platform."""
        self._say("Was it right? The simulated platforms know who truly liked before the end.")
        status = json.loads(self._type("status", "afcon-2027", "--json", quiet=True))
        results = list(self._compare(status["entries"]))
        rows = table("post", "#truly liked", "#cannot be named", "#credited", "")
        for name, truth, blocked, credited in results:
            is_exact = truth - blocked == credited
            mark = Text("exact", style="green") if is_exact else Text("wrong", style="red")
            rows.add_row(name, number(truth), number(blocked), number(credited), mark)
        show(rows)
        credited, gap = status["likes"]["credited"], sum(entry["gap"] or 0 for entry in status["entries"])
        pledged = status["bytes"]["pledged"]
        is_right = all(truth - blocked == likes for _, truth, blocked, likes in results)
        if not (is_right and pledged == status["bytes"]["credited"] == 10_000_000 * credited):
            raise DemoError("the credited likes differ from the simulated platforms' own record")
        typer.echo(
            f"{credited:,} likes credited, {gap:,} shown without a name (the gap), {Volume(pledged)} pledged in "
            f"Tangier: exactly the truth.\n"
        )

    def _compare(self, entries: Sequence[dict[str, Any]]) -> Iterable[tuple[str, int, int, int]]:
        for one, entry in zip(self._contest.posts, entries, strict=True):
            nameable, blocked = len(one.creditable()), len(one.blocked)
            yield post_name(entry["connector"], entry["url"]), nameable + blocked, blocked, entry["credited"]

    def _poll(self) -> None:
        """Poll, and say in one line what a night brought."""
        done = json.loads(self._type("poll", "afcon-2027", "--full", "--json", quiet=True))
        credited = sum(entry["credited"] for entry in done["entries"])
        paused = next((entry for entry in done["entries"] if entry["resume_at"]), None)
        note = f"  {paused['reason']}, until {_clock_time(paused['resume_at'])}" if paused else ""
        colour = {"complete": "green", "partial": "yellow"}.get(done["outcome"], "red")
        night = write_time(self._clock.now(), _ZONE)
        self._console.print(f"  {night}  {credited:>6,} likes credited  [{colour}]{done['outcome']}[/]{note}")

    def _type(self, *words: str, quiet: bool = False) -> str:
        """Run a real command as if typed now; give what it printed."""
        if not quiet:
            typed = " ".join(f'"{word}"' if " " in word else word for word in words)
            self._console.print(f"[dim]$ harvester {typed}[/]")
        printed = StringIO()
        running = Runtime(now=self._clock.now, sleep=self._clock.sleep, author="demo")
        with redirect_stdout(printed) if quiet else nullcontext():
            harvester([*words, "--config", str(self._config)], standalone_mode=False, obj=running)
        return printed.getvalue()

    def _say(self, what: str) -> None:
        self._console.print(f"\n[bold]{what}[/]")


def _clock_time(instant: str) -> str:
    return write_time(datetime.fromisoformat(instant), _ZONE)[-5:]
