"""What TikTok says in ways of its own, one test a quirk."""

import httpx
import pytest

from connectors.tiktok import Tiktok
from harvester.connector import ContractBroken, Count, GrantFacts, Outcome, Post, Refused, Unstable
from harvester.kit.replay import Answer, always, open_connector, recognise, session

LARGE = "9223372036854775807"  # over 2**53: as a number it would be another video
POSTS = [recognise(Tiktok, f"https://www.tiktok.com/@user/video/{one}") for one in (LARGE, "7234567890123456789")]
OK = {"code": "ok", "message": ""}


def counts_of(answer: Answer) -> tuple[Count, ...]:
    connector = open_connector(Tiktok, {"token": "REDACTED"})
    with session(connector, POSTS[0], answer) as http:
        return connector.fetch_counts(http, POSTS)


def located(url: str, hops: dict[str, str]) -> Post:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(301, headers={"location": hops[str(request.url)]})

    connector = open_connector(Tiktok, {})
    post = recognise(Tiktok, url)
    with session(connector, post, answer) as http:
        return connector.locate(http, post)


def test_a_video_is_its_text_of_digits_and_what_is_gone_is_left_out() -> None:
    videos = [{"id": LARGE, "like_count": 3}, {"id": "7000000000000000000", "like_count": 9}]
    assert counts_of(always({"data": {"videos": videos}, "error": OK})) == (Count(native_id=LARGE, likes=3),)


@pytest.mark.parametrize("body", [{"data": {"videos": []}}, {"data": {}, "error": OK}, {"error": OK}])
def test_a_success_without_its_parts_is_not_that_all_videos_are_gone(body: object) -> None:
    with pytest.raises(ContractBroken):
        counts_of(always(body))


@pytest.mark.parametrize(("status", "outcome"), [(200, Refused), (400, Refused), (500, Unstable)])
def test_a_code_that_no_page_lists_means_what_the_status_says(status: int, outcome: type[Outcome]) -> None:
    with pytest.raises(outcome):
        counts_of(lambda _: httpx.Response(status, json={"error": {"code": "brand_new"}}))


def test_a_short_link_may_lead_to_a_video_whose_author_is_not_named() -> None:
    short = "https://vm.tiktok.com/ZMabcdefg/"
    assert located(short, {short: f"https://www.tiktok.com/@/video/{LARGE}?_r=1"}).native_id == LARGE


@pytest.mark.parametrize("to", ["https://www.tiktok.com/", "https://www.tiktok.com/login", "https://evil.example/x"])
def test_a_short_link_that_leads_elsewhere_is_told(to: str) -> None:
    with pytest.raises(ContractBroken):
        located("https://vm.tiktok.com/ZMabcdefg/", {"https://vm.tiktok.com/ZMabcdefg/": to})


def test_short_links_that_lead_in_a_circle_end() -> None:
    one, other = "https://vm.tiktok.com/ZMabcdefg/", "https://vt.tiktok.com/ZSabcdefg/"
    with pytest.raises(ContractBroken, match="hops"):
        located(one, {one: other, other: one})


def test_the_grant_is_known_by_the_accounts_name() -> None:
    connector = open_connector(Tiktok, {"token": "REDACTED"})
    body = {"data": {"user": {"open_id": "a", "display_name": "The brand"}}, "error": OK}
    with session(connector, POSTS[0], always(body)) as http:
        assert connector.fetch_grant(http) == GrantFacts(account="The brand")


@pytest.mark.parametrize(
    "url",
    [
        "https://www.tiktok.com/@user/video/12345678901234",
        "https://www.tiktok.com/@user/video/07234567890123456789",
        "https://www.tiktok.com/@user/live",
        "https://www.tiktok.com/user/video/7234567890123456789",
        "https://vm.tiktok.com/",
        "https://vm.tiktok.com/ZMabcdefg/more",
        "https://ads.tiktok.com/@user/video/7234567890123456789",
        "https://nottiktok.com/@user/video/7234567890123456789",
    ],
)
def test_a_link_that_only_looks_like_a_video_is_none(url: str) -> None:
    assert Tiktok.recognise(url) is None
