"""What Bluesky's AppViews do that no other platform does, one test a quirk; and our recordings against its lexicons."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.bluesky import Bluesky
from harvester.connector import ContractBroken, Count, Page, Post, parse_instant
from harvester.kit.recordings import Exchange, find_recordings
from harvester.kit.replay import Answer, always, open_connector, recognise, session

DID = "did:plc:ic6zqvuw5ulmfpjiwnhsr2ns"
POST = recognise(Bluesky, f"https://bsky.app/profile/{DID}/post/3k7qmjev5lr2s")
CREATED = "2026-11-01T10:00:00.000Z"
LEXICONS = Path(__file__).parents[1] / "recordings" / "bluesky" / "lexicons"
EXCHANGES = [e for r in find_recordings(Bluesky).scenarios.values() for e in r.exchanges if e.response.status == 200]


def liked(claimed: str, did: str = "did:plc:amina") -> dict[str, object]:
    return {"actor": {"did": did, "handle": "amina.example"}, "createdAt": claimed, "indexedAt": CREATED}


def view(uri: str, **fields: object) -> dict[str, object]:
    return {"uri": uri, "record": {"createdAt": CREATED}} | fields


def page_of(body: object, cursor: str | None = None) -> Page:
    connector = open_connector(Bluesky, {})
    with session(connector, POST, always(body)) as http:
        return connector.fetch_page(http, POST, cursor)


def counts_of(answer: Answer, *posts: Post) -> tuple[Count, ...]:
    connector = open_connector(Bluesky, {})
    with session(connector, POST, answer) as http:
        return connector.fetch_counts(http, posts)


def located(answer: Answer, url: str) -> Post:
    connector, post = open_connector(Bluesky, {}), recognise(Bluesky, url)
    with session(connector, post, answer) as http:
        return connector.locate(http, post)


@pytest.mark.parametrize(
    "claimed",
    ["", "yesterday", "2026-11-01T10:00:00", "2026-11-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
)
def test_a_garbage_claimed_time_is_no_time_and_breaks_nobodys_page(claimed: str) -> None:
    page = page_of({"likes": [liked(claimed), liked(CREATED, "did:plc:salma")]})
    assert [(like.actor, like.at) for like in page.likes] == [
        ("did:plc:amina", None),
        ("did:plc:salma", parse_instant(CREATED)),
    ]


def test_the_claimed_time_is_kept_however_far_back_it_lies() -> None:
    (like,) = page_of({"likes": [liked("1969-07-20T20:17:00+01:00")]}).likes
    assert like.at == parse_instant("1969-07-20T19:17:00Z")


def test_an_empty_page_with_a_cursor_is_not_the_end() -> None:
    assert page_of({"likes": [], "cursor": "2023-10-16"}) == Page(likes=(), cursor="2023-10-16")


@pytest.mark.parametrize("end", [{}, {"cursor": None}, {"cursor": ""}])
def test_a_list_ends_where_no_cursor_is_named(end: dict[str, object]) -> None:
    assert page_of({"likes": []} | end, "2023-10-16").cursor is None


@pytest.mark.parametrize("body", [{}, {"likes": None}, {"error": "InvalidRequest"}, []])
def test_a_success_that_lists_nobody_is_not_zero_likes(body: object) -> None:
    with pytest.raises(ContractBroken, match=r"getLikes"):
        page_of(body)


def test_counts_are_asked_for_in_one_request_and_what_is_gone_is_left_out() -> None:
    posts = [recognise(Bluesky, f"at://{DID}/app.bsky.feed.post/{rkey}") for rkey in ("one", "two", "gone")]
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.extend(request.url.params.get_list("uris"))
        views = [view(posts[1].native_id, likeCount=2), view(posts[0].native_id, likeCount=1), view("at://other")]
        return httpx.Response(200, json={"posts": views})

    counts = counts_of(answer, *posts)
    assert asked == [post.native_id for post in posts]
    assert [(count.native_id, count.likes) for count in counts] == [(posts[0].native_id, 1), (posts[1].native_id, 2)]


def test_a_hidden_count_is_not_zero() -> None:
    (count,) = counts_of(always({"posts": [view(POST.native_id)]}), POST)
    assert count.likes is None


@pytest.mark.parametrize(
    ("fields", "published"),
    [
        ({"indexedAt": "2026-11-02T00:00:00Z"}, "2026-11-02T00:00:00Z"),
        ({}, CREATED),
        ({"indexedAt": "soon"}, CREATED),
        ({"record": {}}, None),
        ({"record": {"createdAt": 7}}, None),
    ],
)
def test_a_post_is_dated_by_the_appview_else_by_its_author_else_by_nobody(
    fields: dict[str, object], published: str | None
) -> None:
    (count,) = counts_of(always({"posts": [view(POST.native_id, **fields)]}), POST)
    assert count.published_at == (published and parse_instant(published))


def test_a_handle_in_any_case_becomes_the_did_behind_it() -> None:
    post = located(always({"did": DID}), "https://bsky.app/profile/Alice.Example/post/3k7qmjev5lr2s")
    assert post.native_id == POST.native_id


@pytest.mark.parametrize("did", ["", "alice.example", "did:plc:x/app.bsky.feed.post/other", "did:plc:x?y", "\x00"])
def test_a_handle_that_resolves_to_no_did_is_refused(did: str) -> None:
    with pytest.raises(ContractBroken, match=r"alice\.example resolves to"):
        located(always({"did": did}), "at://alice.example/app.bsky.feed.post/3k7qmjev5lr2s")


def test_a_did_is_located_without_a_request() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise AssertionError("a request was made")

    assert located(answer, POST.native_id).native_id == POST.native_id


def test_the_appview_may_be_ones_own() -> None:
    assert open_connector(Bluesky, {"appview": "http://127.0.0.1:2584/"}).origins == ("http://127.0.0.1:2584",)


@pytest.mark.parametrize(
    "appview",
    ["", "bsky.app", "ftp://a.example", "https://a.example/xrpc", "https://u@a.example", "https://a.example?x"],
)
def test_an_appview_that_is_no_server_is_refused(appview: str) -> None:
    with pytest.raises(ValueError, match="appview is not a server's address"):
        open_connector(Bluesky, {"appview": appview})


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.provenance)
def test_every_recorded_answer_has_the_fields_its_lexicon_requires(exchange: Exchange) -> None:
    method = urlsplit(exchange.request.url).path.rpartition("/")[2]
    definitions = json.loads((LEXICONS / f"{method}.json").read_text("utf-8"))["defs"]
    assert list(_missing(definitions["main"]["output"]["schema"], exchange.response.body, definitions)) == []


def _missing(schema: dict[str, Any], value: Any, definitions: dict[str, Any]) -> list[str]:
    """Name the required fields a value lacks, as far as this lexicon alone tells."""
    schema = definitions.get(schema.get("ref", "").removeprefix("#"), schema)
    if schema["type"] == "array":
        return [name for item in value for name in _missing(schema["items"], item, definitions)]
    if schema["type"] != "object":
        return []
    below = [(schema["properties"][name], item) for name, item in value.items() if name in schema["properties"]]
    lacking = [name for name in schema.get("required", []) if name not in value]
    return lacking + [name for part, item in below for name in _missing(part, item, definitions)]
