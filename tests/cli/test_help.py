"""Every command explains itself with an example, and asking for help costs nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import harvester.cli
from harvester.cli.main import COMMANDS, app, load_command

HEAVY = {"sqlmodel", "sqlalchemy", "httpx", "pydantic", "pydantic_settings", "msgspec", "alembic", "cryptography"}
NO_COMMANDS = {"login", "settle", "__init__", "main", "output", "runtime"}  # of connectors, of campaign


def helped(*command: str) -> str:
    """Give the help of a command."""
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def subcommands(name: str) -> Iterator[tuple[str, ...]]:
    command: Any = load_command(name)
    children = getattr(command, "commands", {})
    yield from ((name, child) for child in children) if children else [(name,)]


def test_every_module_of_a_command_is_listed_and_every_listed_command_has_a_module() -> None:
    modules = {path.stem for path in Path(harvester.cli.__file__).parent.glob("*.py")} - NO_COMMANDS

    assert {module.rstrip("_") for module in modules} == set(COMMANDS)


def test_the_list_of_commands_shows_each_with_its_line() -> None:
    listed = helped()

    for name, line in COMMANDS.items():
        assert name in listed
        assert line in listed


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_list_is_true(name: str) -> None:
    """For a noun it names the commands it really has."""
    command: Any = load_command(name)
    children = list(getattr(command, "commands", {}))
    if children:
        promised = COMMANDS[name].rpartition(": ")[2].rstrip(".").split(", ")
        assert {words.split()[0] for words in promised} == set(children)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    for command in subcommands(name):
        text = " ".join(helped(*command).replace("│", " ").split())
        assert f"Example: harvester {' '.join(command)}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_explained(name: str) -> None:
    for command in subcommands(name):
        found: Any = load_command(name)
        for part in command[1:]:
            found = found.commands[part]
        silent = [parameter.name for parameter in found.params if not getattr(parameter, "help", None)]
        assert silent == []


def test_without_arguments_the_help_is_shown() -> None:
    result = CliRunner().invoke(app, [])

    assert "Usage: " in result.output
    assert "Traceback" not in result.output


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(app, ["havrest"])

    assert result.exit_code == 2
    assert "havrest" in result.stderr


def test_help_imports_no_heavy_library() -> None:
    program = (
        "import sys\n"
        "from harvester.cli.main import app\n"
        "try:\n"
        "    app(['--help'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"print('LOADED', sorted({HEAVY!r} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_the_installed_command_is_this_app() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from harvester.cli.main import main; main()", "campaign", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "rate" in done.stdout
    assert isinstance(app, typer.Typer)
