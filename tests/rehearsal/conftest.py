"""A clock to turn by hand, a simulated platform, and bare loops that walk its lists as any client would."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from harvester.rehearsal import SimulatedPlatform, SimulatedPost, World

KICK_OFF = datetime(2027, 1, 21, 20, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = KICK_OFF

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


@pytest.fixture
def platform(world: World) -> Iterator[SimulatedPlatform]:
    with SimulatedPlatform(world) as platform:
        yield platform


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield client


@pytest.fixture
def crowd() -> Callable[[SimulatedPost, int], None]:
    """Make so many people like a post, a second apart, the last one now."""

    def like(post: SimulatedPost, number: int) -> None:
        for place in range(number):
            post.like(f"fan-{place}", KICK_OFF - timedelta(seconds=number - 1 - place))

    return like


@pytest.fixture
def favourites(client: httpx.Client) -> Callable[..., list[list[str]]]:
    """Walk a list along `rel="next"`: the account ids, page by page."""

    def walk(platform: SimulatedPlatform, post: SimulatedPost, limit: int | None = 80) -> list[list[str]]:
        asked = "" if limit is None else f"?limit={limit}"
        url: str | None = f"{platform.origin}/api/v1/statuses/{post.native_id}/favourited_by{asked}"
        pages = []
        while url:
            response = client.get(url).raise_for_status()
            pages.append([account["id"] for account in response.json()])
            url = response.links.get("next", {}).get("url")
        return pages

    return walk


@pytest.fixture
def likes(client: httpx.Client) -> Callable[..., list[list[str]]]:
    """Walk a list until the cursor is missing: the DIDs, page by page."""

    def walk(platform: SimulatedPlatform, post: SimulatedPost, limit: int = 100) -> list[list[str]]:
        params: dict[str, str | int] = {"uri": post.native_id, "limit": limit}
        pages = []
        while True:
            response = client.get(f"{platform.origin}/xrpc/app.bsky.feed.getLikes", params=params).raise_for_status()
            page = response.json()
            pages.append([like["actor"]["did"] for like in page["likes"]])
            if "cursor" not in page:
                return pages
            params["cursor"] = page["cursor"]

    return walk


@pytest.fixture
def mastodon_list() -> Callable[[SimulatedPlatform, SimulatedPost], str]:
    return lambda platform, post: f"{platform.origin}/api/v1/statuses/{post.native_id}/favourited_by"
