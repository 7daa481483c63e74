"""Where a command's words go when nobody can take them: a reader that left, a disk that is full, letters it lacks.

A reader that leaves changes neither the work nor its exit code; a disk that is full is said in one line.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, BinaryIO, cast

from harvester.errors import HarvesterError


class OutputError(HarvesterError):
    """What a command had to say could not be written: the work is done, the words are lost."""


class _Outlet:
    """The bytes below a stream: once they cannot be written, the rest is thrown away."""

    def __init__(self, buffer: BinaryIO) -> None:
        self._buffer = buffer

    def write(self, written: bytes) -> int:
        """Write; typer writes nothing at all to learn what a stream is, and swallows what that raises."""
        with self._closing():
            return self._buffer.write(written) if written else 0
        return len(written)

    def flush(self) -> None:
        with self._closing():
            self._buffer.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._buffer, name)

    @contextmanager
    def _closing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self._throw_away()
        except OSError as error:
            self._throw_away()
            raise OutputError(f"the output cannot be written: {(error.strerror or str(error)).lower()}") from error

    def _throw_away(self) -> None:
        """Lead everything to nowhere, also what the interpreter still holds when it ends."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._buffer.fileno())
        os.close(nowhere)


def open_outlets() -> None:
    """Put both streams of this process on outlets; a letter that a stream cannot write becomes a question mark."""
    sys.stdout, sys.stderr = _on_outlet(sys.stdout), _on_outlet(sys.stderr)


def _on_outlet(stream: Any) -> Any:
    if not isinstance(stream, TextIOWrapper):
        return stream
    encoding, by_line, at_once = stream.encoding, stream.line_buffering, stream.write_through
    outlet = cast(BinaryIO, _Outlet(stream.detach()))
    return TextIOWrapper(outlet, encoding, errors="replace", line_buffering=by_line, write_through=at_once)
