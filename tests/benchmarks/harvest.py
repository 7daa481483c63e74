"""A whole harvest, beside a bare loop that reads the same list and keeps nothing."""

import json
from collections.abc import Callable, Iterator
from functools import partial

import httpx
from measure import Row, Size, at_least, interleaved, seconds_of
from stage import NewDatabase, Served, contest, serving

GOALS = {"SQLite": 0.6, "PostgreSQL": 0.5}


def rows(size: Size, databases: dict[str, NewDatabase]) -> Iterator[Row]:
    for dialect, read in (("mastodon", _read_mastodon), ("bluesky", _read_bluesky)):
        with serving(size.likers, dialect) as post:
            harvests = {kind: partial(_harvest, post, new_database) for kind, new_database in databases.items()}
            bare = partial(seconds_of, partial(_read_all, post, read))
            seconds = interleaved(harvests | {"bare": bare}, rounds=size.rounds)
        for kind in databases:
            what = f"bare loop / whole harvest, {dialect}, {kind}"
            yield at_least(what, GOALS[kind], seconds["bare"], seconds[kind])


def _harvest(post: Served, new_database: NewDatabase) -> float:
    with new_database() as url, contest(url, post.origin, post.url) as ready:
        return seconds_of(lambda: ready.poll(full=True, credited=post.likers))


def _read_all(post: Served, read: Callable[[httpx.Client, Served], int]) -> None:
    with httpx.Client() as client:
        assert read(client, post) == post.likers


def _read_mastodon(client: httpx.Client, post: Served) -> int:
    url, likers = f"{post.origin}/api/v1/statuses/{post.id}/favourited_by?limit=80", 0
    while url:
        response = client.get(url)
        likers += len(json.loads(response.content))
        url = response.links.get("next", {}).get("url")
    return likers


def _read_bluesky(client: httpx.Client, post: Served) -> int:
    url, likers = f"{post.origin}/xrpc/app.bsky.feed.getLikes", 0
    asked, cursor = {"uri": post.id, "limit": 100}, {}
    while cursor is not None:
        page = json.loads(client.get(url, params=asked | cursor).content)
        likers += len(page["likes"])
        cursor = {"cursor": page["cursor"]} if "cursor" in page else None
    return likers
