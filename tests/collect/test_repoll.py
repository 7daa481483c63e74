"""A post that is read again costs what is new of it: every request is counted, over real HTTP."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import ceil

import pytest

from connectors.mastodon import Mastodon as Connector
from connectors.mastodon import MastodonSettings
from harvester.collect.http import PoliteClient
from harvester.collect.registry import Platform
from harvester.collect.sweep import sweep_entry
from harvester.config import HttpSettings
from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, SimulatedPost, World
from tests.factories import COMPLETE, Contest

PAGE = 80
"""How many likers the platform lists on a page."""


@pytest.fixture
def served(contest: Contest) -> Iterator[SimulatedPlatform]:
    with SimulatedPlatform(World(contest.clock)) as platform:
        yield platform


@pytest.fixture
def make_repoll(contest: Contest, served: SimulatedPlatform) -> Callable[[int, int], list[Kind]]:
    """Read a post that so many people like, then again after so many more do; give what the second time asked."""
    settings = HttpSettings(allow_private_hosts=True)

    def repoll(known: int, new: int) -> list[Kind]:
        post = served.world.publish(Mastodon(), at=contest.clock())
        found = Connector.recognise(served.url_of(post))
        assert found
        entry = contest.add_entry(found.native_id)
        with PoliteClient(settings, now=contest.clock) as client:
            platform = Platform(Connector(MastodonSettings()), client)
            job = replace(contest.job(entry, platform.connector), platform=platform, post=found)
            like(post, known)
            assert sweep_entry(job, wants_full=False) == COMPLETE
            like(post, new)
            asked = len(served.requests)
            assert sweep_entry(job, wants_full=False) == COMPLETE
        assert contest.entry(entry).credited == contest.entry(entry).held == known + new
        return [one.kind for one in served.requests[asked:]]

    return repoll


def like(post: SimulatedPost, number: int) -> None:
    known = post.displayed()
    for liker in range(known, known + number):
        post.like(f"liker-{liker}")


@pytest.mark.parametrize("new", [0, 1, 79, 80, 81, 200])
def test_new_likes_cost_their_pages_and_one_request_more(
    make_repoll: Callable[[int, int], list[Kind]], new: int
) -> None:
    asked = make_repoll(5 * PAGE, new)
    assert len(asked) <= ceil(new / PAGE) + 1
    assert set(asked) == {Kind.LIKES}


@pytest.mark.parametrize(
    ("known", "new", "count"),
    [(30, 0, 0), (30, 1, 1), (30, 50, 0), (5, 75, 0), (5, 80, 0), (80, 0, 0), (80, 80, 0), (0, 1, 1), (0, 80, 0)],
)
def test_a_list_that_is_read_to_its_end_costs_no_more(
    make_repoll: Callable[[int, int], list[Kind]], known: int, new: int, count: int
) -> None:
    """The number shown is asked where that fits; a full last page leads to an empty one, which takes its place."""
    asked = make_repoll(known, new)
    assert len(asked) <= ceil(new / PAGE) + 1
    assert asked.count(Kind.POST) == count


def test_an_empty_list_is_never_believed_without_its_number(make_repoll: Callable[[int, int], list[Kind]]) -> None:
    assert make_repoll(0, 0) == [Kind.LIKES, Kind.POST]
