"""A process that begins counts what earlier ones asked of a platform: a restart is no reason to exceed a budget."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from harvester.config import HttpSettings, Settings
from harvester.contest.entries import NewEntry, add_posts
from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, World
from harvester.rehearsal.faults import Reset, Throttle
from harvester.run.poll import poll, read_all
from harvester.run.reader import EntryResult, Reader, open_work
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


@pytest.fixture
def daemon(read_once: Contest) -> Iterator[Reader]:
    """A process that begins when the first one's requests are forgotten, with nine or ten of its own."""
    read_once.clock.forward(minutes=10)
    with Reader(an_installation(read_once, "9/10min")) as reader:
        reader.platform("mastodon")
        read_once.clock.forward(seconds=10)
        yield reader


def read_by(daemon: Reader, contest: Contest, budget: str = "9/10min") -> EntryResult:
    at = an_installation(contest, budget)
    with at.database.reading() as session:
        work = open_work(session, contest.facts)
    (result,) = read_all(at, daemon, work[:1], wants_full=True)
    contest.clock.forward(seconds=10)
    return result


def test_what_another_process_sends_meanwhile_is_counted_too(
    daemon: Reader, read_once: Contest, platform: SimulatedPlatform
) -> None:
    read_again(read_once, "9/10min")
    read_once.clock.forward(seconds=10)
    before = len(platform.requests)
    again = read_by(daemon, read_once)

    assert (again.cause, len(platform.requests) - before) == (Cause.EXHAUSTED, 4)


def test_what_this_process_sends_is_not_counted_twice(daemon: Reader, read_once: Contest) -> None:
    """Five requests, whose row is there when it goes on with four."""
    first, again = read_by(daemon, read_once), read_by(daemon, read_once)

    assert (first.cause, again.cause, again.pages) == (None, Cause.EXHAUSTED, LIKERS // 80 + 1)


def test_a_pause_outlives_the_process_that_was_asked_for_it(
    contest: Contest, world: World, platform: SimulatedPlatform
) -> None:
    at = an_installation(contest, "off")
    add_posts(at, contest.facts, [NewEntry(pasted_url=platform.url_of(world.publish(Mastodon()))) for _ in range(2)])
    pause = Throttle(reset=Reset.RETRY_AFTER_SECONDS, pause=timedelta(minutes=10))
    platform.faults.inject(pause, on=Kind.LIKES)
    with at.database.reading() as session:
        first, second = open_work(session, contest.facts)
    for number, one in enumerate((first, second)):
        contest.clock.forward(seconds=number)
        before = len(platform.requests)
        with Reader(at) as reader:
            (result,) = read_all(at, reader, [one], wants_full=True)

    assert (result.cause, len(platform.requests)) == (Cause.THROTTLED, before)
