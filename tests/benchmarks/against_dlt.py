"""Beside dlt: its REST client and a merge into SQLite, which is what one would write without harvester.

dlt keeps the id and the handle of a liker and nothing else; harvester judges, credits and seals them too. By default
dlt's merge finds no index on its own key in SQLite, so it is measured with the indexes it offers as well.
"""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from measure import Row, Size, at_least, for_scale, seconds_of
from stage import Served, contest, new_sqlite, serving

INDEXES = {"create_primary_keys": True, "create_unique_indexes": True}


def rows(size: Size) -> Iterator[Row]:
    with serving(size.likers) as post:
        warnings.filterwarnings("ignore", module="dlt")
        _load_twice(post, INDEXES)
        _harvest_thrice(post)
        yield from _compare("dlt", post, {}, rounds=1)
        yield from _compare("dlt with indexes", post, INDEXES, rounds=size.rounds)


def _compare(name: str, post: Served, options: dict[str, bool], *, rounds: int) -> Iterator[Row]:
    """Let both take turns, a whole life of a database each."""
    theirs: list[list[float]] = []
    ours: list[list[float]] = []
    for _ in range(rounds):
        theirs.append(_load_twice(post, options))
        ours.append(_harvest_thrice(post))
    loads, merges = zip(*theirs, strict=True)
    first, full, again = zip(*ours, strict=True)
    yield at_least(f"{name} / harvester, first load", 3, loads, first)
    yield at_least(f"{name} / harvester, second sweep (our normal re-poll)", 30, merges, again)
    yield for_scale(f"{name} / harvester, second sweep (ours read in full too)", merges, full)


def _harvest_thrice(post: Served) -> list[float]:
    """Time the first sweep, a second one of the whole list, and a normal re-poll."""
    with new_sqlite() as url, contest(url, post.origin, post.url) as ready:
        first = seconds_of(lambda: ready.poll(full=True, credited=post.likers))
        full = seconds_of(lambda: ready.poll(full=True, credited=0))
        again = seconds_of(lambda: ready.poll(full=False, credited=0))
    return [first, full, again]


def _load_twice(post: Served, options: dict[str, bool]) -> list[float]:
    """Time dlt's first load and its second of the same list; it works in a folder of its own and calls nobody."""
    with tempfile.TemporaryDirectory(prefix="harvester-bench-dlt-") as folder:
        load, count = _pipeline(post, folder, options)
        seconds = [seconds_of(load), seconds_of(load)]
        assert count() == post.likers
    return seconds


def _pipeline(post: Served, folder: str, options: dict[str, bool]) -> tuple[Callable[[], Any], Callable[[], int]]:
    os.environ |= {"DLT_DATA_DIR": folder, "DLT_PROJECT_DIR": folder}
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"}
    import dlt
    from dlt.sources.helpers.rest_client import RESTClient
    from dlt.sources.helpers.rest_client.paginators import HeaderLinkPaginator

    @dlt.resource(name="liker", primary_key="id", write_disposition="merge")
    def likers() -> Iterator[list[dict[str, str]]]:
        client = RESTClient(post.origin, paginator=HeaderLinkPaginator())
        for page in client.paginate(f"/api/v1/statuses/{post.id}/favourited_by", params={"limit": 80}):
            yield [{"id": account["id"], "acct": account["acct"]} for account in page]

    destination = dlt.destinations.sqlalchemy(f"sqlite:///{folder}/dlt.db", **options)
    pipeline = dlt.pipeline("likes", pipelines_dir=folder, destination=destination, dataset_name="main")

    def count() -> int:
        with pipeline.sql_client() as client:
            return int(client.execute_sql("SELECT count(DISTINCT id) FROM liker")[0][0])

    return lambda: pipeline.run(likers()), count
