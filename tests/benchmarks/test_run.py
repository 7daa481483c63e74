"""The benchmarks run and count right; how fast is for `make bench` to say, never for a test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")
MEASURED = [
    "bare loop / whole harvest, mastodon, SQLite",
    "bare loop / whole harvest, mastodon, PostgreSQL",
    "bare loop / whole harvest, bluesky, SQLite",
    "bare loop / whole harvest, bluesky, PostgreSQL",
    "a new page, 2,000 likes stored / 500, SQLite",
    "a new page, 2,000 likes stored / 500, PostgreSQL",
    *(f"requests of a re-poll with {new} new likes" for new in (0, 1, 79, 80, 200)),
    "staleness, 3 posts, 3/1h, cadence / fixed intervals",
    "staleness, 3 posts, 3/1h, cadence / clairvoyant",
    "peak memory of `harvester try`, 200 likers",
    "peak memory of `harvester try`, 1,000 likers",
    "peak memory, 1,000 likers / 200",
    "`harvester --help`, a process",
    "`harvester --help` / `python -c pass`",
]


@pytest.fixture(scope="module")
def table() -> str:
    """What the quick run prints, wide enough that no line is broken."""
    command = [sys.executable, str(RUN), "--quick", "--without-dlt"]
    done = subprocess.run(command, env=os.environ | {"COLUMNS": "200"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.xdist_group("benchmarks")
@pytest.mark.parametrize("what", MEASURED)
def test_a_quick_run_prints_the_row(table: str, what: str) -> None:
    assert f" {what} " in table
