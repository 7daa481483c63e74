"""The command as a process: the memory it holds at its peak, and how long it takes to say what it can do."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

from measure import Row, Size, for_scale, interleaved, seconds_of, spread
from stage import child_environment, serving

HARVESTER = str(Path(sys.executable).with_name("harvester"))
MOST_MB = 150
FLAT = 1.25
"""What still counts as flat: ten times the likers, a quarter more memory at most."""
MOST_SECONDS = 0.3


def rows(size: Size) -> Iterator[Row]:
    yield from _memory(size)
    yield from _start(size)


def _memory(size: Size) -> Iterator[Row]:
    peaks = [_peak(likers) for likers in size.crowds]
    for likers, peak in zip(size.crowds, peaks, strict=True):
        what = f"peak memory of `harvester try`, {likers:,} likers"
        yield Row(what=what, goal=f"<= {MOST_MB} MB", measured=f"{peak:.0f} MB", is_reached=peak <= MOST_MB)
    few, many = size.crowds
    growth = peaks[1] / peaks[0]
    what = f"peak memory, {many:,} likers / {few:,}"
    yield Row(what=what, goal=f"flat (<= {FLAT})", measured=f"{growth:.3g}x", is_reached=growth <= FLAT)


def _peak(likers: int) -> float:
    with serving(likers) as post, tempfile.TemporaryDirectory() as folder:
        peak = Path(__file__).with_name("peak.py")
        command = [sys.executable, str(peak), HARVESTER, "try", post.url, "--json"]
        done = subprocess.run(command, cwd=folder, env=child_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr)["likes"] == likers, done.stderr
    return float(done.stdout)


def _start(size: Size) -> Iterator[Row]:
    commands = {"help": [HARVESTER, "--help"], "bare": [sys.executable, "-c", "pass"]}
    runs = {name: partial(seconds_of, partial(_run, command)) for name, command in commands.items()}
    seconds = interleaved(runs, rounds=size.starts)
    taken = seconds["help"]
    yield Row(
        what="`harvester --help`, a process",
        goal=f"<= {MOST_SECONDS} s",
        measured=spread(taken, " s"),
        is_reached=median(taken) <= MOST_SECONDS,
    )
    yield for_scale("`harvester --help` / `python -c pass`", taken, seconds["bare"])


def _run(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
