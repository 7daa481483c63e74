"""Recordings: what a platform answered, one scenario a file, and where they lie.

docs/connectors.md says how they are written. A file that is written otherwise is refused in one line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from inspect import getfile
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec

from harvester.connector import Connector, Count, Like, Outcome, Post, Provenance
from harvester.errors import UsageError

HIDDEN_SECRET = "REDACTED"  # noqa: S105 (what stands in the place of one)
"""How a recording writes every secret."""


class Source(msgspec.Struct, forbid_unknown_fields=True):
    """Where an answer was taken from, so that anybody can compare."""

    repo: str
    path: str
    locator: str
    commit: str
    licence: Literal[
        "MIT",
        "MIT (connector metadata.yaml)",
        "MIT OR Apache-2.0",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
    ]


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """What was asked; `headers` hold only those that matter."""

    method: Literal["GET", "POST"]
    url: str
    headers: dict[str, str] = {}
    json: Any = None


class Response(msgspec.Struct, forbid_unknown_fields=True):
    """What was answered; `body` is JSON."""

    status: int
    headers: dict[str, str]
    body: Any

    def answer(self) -> httpx.Response:
        return httpx.Response(self.status, headers=self.headers, content=msgspec.json.encode(self.body))

    def saying(self, body: object) -> httpx.Response:
        """Answer with the same status and headers, but another body."""
        return httpx.Response(self.status, headers=self.headers, content=msgspec.json.encode(body))

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Exchange(msgspec.Struct, forbid_unknown_fields=True):
    """One request and its answer; a `source` in words says what a handwritten one was shaped after."""

    provenance: Provenance
    source: Source | str
    redactions: list[str]
    request: Request
    response: Response


class Recording(msgspec.Struct, forbid_unknown_fields=True):
    """One scenario of one post: its links, what the platform answered in order, and what must come out."""

    what: str
    urls: list[str]
    exchanges: list[Exchange]
    settings: dict[str, Any] = {}
    page_size: int | None = None
    expected_post: Post | None = None
    expected_counts: list[Count] | None = None
    expected_likers: list[Like] | None = None
    expected_outcome: str | None = None

    def with_secret(self, secret: str) -> "Recording":
        """Give the same scenario with a secret in the place of every hidden one."""
        settings = msgspec.json.encode(self.settings).decode().replace(HIDDEN_SECRET, secret)
        return msgspec.structs.replace(self, settings=msgspec.json.decode(settings))


@dataclass(frozen=True, kw_only=True)
class Recordings:
    """The folder of one connector's scenarios; None where there is none, `looked_in` says where it was looked for."""

    folder: Path | None
    looked_in: Sequence[Path] = field(default=())

    @cached_property
    def scenarios(self) -> Mapping[str, Recording]:
        """Give every scenario by its file's name; `UsageError` for a file that is written otherwise."""
        files = sorted(self.folder.glob("*.json")) if self.folder else []
        return {file.stem: _read(file) for file in files}


def find_recordings(kind: type[Connector], among: Path | None = None) -> Recordings:
    """Look for a connector's recordings in the folder that was named, or else beside its module."""
    if among is not None:
        return Recordings(folder=_named(kind.name, among), looked_in=[among])
    beside = Path(getfile(kind)).resolve().parent
    places = [beside / "recordings" / kind.name, beside.parent / "tests" / "recordings" / kind.name]
    return Recordings(folder=next((place for place in places if any(place.glob("*.json"))), None), looked_in=places)


def _named(name: str, among: Path) -> Path:
    """Choose between a folder of recordings and one that holds such folders by connector."""
    if not among.is_dir():
        raise UsageError(f"{among} is no folder: expected recordings, or one folder of them for each connector")
    folder = next((place for place in (among / name, among) if any(place.glob("*.json"))), None)
    if folder is None:
        raise UsageError(f"{among} holds no recordings of {name}: expected *.json in it or in {among / name}")
    return folder


def _read(file: Path) -> Recording:
    try:
        recording = msgspec.json.decode(file.read_bytes(), type=Recording)
    except (msgspec.DecodeError, UnicodeDecodeError, Outcome) as error:
        raise UsageError(f"{file} is not a recording: {error}") from error
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    if not recording.urls:
        raise UsageError(f"{file} is not a recording: expected at least one link - at `$.urls`")
    return msgspec.structs.replace(recording, settings=_beside(recording.settings, file.parent))


def _beside(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make settings that name a folder absolute: they lie beside the recording."""
    return {
        key: str(folder.resolve() / value) if key.endswith("_folder") and isinstance(value, str) else value
        for key, value in settings.items()
    }
