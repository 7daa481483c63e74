"""A process that begins counts what earlier ones asked of a platform: a restart is no reason to exceed a budget."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from harvester.config import HttpSettings, Settings
from harvester.contest.entries import NewEntry, add_posts
from harvester.rehearsal import Mastodon, SimulatedPlatform, World
from harvester.run.poll import poll
from harvester.run.reader import EntryResult
from harvester.store.installation import Installation
from harvester.store.kinds import Cause
from tests.factories import Clock, Contest

LIKERS = 170  # three pages and two counts


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


@pytest.fixture
def platform(world: World) -> Iterator[SimulatedPlatform]:
    with SimulatedPlatform(world, Mastodon()) as platform:
        yield platform


def an_installation(contest: Contest, budget: str) -> Installation:
    return Installation(
        database=contest.database,
        settings=Settings(
            http=HttpSettings(allow_private_hosts=True, longest_wait_seconds=0),
            connectors={"mastodon": {"budget": budget}},
        ),
        master=contest.master,
        now=contest.clock,
        sleep=lambda _: None,
    )


@pytest.fixture
def read_once(contest: Contest, world: World, platform: SimulatedPlatform) -> Contest:
    """A contest whose one post was read to its end in five requests, by a process that is gone."""
    post = world.publish(Mastodon())
    for number in range(LIKERS):
        post.like(f"fan-{number}")
    at = an_installation(contest, "off")
    add_posts(at, contest.facts, [NewEntry(pasted_url=platform.url_of(post))])
    assert [one.requests for one in poll(at, [contest.facts], wants_full=True)] == [5]
    return contest


def read_again(contest: Contest, budget: str) -> EntryResult:
    return poll(an_installation(contest, budget), [contest.facts], wants_full=True)[0]


def test_what_was_sent_before_leaves_no_more_than_the_rest_of_the_budget(
    read_once: Contest, platform: SimulatedPlatform
) -> None:
    before = len(platform.requests)
    again = read_again(read_once, "9/10min")

    assert (again.cause, len(platform.requests) - before) == (Cause.EXHAUSTED, 4)


def test_what_was_sent_a_whole_period_ago_no_longer_counts(read_once: Contest) -> None:
    read_once.clock.forward(minutes=10)

    assert read_again(read_once, "9/10min").cause is None


def test_a_spent_budget_says_when_it_is_whole_again(read_once: Contest) -> None:
    again = read_again(read_once, "5/10min")

    assert (again.cause, again.resume_at) == (Cause.EXHAUSTED, read_once.clock() + timedelta(minutes=10))
