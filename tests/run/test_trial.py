"""What `try` makes of a server that loses likers at its page boundaries, as real ones do."""

from datetime import UTC, datetime, timedelta

import pytest

from harvester.config import HttpSettings, Settings
from harvester.rehearsal import Bluesky, Kind, SimulatedPlatform, World
from harvester.run.trial import Trial, try_posts

NOW = datetime(2027, 1, 21, 20, tzinfo=UTC)


def tried(likes_an_instant: int) -> tuple[Trial, int]:
    """Try a post with 330 likes, so many at each instant; tell how many first pages were asked for, too."""
    world = World(lambda: NOW)
    post = world.publish(dialect := Bluesky(shared_cids=True), at=NOW - timedelta(days=1))
    for number in range(330):
        post.like(f"fan-{number}", NOW - timedelta(hours=2) + timedelta(seconds=number // likes_an_instant))
    with SimulatedPlatform(world, dialect) as platform:
        settings = Settings(
            http=HttpSettings(allow_private_hosts=True), connectors={"bluesky": {"appview": platform.origin}}
        )
        trial = try_posts([platform.url_of(post)], settings, now=lambda: NOW, sleep=lambda seconds: None)
        passes = sum("cursor=" not in target for target in platform.asked(Kind.LIKES))
    return trial, passes


@pytest.mark.parametrize("likes_an_instant", [30, 45, 60])
def test_likers_lost_at_page_boundaries_are_found_with_other_page_sizes(likes_an_instant: int) -> None:
    trial, passes = tried(likes_an_instant)
    [post] = trial.posts

    assert (post.displayed, post.held, post.gap, post.outcome) == (330, 330, 0, "complete")
    assert 1 < passes <= 3


def test_what_no_page_size_shows_stays_a_stated_gap() -> None:
    trial, passes = tried(likes_an_instant=110)
    [post] = trial.posts

    assert (post.displayed, post.held, post.gap, post.outcome) == (330, 300, 30, "complete")
    assert (trial.likes, trial.bytes, passes) == (300, 3_000_000_000, 3)
