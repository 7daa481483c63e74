"""Measure harvester against its goals (docs/numbers.md): `make bench`, or `run.py --quick --without-dlt`.

Everything is a ratio within this run, its rivals taking turns. A missed goal is shown, and is no failure: only a wrong
count is.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import against_dlt
import growth
import harvest
import processes
import repoll
import staleness
from measure import FULL, QUICK, Row, Size
from rich.console import Console
from rich.table import Table
from stage import databases

REACHED = {True: "yes", False: "no", None: ""}


def main() -> None:
    wanted = _arguments()
    console = Console()
    table = Table("what", "goal", "measured, median (min-max)", "reached", title="harvester, measured")
    with Console(stderr=True).status("measuring") as status:
        for row in _rows(wanted):
            table.add_row(row.what, row.goal, row.measured, REACHED[row.is_reached])
            status.update(f"measured: {row.what}")
    load, _, _ = os.getloadavg()
    table.caption = f"{os.cpu_count()} cores, load at the end {load:.1f}; likers per harvest: {_size(wanted).likers:,}"
    console.print(table)


def _rows(wanted: argparse.Namespace) -> Iterator[Row]:
    size = _size(wanted)
    with databases() as kinds:
        yield from harvest.rows(size, kinds)
        yield from growth.rows(size, kinds)
    if not wanted.without_dlt:
        yield from against_dlt.rows(size)
    yield from repoll.rows()
    yield from staleness.rows(size)
    yield from processes.rows(size)


def _size(wanted: argparse.Namespace) -> Size:
    return QUICK if wanted.quick else FULL


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure harvester against its goals.")
    parser.add_argument("--quick", action="store_true", help="few rounds and likers: shows that it runs")
    parser.add_argument("--without-dlt", action="store_true", help="leave the comparison with dlt out")
    return parser.parse_args()


if __name__ == "__main__":
    main()
