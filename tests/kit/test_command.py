"""`harvester connectors check` and `list`: what an author and an operator read, and the exit codes."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harvester.cli.main import app
from harvester.collect.registry import installed
from harvester.kit import CHECKS

RECORDINGS = Path(__file__).parents[1] / "recordings"
NAME = "bluesky"


@dataclass(frozen=True, kw_only=True)
class Said:
    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for variable in [name for name in os.environ if name.startswith("HARVESTER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def invoke(*arguments: str) -> Said:
        result = CliRunner().invoke(app, ["connectors", *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(code=result.exit_code, out=result.stdout, err=result.stderr)

    return invoke


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A folder of recordings to spoil."""
    return Path(shutil.copytree(RECORDINGS / NAME, tmp_path / "copied"))


def spoil(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")


def test_every_check_is_shown_with_what_proves_the_connector(run: Run) -> None:
    said = run("check", NAME)
    assert (said.code, said.err) == (0, "")
    assert all(check.name in said.out for check in CHECKS)
    assert said.out.splitlines()[-1].startswith(f"{NAME}: ")
    assert "proven by 3 recorded, 1 official, 5 handwritten exchanges; quirks by a simulated platform" in said.out


def test_a_check_that_fails_says_why_and_ends_with_1(run: Run, copied: Path) -> None:
    spoil(copied / "pages.json", expected_likers=[])
    said = run("check", NAME, "--recordings", str(copied), "--json")
    (report,) = json.loads(said.out)
    failed = [one["check"] for one in report["findings"] if one["verdict"] == "failed"]
    assert (said.code, failed) == (1, ["gives what is expected"])
    assert "pages: likers" in " ".join(run("check", NAME, "--recordings", str(copied)).out.split())


def test_a_folder_may_hold_the_recordings_of_several_connectors(run: Run) -> None:
    assert run("check", NAME, "--recordings", str(RECORDINGS)).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "friendster"), "no connector is called 'friendster'"),
        (("check", NAME, "--recordings", "nowhere"), "nowhere is no folder"),
        (("check", NAME, "--recordings", "."), f"holds no recordings of {NAME}"),
    ],
)
def test_what_cannot_be_checked_is_one_line(run: Run, arguments: tuple[str, ...], words: str) -> None:
    said = run(*arguments)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert words in said.err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"whta": "x"}, "Object contains unknown field `whta`"),
        ({"what": 7}, "Expected `str`, got `int` - at `$.what`"),
        ({"urls": []}, "expected at least one link - at `$.urls`"),
        ({"expected_likers": [{"actor": ""}]}, "a liker without an id"),
        ({"exchanges": [{}]}, "at `$.exchanges[0]`"),
    ],
)
def test_a_malformed_recording_is_one_line_with_its_place(
    run: Run, copied: Path, changes: dict[str, Any], words: str
) -> None:
    spoil(copied / "pages.json", **changes)
    said = run("check", NAME, "--recordings", str(copied))
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert f"{copied / 'pages.json'} is not a recording: " in said.err
    assert words in said.err


def test_a_recording_that_is_no_json_is_one_line(run: Run, copied: Path) -> None:
    (copied / "pages.json").write_text("{", "utf-8")
    said = run("check", NAME, "--recordings", str(copied))
    assert (said.code, said.err.count("\n")) == (2, 1)


def test_the_list_fits_a_hundred_columns(run: Run) -> None:
    said = run("list")
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= 100
    assert all(name in said.out for name in installed())
    assert "https://" not in said.out


def test_the_list_shows_links_when_asked(run: Run) -> None:
    form = installed()[NAME].url_forms[0]
    assert f"{NAME}: {form}" in run("list", "--urls").out
    assert f"{NAME}: {form}" in run("list", NAME).out


def test_the_list_for_programs_says_everything(run: Run) -> None:
    facts = {one["connector"]: one for one in json.loads(run("list", "--json").out)}
    assert list(facts) == list(installed())
    assert (facts[NAME]["tells"], facts[NAME]["basis"]) == (["who liked", "how many"], "identity")
    assert (facts[NAME]["page_max"], facts[NAME]["batch_max"]) == (100, 25)
    assert facts[NAME]["proven_by"] == ["recorded", "official", "handwritten"]
