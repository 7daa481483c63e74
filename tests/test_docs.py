"""The documents are true: their commands run, their numbers come out, their queries agree, their links lead somewhere.

Each document is typed, line by line, into the real command in a folder of its own, in front of simulated platforms.
A comment such as `<!-- now 2027-06-19T10:00Z -->` sets the clock for what follows it.
"""

import gc
import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from harvester.cli.main import COMMANDS, app, load_command
from harvester.cli.runtime import Runtime
from harvester.collect.registry import check_settings
from harvester.config import load_settings
from harvester.contest.contest_file import read_contest
from harvester.rehearsal import Bluesky, Kind, Mastodon, SimulatedPlatform, World
from harvester.rehearsal.faults import Reset, Throttle
from harvester.store.database import Database

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHER_PROGRAMS = ("$ make", "$ git", "$ pip")
MASTODON_URL = r"https://(?P<host>[\w.-]+)/@(?P<author>[\w-]+)/(?P<id>[0-9]+)"
BLUESKY_URL = r"https://bsky\.app/profile/(?P<handle>(?P<user>[\w-]+)[\w.-]*)/post/(?P<key>[a-z0-9]+)"
POST_URL = re.compile(f"{MASTODON_URL}|{BLUESKY_URL}")


def name_of(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Life:
    """What happens to a documented post: who likes it when, how many are hidden, when it is removed."""

    published: str = "2027-06-19T09:00Z"
    likes: tuple[tuple[str, int], ...] = (("2027-06-19T09:30Z", 240),)
    hidden: int = 0
    taken_back: tuple[str, int] = ("2027-06-19T09:30Z", 0)
    removed: str | None = None


LONG_BEFORE = at("2027-01-01T00:00Z")
FIRST_MORNING = at("2027-06-19T10:00Z")
NEVER_PUBLISHED = "118842599999999999"
LIVES = {
    "118842458112000001": Life(
        likes=(
            ("2027-06-19T10:05Z", 164),
            ("2027-06-19T20:00Z", 700),
            ("2027-07-12T12:00Z", 120),
            ("2027-07-18T23:58Z", 9),
        ),
        hidden=12,
    ),
    "3m2yq4c7dws2k": Life(
        likes=(("2027-06-19T10:05Z", 96), ("2027-06-19T20:00Z", 300), ("2027-07-12T12:00Z", 60)),
        taken_back=("2027-06-25T12:00Z", 5),
    ),
    "118842500000000002": Life(likes=(("2027-06-19T10:05Z", 40),), removed="2027-07-20T12:00Z"),
    "118610000000000017": Life(
        published="2027-06-05T12:00Z", likes=(("2027-06-06T12:00Z", 37), ("2027-06-25T12:00Z", 15))
    ),
    "118842577000000004": Life(likes=(("2027-06-19T10:05Z", 200), ("2027-07-18T23:58Z", 5))),
    "118610000000000018": Life(
        published="2027-06-05T12:00Z", likes=(("2027-06-06T12:00Z", 30), ("2027-07-12T12:00Z", 20))
    ),
    "120149000000000003": Life(published="2028-01-28T09:00Z", likes=(("2028-01-28T09:30Z", 50),)),
}
A_PAUSE_IS_ASKED_AT = at("2027-07-20T03:00Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedMastodon(Mastodon):
    """Numbers its posts as the documents do: the id stands at the end of the author."""

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        return author.rpartition("-")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedBluesky(Bluesky):
    """As above."""

    def post_id(self, *, author: str, number: int, at: datetime) -> str:
        return f"at://{self.actor_id(author)}/app.bsky.feed.post/{author.rpartition('-')[2]}"


@dataclass(kw_only=True)
class Stage:
    """A terminal in front of simulated platforms, where documented links lead to simulated posts."""

    platform: SimulatedPlatform
    environment: dict[str, str] = field(default_factory=dict)
    clock: datetime = LONG_BEFORE
    published: dict[str, str] = field(default_factory=dict)

    def turn_clock(self, to: datetime) -> None:
        assert to >= self.clock, f"the document goes back in time to {to}"
        if self.clock < A_PAUSE_IS_ASKED_AT <= to:
            pause = Throttle(reset=Reset.RETRY_AFTER_SECONDS, pause=timedelta(minutes=15))
            self.platform.faults.inject(pause, on=Kind.LIKES, about="118842458112000001", nth=3)
        self.clock = to

    def type(self, line: str) -> tuple[int, str]:
        """Run one line; give its exit code and what it printed, in the document's own links."""
        program, *words = shlex.split(self.simulated(line))
        assert program == "harvester", line
        environment = self.environment | {
            "COLUMNS": "250",
            "HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS": "true",
            "HARVESTER_CONNECTORS__BLUESKY__APPVIEW": self.platform.origin,
        }
        running = Runtime(now=lambda: self.clock, sleep=self._sleep, author="the docs")
        done = CliRunner().invoke(app, words, obj=running, env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, self._documented(done.output)

    def simulated(self, text: str) -> str:
        """Put simulated links in the place of documented ones."""
        return POST_URL.sub(self._publish, text)

    def _publish(self, found: re.Match[str]) -> str:
        known = {documented: simulated for simulated, documented in self.published.items()}
        if found[0] in known:
            return known[found[0]]
        number = found["id"] or found["key"]
        author = f"{found['author'] or found['user']}-{number}"
        dialect = DocumentedMastodon() if found["id"] else DocumentedBluesky()
        life = LIVES.get(number, Life())
        if number != NEVER_PUBLISHED:
            post = self.platform.world.publish(dialect, author=author, at=at(life.published))
            live(post, life)
        url = f"{self.platform.origin}/@{author}/{number}"
        if found["key"]:
            url = f"https://bsky.app/profile/{author}.simulated.test/post/{number}"
        self.published[url] = found[0]
        return url

    def _documented(self, text: str) -> str:
        for simulated, documented in self.published.items():
            text = text.replace(simulated, documented)
        return text.replace(self.platform.origin, "https://social.example").replace("127.0.0.1", "social.example")

    def _sleep(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds)


def live(post: Any, life: Life) -> None:
    """Schedule everything that will happen to a post."""
    for instant, fans in life.likes:
        for number in range(fans):
            post.like(f"fan-{instant}-{number}", at(instant))
    for number in range(life.hidden):
        post.hide(f"fan-{life.likes[0][0]}-{number}", at(life.published))
    for number in range(life.taken_back[1]):
        post.unlike(f"fan-{life.likes[0][0]}-{number}", at(life.taken_back[0]))
    if life.removed:
        post.remove(at(life.removed))


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its lines, the clock that the document sets for it, and where it stands."""

    language: str
    text: str
    now: datetime
    place: str


def blocks(document: Path, *languages: str) -> Iterator[Block]:
    text, now = document.read_text(encoding="utf-8"), FIRST_MORNING
    for found in re.finditer(r"<!-- now (\S+) -->|^( *)```(\w+)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE):
        if found[1]:
            now = at(found[1])
        elif found[3] in languages:
            place = f"{name_of(document)}:{text.count(chr(10), 0, found.start()) + 1}"
            yield Block(found[3], found[4], now, place)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and nothing of this machine's own settings."""
    for variable in [name for name in os.environ if name.startswith("HARVESTER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stage(folder: Path) -> Iterator[Stage]:
    dialects = DocumentedMastodon(), DocumentedBluesky()
    clock: list[Stage] = []
    with SimulatedPlatform(World(lambda: clock[0].clock), *dialects) as platform:
        clock.append(Stage(platform=platform))
        yield clock[0]


def plain(text: str) -> str:
    """Take out what only lays text out: runs of spaces and the rules of tables."""
    return " ".join(re.sub("[─]+", " ", text).split())


def commands(block: Block) -> Iterator[tuple[str, int, list[str]]]:
    """Give each typed line, the exit code it must end with, and the lines it must print."""
    for part in re.split(r"^\$ ", block.text.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
        line, *rest = part.splitlines()
        code = next((int(one.rpartition(" ")[2]) for one in rest if one.startswith("# exit code ")), 0)
        printed = [plain(one) for one in rest if not one.startswith("# exit code ")]
        yield line, code, [one for one in printed if one and one != "…"]


def _write(folder: Path, language: str, text: str) -> None:
    """Put a documented file where its commands look for it."""
    if language == "csv":
        (folder / "imports").mkdir()
        (folder / "imports" / "snapchat.csv").write_text(text, encoding="utf-8")
    elif "[campaign]" in text:
        (folder / "contest.toml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_documented_command_does_what_the_document_says(document: Path, stage: Stage, folder: Path) -> None:
    for block in blocks(document, "console", "toml", "csv"):
        if block.language != "console":
            _write(folder, block.language, stage.simulated(block.text))
            continue
        stage.turn_clock(block.now)
        for line, code, printed in commands(block):
            if f"$ {line}".startswith(OTHER_PROGRAMS):
                continue
            ended, output = stage.type(line)
            assert ended == code, f"{block.place}: {line}\n{output}"
            lines = [plain(one) for one in output.splitlines()]
            missing = [one for one in printed if not any(one in real for real in lines)]
            assert not missing, f"{block.place}: {line}\nnot printed: {missing}\n{output}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_documented_file_loads(document: Path, folder: Path) -> None:
    for block in blocks(document, "toml"):
        written = tomllib.loads(block.text)
        file = folder / "documented.toml"
        file.write_text(block.text, encoding="utf-8")
        if "campaign" in written:
            read_contest(file)
        elif "project" not in written:
            for secret in secret_files(written):
                (folder / secret).parent.mkdir(exist_ok=True)
                (folder / secret).write_text("sqlite:///a-secret\n", encoding="utf-8")
            check_settings(load_settings(file))


def secret_files(written: dict[str, Any], *, are_files: bool = False) -> Iterator[str]:
    """Give the path behind every `*_file` key, a table of them included."""
    for key, value in written.items():
        if isinstance(value, dict):
            yield from secret_files(value, are_files=key.endswith("_file"))
        elif (are_files or key.endswith("_file")) and key not in ("master_file", "signing_file"):
            yield value


YASMINE = "https://social.example/@yasmine/118842458112000001"
AMINE = "https://bsky.app/profile/amine.example/post/3m2yq4c7dws2k"
OLD = "https://social.example/@federation/118610000000000017"
COUNTED = "https://social.example/@counted/118842577000000004 https://social.example/@older/118610000000000018"
NEVER_READ = "https://social.example/@salma/118842500000000002"
EVENTFUL_CONTEST = (
    ("2027-06-10T09:00Z", "init"),
    (
        "2027-06-10T09:00Z",
        "campaign add afcon-2027 --name AFCON --start 2027-06-19 --end 2027-07-19 --cap 18.65GB --floor 18.65GB"
        " --keeps standing",
    ),
    ("2027-06-10T09:00Z", "campaign add other --name Other --start 2027-06-19 --end 2027-07-19 --rate 7MB"),
    ("2027-06-10T09:00Z", "association add tanger-solidarite --name Tanger --city Tangier --region Nord"),
    ("2027-06-10T09:00Z", "association add fes-lecture --name Fes --city Fes --region Centre"),
    ("2027-06-19T10:10Z", f"post add afcon-2027 {YASMINE} --entrant Yasmine"),
    ("2027-06-19T10:10Z", f"post add afcon-2027 {AMINE} {OLD} --entrant Amine"),
    ("2027-06-19T10:10Z", f"post add afcon-2027 {COUNTED} --basis count"),
    ("2027-06-19T10:10Z", f"post add afcon-2027 {NEVER_READ}"),
    ("2027-06-19T10:10Z", f"post remove afcon-2027 {NEVER_READ}"),
    ("2027-06-19T10:10Z", f"post add other {OLD} --credit-existing agreed"),
    ("2027-06-19T10:10Z", "poll"),
    ("2027-06-20T03:00Z", "poll --full"),
    ("2027-06-26T03:00Z", "poll --full"),
    ("2027-06-27T03:00Z", "poll --full"),
    ("2027-07-05T10:00Z", "campaign rate afcon-2027 20MB --from 2027-07-11 --reason finals"),
    ("2027-07-05T10:00Z", "association assign afcon-2027 fes-lecture --share 33.3333% --reason chosen"),
    ("2027-07-13T03:00Z", "poll --full"),
    ("2027-07-18T23:55Z", "poll --full"),
    ("2027-07-19T00:20Z", "poll --full"),
    ("2027-07-19T09:00Z", "association assign afcon-2027 tanger-solidarite --reason chosen"),
    ("2027-07-19T09:00Z", "winner assign afcon-2027 Yasmine --reason most"),
    ("2027-07-19T10:00Z", "campaign settle afcon-2027"),
)


def named(status: Any, path: str) -> list[int | None]:
    """Give what a path such as `bytes.credited` or `entries.held` names; a number names itself."""
    if path.isdigit():
        return [int(path)]
    for part in path.split("."):
        status = [one[part] for one in status] if isinstance(status, list) else status[part]
    return status if isinstance(status, list) else [status]


def queries(kind: str) -> Iterator[tuple[Block, str]]:
    """Give the documented queries of a kind (equals, refused, empty, or those of none), each with what it promises."""
    for block in (block for document in DOCUMENTS for block in blocks(document, "sql")):
        promise = re.match(r"-- (equals|refused|empty)\b ?(.*)", block.text)
        if (promise[1] if promise else "none") == kind:
            yield block, promise[2] if promise else ""


def check_equal(database_url: str, status: Any) -> None:
    """Run every query that promises the fields of a status, a column each, and compare."""
    for block, paths in queries("equals"):
        columns = zip(*ask(database_url, block.text), strict=True)
        found = [[None if value is None else int(value) for value in column] for column in columns]
        assert found == [named(status, path) for path in paths.split()], f"{block.place}:\n{block.text}"


def glance(database_url: str) -> None:
    """Read other numbers than stood beside the lists, as the daemon does where many posts cost one request."""
    now = datetime.now(UTC).isoformat(sep=" ")
    for statement in (
        f"INSERT INTO reading (entry_id, read_at, likes) SELECT id, '{now}', displayed + 1 FROM entry WHERE id <= 2",
        "UPDATE entry SET displayed = displayed + 1 WHERE id <= 2",
    ):
        ask(database_url, statement)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_every_query_agrees_with_the_status_of_the_practice_contest(folder: Path) -> None:
    def typed(*words: str) -> str:
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        return done.output

    def status() -> Any:
        return json.loads(typed("status", "afcon-2027", "--json", "--config", "practice/config.toml"))

    typed("demo", "--folder", "practice")
    url = f"sqlite:///{folder}/practice/harvester.db"
    before = status()
    check_equal(url, before)
    glance(url)
    after = status()
    assert ([one["gap"] for one in before["entries"]][:2], [one["gap"] for one in after["entries"]][:2]) == (
        [0, 0],
        [None, None],
    )
    check_equal(url, after)
    gc.collect()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_every_query_agrees_with_the_status(stage: Stage, database_url: str) -> None:
    stage.environment["HARVESTER_DATABASE__URL"] = database_url
    for now, words in EVENTFUL_CONTEST:
        stage.turn_clock(at(now))
        code, output = stage.type(f"harvester {words}")
        assert code == 0, f"{words}\n{output}"
    status = json.loads(stage.type("harvester status afcon-2027 --json")[1])
    missing = {"credited", "uncertain", "reversed", "over_cap", "baseline"} - {
        kind for kind, count in status["likes"].items() if count
    }
    assert not missing, status
    assert any(entry["gap"] for entry in status["entries"])

    check_equal(database_url, status)
    for block, _ in queries("refused"):
        with pytest.raises(DBAPIError, match="rows are never changed"):
            ask(database_url, block.text)
    for block, _ in queries("empty"):
        assert ask(database_url, block.text) == [], f"{block.place}:\n{block.text}"
    for block, _ in queries("none"):
        assert ask(database_url, block.text), f"{block.place} finds nothing:\n{block.text}"
    glance(database_url)
    check_equal(database_url, json.loads(stage.type("harvester status afcon-2027 --json")[1]))
    gc.collect()  # a command leaves its connections to the end of its process, which here does not end


def ask(url: str, query: str) -> list[Any]:
    database = Database(url)
    try:
        with database.engine.begin() as connection:
            answer = connection.exec_driver_sql(query)
            return list(answer) if answer.returns_rows else []
    finally:
        database.engine.dispose()


def existing_commands() -> Iterator[str]:
    for name in COMMANDS:
        children = getattr(load_command(name), "commands", {})
        yield from (f"harvester {name} {child}" for child in children) if children else [f"harvester {name}"]


@pytest.mark.parametrize("command", list(existing_commands()))
def test_every_command_is_documented(command: str) -> None:
    assert any(re.search(rf"{command}\b", document.read_text(encoding="utf-8")) for document in DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_document_promises_a_command_that_does_not_exist(document: Path) -> None:
    known = {tuple(command.split()[1:]) for command in existing_commands()}
    for name, child in re.findall(r"`harvester ([a-z]+)(?: ([a-z]+))?", document.read_text(encoding="utf-8")):
        assert (name,) in known or (name, child) in known or (not child and name in COMMANDS), f"{name} {child}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []
