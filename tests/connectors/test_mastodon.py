"""What the servers that speak Mastodon's API do differently, one test a quirk."""

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.mastodon import Mastodon
from harvester.connector import ContractBroken, Count, Like, Outcome, Page, Post
from harvester.kit.replay import Answer, always, open_connector, recognise, session

POST = recognise(Mastodon, "https://social.example/@fan/109294719267373593")
API = "https://social.example/api/v1/statuses/109294719267373593"
COPY = recognise(Mastodon, "https://social.example/@fan@home.example/109294719267373593")
AMINA = {"id": "42", "acct": "amina@far.example"}
STATUS = {
    "id": POST.native_id,
    "created_at": "2026-11-01T10:00:00Z",
    "favourites_count": 7,
    "uri": "https://home.example/users/fan/statuses/110446222386355655",
    "url": "https://home.example/@fan/110446222386355655",
}


def page_of(answer: Answer, post: Post = POST, cursor: str | None = None, tokens: dict[str, str] | None = None) -> Page:
    connector = open_connector(Mastodon, {"tokens": tokens or {}})
    with session(connector, post, answer) as http:
        return connector.fetch_page(http, post, cursor)


def located(answer: Answer, post: Post) -> Post:
    connector = open_connector(Mastodon, {})
    with session(connector, post, answer) as http:
        return connector.locate(http, post)


def tokens_seen(url: str, tokens: dict[str, str]) -> list[str | None]:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        return httpx.Response(200, json=[])

    page_of(answer, recognise(Mastodon, url), tokens=tokens)
    return seen


def test_the_next_page_is_the_one_the_link_header_names() -> None:
    link = f'<{API}/favourited_by?limit=80&max_id=7>; rel="next", <{API}/favourited_by?since_id=9>; rel="prev"'
    page = page_of(always([AMINA], link=link))
    assert page == Page(
        likes=(Like(actor="42", handle="amina@far.example"),), cursor=f"{API}/favourited_by?limit=80&max_id=7"
    )


def test_pixelfed_calls_the_older_page_prev() -> None:
    link = f'<{API}/favourited_by?limit=40&cursor=abc>; rel="prev"'
    assert page_of(always([AMINA], link=link)).cursor == f"{API}/favourited_by?limit=40&cursor=abc"


def test_pixelfeds_last_page_links_to_the_newer_one_alone() -> None:
    assert page_of(always([AMINA], link=f'<{API}/favourited_by?cursor=xyz>; rel="next"')).cursor is None


def test_an_empty_page_with_a_next_one_is_not_the_end() -> None:
    assert page_of(always([], link=f'<{API}/favourited_by?max_id=7>; rel="next"')).cursor is not None


def test_gotosocial_gives_the_whole_list_in_one_page_without_links() -> None:
    post = recognise(Mastodon, "https://gts.example/@fan/statuses/01FBVD42CQ3ZEEVMW180SBX03B")
    page = page_of(always([AMINA, {"id": "01H", "acct": "b"}]), post)
    assert [like.actor for like in page.likes] == ["42", "01H"]
    assert page.cursor is None


@pytest.mark.parametrize("body", [{}, {"error": "This action is not allowed"}, None, [None], [{"id": 42, "acct": "a"}]])
def test_a_success_that_lists_nobody_is_not_zero_likes(body: object) -> None:
    with pytest.raises(ContractBroken, match=r"social\.example/api/v1"):
        page_of(always(body))


@given(link=st.text(st.characters(max_codepoint=126, exclude_categories=["Cc"])))
def test_no_link_header_brings_anything_but_a_page_or_an_outcome(link: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        headers = [(b"content-type", b"application/json"), (b"link", link.encode("latin-1"))]
        return httpx.Response(200, content=b"[]", headers=headers)

    assert page_of(answer).likes == ()


@pytest.mark.parametrize(
    ("url", "native_id"),
    [
        ("http://127.0.0.1:8080/@fan/1234567", "1234567"),
        ("https://gts.example/users/fan/statuses/01FBVD42CQ3ZEEVMW180SBX03B", "01FBVD42CQ3ZEEVMW180SBX03B"),
        ("https://hollo.example/@fan/0192f1a2-7c3b-7def-8123-456789abcdef", "0192f1a2-7c3b-7def-8123-456789abcdef"),
        ("https://takahe.example/@fan@takahe.example/posts/109294719267373593/", "109294719267373593"),
        ("https://pixelfed.example/p/fan/612345678901234567", "612345678901234567"),
        ("https://home.example/ap/users/117020565966271181/statuses/117020586054490060", "117020586054490060"),
    ],
)
def test_ids_are_opaque_in_whatever_form_a_server_writes_them(url: str, native_id: str) -> None:
    assert recognise(Mastodon, url).native_id == native_id


def test_one_server_is_one_realm_however_its_name_is_written() -> None:
    urls = ["https://Social.Example/@fan/1234567", "https://social.example:443/@fan/1234567"]
    assert {recognise(Mastodon, url).realm for url in urls} == {"mastodon:social.example"}
    assert recognise(Mastodon, "http://127.0.0.1:8080/@fan/1234567").realm == "mastodon:127.0.0.1:8080"


@pytest.mark.parametrize("missing", [{}, {"url": None}, {"url": "https://home.example/notes/9abc"}])
def test_a_copy_is_read_at_the_posts_home(missing: dict[str, None]) -> None:
    home = located(always(STATUS | missing), COPY)
    assert (home.realm, home.native_id) == ("mastodon:home.example", "110446222386355655")


@pytest.mark.parametrize("url", ["https://home.example/notes/9abcdef", COPY.url, "//", ""])
def test_a_copy_whose_home_is_not_readable_says_so(url: str) -> None:
    with pytest.raises(ContractBroken, match=r"social\.example says the post's home is"):
        located(always(STATUS | {"url": url, "uri": url}), COPY)


@pytest.mark.parametrize("post", [POST, recognise(Mastodon, "https://h.example/@a@H.example/1234567")])
def test_a_post_at_home_is_located_without_a_request(post: Post) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise AssertionError("a request was made")

    assert located(answer, post) == post


def test_an_answer_about_another_post_is_not_counted() -> None:
    connector = open_connector(Mastodon, {})
    with session(connector, POST, always(STATUS | {"id": "7654321"})) as http, pytest.raises(ContractBroken):
        connector.fetch_counts(http, [POST])


@pytest.mark.parametrize(("likes", "is_valid"), [(0, True), (2**31 - 1, True), (2**31, False), (-1, False)])
def test_a_count_fits_the_books(likes: int, is_valid: bool) -> None:
    connector = open_connector(Mastodon, {})
    with session(connector, POST, always(STATUS | {"favourites_count": likes})) as http:
        try:
            counts: Outcome | tuple[Count, ...] = connector.fetch_counts(http, [POST])
        except ContractBroken as outcome:
            counts = outcome
    assert isinstance(counts, tuple) is is_valid


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("https://social.example/@fan/1234567", "Bearer a"),
        ("https://SOCIAL.example:443/@fan/1234567", "Bearer a"),
        ("http://127.0.0.1:8080/@fan/1234567", "Bearer b"),
        ("http://social.example/@fan/1234567", None),  # anyone on the way could read it
        ("https://social.example:8443/@fan/1234567", None),
        ("https://other.example/@fan/1234567", None),
    ],
)
def test_a_token_is_sent_to_its_own_host_alone(url: str, seen: str | None) -> None:
    assert tokens_seen(url, {"Social.example": "a", "127.0.0.1:8080": "b"}) == [seen]


def test_a_next_page_on_another_host_is_not_followed() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=[])

    with pytest.raises(ContractBroken, match=r"evil\.example"):
        page_of(answer, cursor="https://evil.example/api/v1/statuses/1", tokens={"social.example": "a"})
    assert asked == []


@pytest.mark.parametrize("token", ["", "two\nlines", "tök3n", "a b"])
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"the token of social\.example is not one line") as refused:
        open_connector(Mastodon, {"tokens": {"social.example": token}})
    assert not token or token not in str(refused.value)
