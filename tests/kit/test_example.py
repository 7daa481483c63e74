"""A connector in a distribution of its own, as an author elsewhere makes one: built, installed, checked."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[1] / "example_connector"
MODULE = EXAMPLE / "like_harvester_example" / "example.py"
DOCS = Path(__file__).parents[2] / "docs" / "connectors.md"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet")
ALONE = ("--no-deps", "--no-index")

Harvester = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def installed_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and install it into a folder of its own, without a network."""
    pytest.importorskip("hatchling", reason="hatchling builds the example's wheel")
    folder = tmp_path_factory.mktemp("example")
    source = shutil.copytree(EXAMPLE, folder / "source")
    wheels, target = folder / "wheels", folder / "installed"
    build = ("wheel", *ALONE, "--no-build-isolation", "--wheel-dir", str(wheels), str(source))
    subprocess.run([*PIP, *build], check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*PIP, "install", *ALONE, "--target", str(target), str(wheel)], check=True, capture_output=True)
    return target


@pytest.fixture
def harvester(installed_example: Path, tmp_path: Path) -> Harvester:
    """Run the command where the example is installed beside it."""
    path = os.pathsep.join([str(installed_example), *filter(None, [os.environ.get("PYTHONPATH")])])
    ours = {name: value for name, value in os.environ.items() if not name.startswith("HARVESTER_")}
    environment = ours | {"PYTHONPATH": path, "COLUMNS": "120"}
    program = (sys.executable, "-c", "from harvester.cli.main import main; main()")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run


def test_a_connector_of_another_distribution_passes_every_check(harvester: Harvester) -> None:
    done = harvester("connectors", "check", "example")
    assert (done.returncode, done.stderr) == (0, "")
    assert "failed" not in done.stdout
    assert re.search(r"^example: [0-9]+ checks passed, [0-9]+ do not apply; proven by 5 handwritten", done.stdout, re.M)


def test_a_connector_of_another_distribution_is_listed(harvester: Harvester) -> None:
    done = harvester("connectors", "list", "example")
    assert (done.returncode, done.stderr) == (0, "")
    assert "example: https://likes.example/posts/42" in done.stdout


def test_the_documentation_shows_the_example_as_it_is() -> None:
    shown = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    assert MODULE.read_text("utf-8") in shown
    assert len(MODULE.read_text("utf-8").splitlines()) <= 100


def test_the_documentation_shows_the_distribution_and_a_recording_as_they_are() -> None:
    text = DOCS.read_text("utf-8")
    for file in ("pyproject.toml", "like_harvester_example/recordings/example/gone.json"):
        assert (EXAMPLE / file).read_text("utf-8") in text
