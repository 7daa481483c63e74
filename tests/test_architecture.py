"""The shape of the code, checked by reading it: who imports whom, says a platform's name, prints, or grows too long.

Every rule takes one module and gives the problems it found. The last tests break each rule on purpose: a check that
cannot fail is worth nothing.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

WORDS = {"clock", "config", "connector", "errors", "volume"}  # the vocabulary
MAY_IMPORT = {
    "errors": set(),
    "clock": set(),
    "volume": {"errors"},
    "connector": {"clock", "errors", "volume"},
    "config": WORDS - {"config"},
    "store": WORDS,
    "books": WORDS | {"store"},
    "collect": WORDS | {"store", "books"},
    "contest": WORDS | {"store", "books", "collect"},
    "run": WORDS | {"store", "books", "collect", "contest"},  # alerts and reports are handed to it
    "report": WORDS | {"store", "books", "collect", "contest"},  # and knows nothing of schedules
    "rehearsal": WORDS,  # a platform knows nothing of who reads it
    "kit": WORDS | {"store", "books", "collect", "rehearsal"},  # what proves a connector; authors import it too
    "web": WORDS | {"store", "books", "collect", "contest", "run", "report", "rehearsal"},
    "cli": WORDS | {"store", "books", "collect", "contest", "run", "report", "rehearsal", "kit", "web"},
    "__main__": {"cli"},
    "__init__": set(),
}
"""From the bottom up: what each room of `harvester/` may import beside itself."""

A_CONNECTOR_MAY_IMPORT = {"harvester.connector", "httpx", "msgspec"} | sys.stdlib_module_names
MAY_PRINT = ("harvester/cli/", "harvester/web/", "harvester/run/", "harvester/rehearsal/__main__.py")
MAY_SLEEP = ("harvester/collect/http.py",)
MAY_MAKE_ZONES = ("harvester/clock.py",)
MAY_NAME_PLATFORMS = ("connectors/", "harvester/rehearsal/")
MAY_BE_LONG = ("harvester/store/migrations/versions/",)  # lists of statements, read once

MOST_LINES = 300
MOST_FUNCTION_LINES = 40
ORDINARY_WORDS = {"csv", "threads", "x"}  # a file format, what runs side by side, any unknown
CONNECTORS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["harvester.connectors"]
PLATFORMS = frozenset(name.removesuffix("_page") for name in CONNECTORS) - ORDINARY_WORDS

Function = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, kw_only=True)
class Module:
    """One source file; `path` is relative to the repository, with forward slashes."""

    path: str
    source: str

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.source, filename=self.path)))

    @property
    def package(self) -> list[str]:
        return self.path.split("/")[:-1]

    @property
    def room(self) -> str:
        return self.path.split("/")[1].removesuffix(".py")

    @cached_property
    def local_names(self) -> list[tuple[str, str]]:
        """Every import anywhere in the file: what it is called here, and in full ('nap', 'time.sleep')."""
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Import):
                found += [(alias.asname or alias.name, alias.name) for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                start = self.package[: len(self.package) - node.level + 1] if node.level else []
                origin = ".".join([*start, *filter(None, [node.module])])
                found += [(alias.asname or alias.name, f"{origin}.{alias.name}") for alias in node.names]
        return found

    @property
    def imports(self) -> list[str]:
        return [name for _, name in self.local_names]

    def full_name(self, node: ast.AST) -> str:
        """Spell a name out, whatever it is called here: 'time.sleep', 'sys.stdout.write'."""
        first, dot, rest = ast.unparse(node).partition(".")
        return f"{dict(self.local_names).get(first, first)}{dot}{rest}"

    @cached_property
    def calls(self) -> set[str]:
        return {self.full_name(node.func) for node in self.nodes if isinstance(node, ast.Call)}


def imports_point_down(module: Module) -> Iterator[str]:
    if not module.path.startswith("harvester/"):
        return
    if module.room not in MAY_IMPORT:
        yield f"{module.path} has no place yet: say in MAY_IMPORT what it may import, and who may import it"
        return
    for name in module.imports:
        room = name.split(".")[1] if name.startswith("harvester.") else module.room
        is_a_room = room in MAY_IMPORT or name.count(".") > 1
        if is_a_room and room not in MAY_IMPORT[module.room] | {module.room}:
            yield f"{module.path} imports {name}: {module.room!r} may not import {room!r}"


def connectors_stand_alone(module: Module) -> Iterator[str]:
    if not module.path.startswith("connectors/"):
        return
    for name in module.imports:
        parts = name.split(".")
        is_shared = name.startswith("connectors._")  # the words of an API that several platforms speak
        if not is_shared and not {parts[0], ".".join(parts[:2])} & A_CONNECTOR_MAY_IMPORT:
            yield f"{module.path} imports {name}: a connector needs harvester.connector, httpx and msgspec only"


def the_core_imports_no_connector(module: Module) -> Iterator[str]:
    for name in module.imports:
        if module.path.startswith("harvester/") and name.split(".")[0] == "connectors":
            yield f"{module.path} imports {name}: ask collect/registry.py instead"


def platforms_are_named_by_connectors_only(module: Module) -> Iterator[str]:
    if module.path.startswith(MAY_NAME_PLATFORMS):
        return
    for line, word in _words(module):
        for platform in PLATFORMS:
            if platform in word.lower():
                yield f"{module.path}:{line} says {platform!r} in {word[:60]!r}: ask its traits or capabilities"


def printing_is_for_the_edges(module: Module) -> Iterator[str]:
    if module.path.startswith(MAY_PRINT):
        return
    printed = {name for name in module.calls if name.rpartition(".")[2] in ("print", "echo", "secho")}
    read = {module.full_name(node) for node in module.nodes if isinstance(node, ast.Attribute)}
    streams = {name for name in {*read, *module.imports} if name in ("sys.stdout", "sys.stderr")}
    for name in sorted(printed | streams):
        yield f"{module.path} uses {name}: return what is to be said, or log it"


def sleeping_is_for_the_client(module: Module) -> Iterator[str]:
    """Handing `time.sleep` on as an argument is how a test takes its place; calling it is not."""
    if not module.path.startswith(MAY_SLEEP) and "time.sleep" in module.calls:
        yield f"{module.path} calls time.sleep: only collect/http.py waits"


def zones_are_the_pinned_ones(module: Module) -> Iterator[str]:
    """`ZoneInfo(name)` reads the system's rules first, and two machines would end one contest at two instants."""
    made = {name for name in module.calls if name.startswith("zoneinfo.")}
    for name in sorted(made) if not module.path.startswith(MAY_MAKE_ZONES) else ():
        yield f"{module.path} calls {name}: harvester.clock.time_zone has the pinned rules"


def files_are_short(module: Module) -> Iterator[str]:
    lines = len(module.source.splitlines())
    if lines > MOST_LINES and not module.path.startswith(MAY_BE_LONG):
        yield f"{module.path} has {lines} lines, more than {MOST_LINES}"


def functions_are_short(module: Module) -> Iterator[str]:
    if module.path.startswith(MAY_BE_LONG):
        return
    for node in module.nodes:
        lines = node.end_lineno - node.lineno + 1 if isinstance(node, Function) and node.end_lineno else 0
        if isinstance(node, Function) and lines > MOST_FUNCTION_LINES:
            yield f"{module.path}:{node.lineno} {node.name} has {lines} lines, more than {MOST_FUNCTION_LINES}"


def _words(module: Module) -> Iterator[tuple[int, str]]:
    """Every identifier and every text of the code with its line; bare strings (docstrings) are prose."""
    prose = {node.value for node in module.nodes if isinstance(node, ast.Expr)}
    for node in module.nodes:
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str | bytes) and node not in prose:
                yield line, str(node.value)
        else:
            yield from ((line, text) for _, text in ast.iter_fields(node) if isinstance(text, str))


RULES: tuple[Callable[[Module], Iterator[str]], ...] = (
    imports_point_down,
    connectors_stand_alone,
    the_core_imports_no_connector,
    platforms_are_named_by_connectors_only,
    printing_is_for_the_edges,
    sleeping_is_for_the_client,
    zones_are_the_pinned_ones,
    files_are_short,
    functions_are_short,
)


def modules() -> list[Module]:
    paths = (path for folder in ("harvester", "connectors") for path in sorted((ROOT / folder).rglob("*.py")))
    return [Module(path=path.relative_to(ROOT).as_posix(), source=path.read_text("utf-8")) for path in paths]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_module_keeps_the_rule(rule: Callable[[Module], Iterator[str]]) -> None:
    assert [problem for module in modules() for problem in rule(module)] == []


def test_no_room_can_reach_itself_through_another() -> None:
    TopologicalSorter(MAY_IMPORT).prepare()


def test_every_place_that_has_a_room_in_the_code_is_read() -> None:
    rooms = {module.room for module in modules() if module.path.startswith("harvester/")}
    assert {"errors", "connector", "store", "collect", "books", "cli"} <= rooms


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (imports_point_down, "harvester/store/models.py", "import harvester.books.ledger"),
        (imports_point_down, "harvester/store/models.py", "from harvester import books"),
        (imports_point_down, "harvester/books/ledger.py", "from harvester.collect.sweep import sweep_entry"),
        (imports_point_down, "harvester/books/ledger.py", "def late():\n    from ..cli import main"),
        (imports_point_down, "harvester/collect/sweep.py", "from ..contest.entries import Entry"),
        (imports_point_down, "harvester/report/text.py", "from harvester.run import poll"),
        (imports_point_down, "harvester/run/poll.py", "from harvester.report import views"),
        (imports_point_down, "harvester/rehearsal/platform.py", "from harvester.store import models"),
        (imports_point_down, "harvester/web/app.py", "from harvester.cli import main"),
        (imports_point_down, "harvester/run/poll.py", "from harvester.kit import check_connector"),
        (imports_point_down, "harvester/web/app.py", "from harvester.kit import check_connector"),
        (imports_point_down, "harvester/kit/checks.py", "from harvester.report import text"),
        (imports_point_down, "harvester/volume.py", "from harvester.store.models import Entry"),
        (imports_point_down, "harvester/volume.py", "from .store.models import Entry"),
        (imports_point_down, "harvester/cli/main.py", "import harvester.utils.text"),
        (imports_point_down, "harvester/utils.py", ""),
        (imports_point_down, "harvester/services/__init__.py", ""),
        (connectors_stand_alone, "connectors/one.py", "from harvester.collect import http"),
        (connectors_stand_alone, "connectors/one.py", "from harvester import store"),
        (connectors_stand_alone, "connectors/one.py", "import harvester"),
        (connectors_stand_alone, "connectors/one.py", "from connectors.other import Other"),
        (connectors_stand_alone, "connectors/one.py", "from .other import Other"),
        (connectors_stand_alone, "connectors/one.py", "from connectors import other"),
        (connectors_stand_alone, "connectors/_shared.py", "from connectors.one import One"),
        (connectors_stand_alone, "connectors/_shared.py", "from harvester.collect import http"),
        (connectors_stand_alone, "connectors/one.py", "def late():\n    import requests"),
        (the_core_imports_no_connector, "harvester/cli/main.py", "import connectors"),
        (the_core_imports_no_connector, "harvester/cli/main.py", "def late():\n    from connectors.one import One"),
        (platforms_are_named_by_connectors_only, "harvester/cli/post.py", "if name == 'PLATFORM': pass"),
        (platforms_are_named_by_connectors_only, "harvester/cli/post.py", "text = f'the PLATFORM of {name}'"),
        (platforms_are_named_by_connectors_only, "harvester/cli/post.py", "is_PLATFORM = True"),
        (platforms_are_named_by_connectors_only, "harvester/cli/post.py", "def read_PLATFORM(): ..."),
        (platforms_are_named_by_connectors_only, "harvester/cli/post.py", "post.PLATFORM(PLATFORM_id=1)"),
        (platforms_are_named_by_connectors_only, "harvester/cli/post.py", "from connectors import PLATFORM as it"),
        (printing_is_for_the_edges, "harvester/books/ledger.py", "print('credited')"),
        (printing_is_for_the_edges, "harvester/report/text.py", "import typer\ntyper.echo('credited')"),
        (printing_is_for_the_edges, "harvester/report/text.py", "from rich import print as say\nsay('credited')"),
        (printing_is_for_the_edges, "harvester/collect/sweep.py", "import sys\nsys.stderr.write('page 1')"),
        (printing_is_for_the_edges, "harvester/collect/sweep.py", "from sys import stdout as out\nout.write('page')"),
        (printing_is_for_the_edges, "harvester/rehearsal/platform.py", "print('listening')"),
        (printing_is_for_the_edges, "connectors/one.py", "print('page 1')"),
        (sleeping_is_for_the_client, "harvester/run/worker.py", "import time\ntime.sleep(1)"),
        (sleeping_is_for_the_client, "harvester/run/worker.py", "import time as clock\nclock.sleep(1)"),
        (sleeping_is_for_the_client, "connectors/one.py", "from time import sleep as nap\nnap(1)"),
        (zones_are_the_pinned_ones, "harvester/run/nights.py", "from zoneinfo import ZoneInfo\nZoneInfo('UTC')"),
        (zones_are_the_pinned_ones, "connectors/one.py", "import zoneinfo\nzoneinfo.ZoneInfo('UTC')"),
        (files_are_short, "harvester/volume.py", "x = 1\n" * 301),
        (functions_are_short, "harvester/volume.py", "def long():\n" + "    x = 1\n" * 40),
        (functions_are_short, "harvester/volume.py", "class A:\n  async def long(self):\n" + "    x = 1\n" * 40),
    ],
)
def test_a_rule_catches_who_breaks_it(rule: Callable[[Module], Iterator[str]], path: str, source: str) -> None:
    for platform in PLATFORMS:
        for spelling in (platform, platform.upper()):
            assert list(rule(Module(path=path, source=re.sub("PLATFORM", spelling, source))))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("harvester/volume.py", "from harvester.errors import UsageError"),
        ("harvester/store/database.py", "from . import models\nfrom .migrations import HEAD\nimport sqlmodel"),
        ("harvester/collect/sweep.py", "from harvester import connector, store\nfrom harvester import __version__"),
        ("harvester/cli/main.py", "from harvester.web import app\nprint('hello')"),
        ("harvester/collect/http.py", "import time\ntime.sleep(1)"),
        ("harvester/run/worker.py", "import time\ndef work(sleep=time.sleep):\n    sleep(1)"),
        (
            "harvester/cli/post.py",
            "def add():\n    '''Example: https://PLATFORM.example/@a/1'''\nX = 1\n'''PLATFORM'''",
        ),
        ("harvester/rehearsal/__main__.py", "print('listening')"),
        ("harvester/store/migrations/versions/0001.py", "def upgrade():\n" + "    x = 1\n" * 400),
        (
            "connectors/one.py",
            "import re\nfrom urllib.parse import urlsplit\nfrom harvester.connector import Page\nimport httpx",
        ),
        ("connectors/one.py", "from connectors import _shared\nfrom connectors._shared import Page"),
        ("connectors/one.py", "from ._shared import Page"),
        ("connectors/_shared.py", "from connectors._words import Word\nfrom harvester.connector import Page"),
        ("connectors/one.py", "class PLATFORM:\n    name = 'PLATFORM'"),
        ("harvester/cli/connectors.py", "from harvester.kit import check_connector"),
        ("harvester/kit/ledgers.py", "from harvester.collect.sweep import sweep_entry\nimport harvester.rehearsal"),
        ("harvester/run/nights.py", "from zoneinfo import ZoneInfo\ndef at(zone: ZoneInfo): ..."),
        ("harvester/volume.py", "x = 1\n" * 300),
        ("harvester/volume.py", "def long():\n" + "    x = 1\n" * 39),
    ],
)
def test_every_rule_lets_the_right_thing_pass(path: str, source: str) -> None:
    module = Module(path=path, source=source.replace("PLATFORM", min(PLATFORMS)))
    assert [problem for rule in RULES for problem in rule(module)] == []
