"""A night's report as files: for each campaign a text and its status, and one line for the night itself.

A file is there whole or not at all: it is written beside its place and then moved there.
"""

import io
from pathlib import Path

import msgspec
from rich.console import Console

from harvester.errors import ConfigError
from harvester.report.status import status_text
from harvester.report.views import StatusView

NIGHTS = "nightly.jsonl"
_WIDTH = 120


def write_report(folder: Path, view: StatusView) -> None:
    """Write what a campaign came to, for people and for programs; `ConfigError` when the folder cannot be written."""
    status = msgspec.json.format(msgspec.json.encode(view), indent=2) + b"\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / f"{view.campaign}.txt", _plain(view).encode())
        _replace(folder / f"{view.campaign}.json", status)
    except OSError as error:
        raise _unwritable(folder, error) from error


def add_line(folder: Path, line: str) -> None:
    """Add a night to those before it; `ConfigError` when the folder cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / NIGHTS).open("ab") as nights:
            nights.write(line.encode() + b"\n")
    except OSError as error:
        raise _unwritable(folder, error) from error


def _plain(view: StatusView) -> str:
    """Write the status as it stands in a terminal, without its colours."""
    paper = Console(file=io.StringIO(), width=_WIDTH, markup=False, emoji=False, highlight=False)
    lines = paper.render_lines(status_text(view), pad=False)
    return "".join("".join(part.text for part in line).rstrip() + "\n" for line in lines)


def _replace(file: Path, content: bytes) -> None:
    draft = file.with_name(f".{file.name}.new")
    draft.write_bytes(content)
    draft.replace(file)


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"schedule.reports_folder: {folder} cannot be written: {(error.strerror or str(error)).lower()}")
