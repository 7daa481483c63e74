"""What YouTube says in ways of its own, one test a quirk."""

from datetime import UTC, datetime

import httpx
import pytest

from connectors.youtube import Youtube
from harvester.connector import ContractBroken, Count, Exhausted, GrantLost
from harvester.kit.replay import Answer, always, open_connector, recognise, session

POSTS = [recognise(Youtube, f"https://youtu.be/aaaaaaaaaa{number}") for number in (1, 2, 3)]


def counts_of(answer: Answer, settings: dict[str, str] | None = None) -> tuple[Count, ...]:
    connector = open_connector(Youtube, {"api_key": "REDACTED"} if settings is None else settings)
    with session(connector, POSTS[0], answer) as http:
        return connector.fetch_counts(http, POSTS)


def video(number: int, **statistics: object) -> dict[str, object]:
    return {"id": f"aaaaaaaaaa{number}", "statistics": statistics}


def failing(status: int, *reasons: str, details: tuple[str, ...] = ()) -> Answer:
    error = {"errors": [{"reason": reason} for reason in reasons], "details": [{"reason": one} for one in details]}
    headers = {"date": "Sun, 08 Mar 2099 09:30:00 GMT"}
    return lambda _: httpx.Response(status, json={"error": error}, headers=headers)


def test_a_hidden_number_is_not_zero_and_a_missing_video_is_neither() -> None:
    counts = counts_of(always({"items": [video(1), video(3, likeCount="0")]}))
    assert counts == (Count(native_id=POSTS[0].native_id, likes=None), Count(native_id=POSTS[2].native_id, likes=0))


@pytest.mark.parametrize("likes", ["", "1.5", "-1", "1e3", "٧", " 7", 7])
def test_a_number_is_a_text_of_digits_and_nothing_else(likes: object) -> None:
    with pytest.raises(ContractBroken):
        counts_of(always({"items": [video(1, likeCount=likes)]}))


def test_the_key_travels_in_a_header() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"items": []})

    counts_of(answer)
    assert [request.headers["x-goog-api-key"] for request in seen] == ["REDACTED"]
    assert "REDACTED" not in str(seen[0].url)


def test_without_a_key_the_message_says_where_to_get_one() -> None:
    with pytest.raises(
        GrantLost, match=r"connectors\.youtube\.api_key is not set: an API key .*console\.cloud\.google"
    ):
        counts_of(always({"items": []}), settings={})


@pytest.mark.parametrize(
    ("answered", "midnight"),
    [
        (datetime(2026, 3, 7, 12, tzinfo=UTC), datetime(2026, 3, 8, 8, tzinfo=UTC)),
        (datetime(2026, 3, 8, 12, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),  # clocks went forward that night
        (datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 2, 8, tzinfo=UTC)),  # and back
    ],
)
def test_the_quota_is_whole_again_at_midnight_in_california(answered: datetime, midnight: datetime) -> None:
    response = failing(403, "quotaExceeded")(httpx.Request("GET", "https://www.googleapis.com/"))
    response.headers["date"] = answered.strftime("%a, %d %b %Y %H:%M:%S GMT")
    response.request = httpx.Request("GET", "https://www.googleapis.com/")
    outcome = open_connector(Youtube, {}).explain(response)
    assert isinstance(outcome, Exhausted)
    assert outcome.until == midnight


def test_a_key_is_refused_by_a_reason_among_the_details_too() -> None:
    with pytest.raises(GrantLost):
        counts_of(failing(400, "badRequest", details=("API_KEY_INVALID",)))


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/embed/videoseries?list=PLabcdefghij",  # a list and a channel, of eleven letters each
        "https://www.youtube.com/embed/live_stream?channel=UCabcdefghij",
        "https://www.youtube.com/playlist?list=PLabcdefghij",
        "https://www.youtube.com/watch?list=PLabcdefghij",
        "https://www.youtube.com/watch?v=9bZkp7q19f0&v=D-lhorsDlUQ",
        "https://www.youtube.com/watch?v=9bZkp7q19f0x",
        "https://www.youtube.com/watch?v=9bZkp7q19f",
        "https://www.youtube.com/shorts/9bZkp7q19f0/comments",
        "https://youtu.be/9bZkp7q19f0/x",
        "https://youtu.be/",
        "https://studio.youtube.com/watch?v=9bZkp7q19f0",
        "https://notyoutu.be/9bZkp7q19f0",
        "https://www.youtube.com@evil.example/watch?v=9bZkp7q19f0",
    ],
)
def test_a_link_that_only_looks_like_a_video_is_none(url: str) -> None:
    assert Youtube.recognise(url) is None
