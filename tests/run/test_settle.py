"""Before the end is booked, what lacks its closing sweep is read, through real connectors and real HTTP."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from harvester.config import HttpSettings, ScheduleSettings, Settings
from harvester.contest.closing import LeftOver
from harvester.contest.entries import NewEntry, add_posts
from harvester.errors import UsageError
from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, SimulatedPost, World
from harvester.rehearsal.faults import Fail, Reset, Throttle
from harvester.run.poll import poll
from harvester.run.reader import Reader
from harvester.run.settle import SettlementResult, settle, settlement_due_at
from harvester.store.installation import Installation
from harvester.store.kinds import Cause, EntryState, Keeps, SweepOutcome
from harvester.store.models import Entry, Settlement, Sweep
from tests.factories import Clock, Contest

COMPLETE, PARTIAL = SweepOutcome.COMPLETE, SweepOutcome.PARTIAL
DIALECT = Mastodon()


class Settling:
    """A contest on a simulated platform, and its settlement."""

    def __init__(self, contest: Contest, platform: SimulatedPlatform, world: World) -> None:
        self.contest, self.platform, self._world = contest, platform, world
        http = HttpSettings(allow_private_hosts=True, attempts=1, longest_wait_seconds=0)
        self.at = Installation(
            database=contest.database,
            settings=Settings(http=http),
            master=contest.master,
            now=contest.clock,
            sleep=lambda _: None,
        )

    def post(self, likers: int) -> SimulatedPost:
        """Publish a post that so many people like, and enter it."""
        post = self._world.publish(DIALECT)
        for number in range(likers):
            post.like(f"fan-{number}")
        (added,) = add_posts(self.at, self.contest.facts, [NewEntry(pasted_url=self.platform.url_of(post))])
        assert added.reason is None
        return post

    def poll(self, *, full: bool = False) -> None:
        poll(self.at, [self.contest.facts], wants_full=full)
        self.contest.clock.forward(minutes=1)

    def to_the_end(self) -> None:
        self.contest.clock.at = self.contest.facts.rules.ends_at

    def settle(
        self, accept_gap: str | None = None, should_stop: Callable[[], bool] = lambda: False
    ) -> SettlementResult:
        facts = self.contest.facts
        with Reader(self.at) as reader:
            return settle(self.at, reader, facts, author="amal", accept_gap=accept_gap, should_stop=should_stop)

    def asked(self) -> int:
        """Give how many requests came since the last time."""
        number = len(self.platform.requests)
        self.platform.requests.clear()
        return number


MakeSettling = Callable[..., Settling]


@pytest.fixture
def make_settling(make_contest: Callable[..., Contest], clock: Clock) -> Iterator[MakeSettling]:
    world = World(clock)
    with SimulatedPlatform(world, DIALECT) as platform:
        yield lambda **rules: Settling(make_contest(**rules), platform, world)


@pytest.fixture
def settling(make_settling: MakeSettling) -> Settling:
    return make_settling()


def test_a_campaign_is_due_the_grace_after_its_end(contest: Contest) -> None:
    due = settlement_due_at(contest.facts, ScheduleSettings(grace_hours=36))
    assert due == contest.facts.rules.ends_at + timedelta(hours=36)


def test_before_the_end_it_is_refused_and_nobody_is_asked(settling: Settling) -> None:
    settling.post(3)
    settling.asked()
    with pytest.raises(UsageError, match="it can be settled from then on"):
        settling.settle()
    assert settling.asked() == 0


def test_posts_without_their_closing_sweep_are_read_first(settling: Settling) -> None:
    settling.post(100)
    settling.poll()
    settling.to_the_end()
    result = settling.settle()
    assert (result.is_settled, result.outcome, result.likes, result.bytes) == (True, COMPLETE, 100, 1000)
    assert [one.is_full for one in settling.contest.rows(Sweep)][-1]


def test_posts_that_have_it_are_not_asked_again(settling: Settling) -> None:
    settling.post(3)
    settling.to_the_end()
    settling.poll(full=True)
    settling.asked()
    assert (settling.settle().is_settled, settling.asked()) == (True, 0)


def test_a_settled_campaign_asks_nobody_and_stays_as_it_is(settling: Settling) -> None:
    settling.post(3)
    settling.to_the_end()
    first = settling.settle()
    settling.asked()
    settling.contest.clock.forward(days=1)
    assert (settling.settle(), settling.asked()) == (first, 0)


def test_a_sweep_that_began_before_the_end_is_followed_by_a_closing_one(settling: Settling) -> None:
    settling.post(200)
    settling.contest.clock.at = settling.contest.facts.rules.ends_at - timedelta(minutes=5)
    pause = Throttle(reset=Reset.RETRY_AFTER_SECONDS, pause=timedelta(minutes=5))
    settling.platform.faults.inject(pause, on=Kind.LIKES, nth=2)
    settling.poll(full=True)
    settling.contest.clock.forward(minutes=5)
    assert settling.settle().is_settled
    end = settling.contest.facts.rules.ends_at
    assert [(one.outcome, one.started_at >= end) for one in settling.contest.rows(Sweep)] == [
        (COMPLETE, False),
        (COMPLETE, True),
    ]


def test_who_is_missed_is_looked_for_a_second_time_at_once(make_settling: MakeSettling) -> None:
    settling = make_settling(keeps=Keeps.STANDING)
    post = settling.post(5)
    settling.poll()
    post.unlike("fan-0")
    post.unlike("fan-1")
    settling.to_the_end()
    result = settling.settle()
    assert (result.is_settled, result.likes, result.reversed_likes, result.reversed_bytes) == (True, 3, 2, 20)


def test_a_post_that_cannot_be_read_blocks_and_says_why(settling: Settling) -> None:
    revoked, fine = settling.post(3), settling.post(3)
    settling.poll()
    settling.to_the_end()
    settling.platform.faults.inject(Fail(status=401), about=revoked.native_id, times=None)
    result = settling.settle()
    (post,) = result.left_over
    assert (result.is_settled, result.outcome, post.url) == (False, PARTIAL, settling.platform.url_of(revoked))
    assert (post.connector, post.cause, "credential" in post.reason) == ("mastodon", Cause.GRANT_LOST, True)
    assert settling.contest.rows(Settlement) == []
    assert [len(settling.contest.rows(Sweep, entry_id=entry)) for entry in (1, 2)] == [2, 2], fine


def test_a_gap_may_be_accepted(settling: Settling) -> None:
    revoked = settling.post(3)
    settling.poll()
    settling.to_the_end()
    settling.platform.faults.inject(Fail(status=401), about=revoked.native_id, times=None)
    result = settling.settle("the owner left")
    assert (result.is_settled, result.accepted_gap, result.likes) == (True, "the owner left", 3)
    assert [post.cause for post in result.left_over] == [Cause.GRANT_LOST]


def test_a_post_whose_connector_does_not_open_is_left_over(settling: Settling) -> None:
    settling.post(3)
    with settling.contest.writing() as session:
        session.get_one(Entry, 1).connector = "myspace"
    settling.to_the_end()
    (post,) = settling.settle().left_over
    assert "no connector is called 'myspace'" in post.reason


def test_a_post_that_is_gone_does_not_block(settling: Settling) -> None:
    post = settling.post(3)
    settling.poll()
    post.remove()
    settling.to_the_end()
    assert not settling.settle().is_settled
    settling.contest.clock.forward(hours=25)
    assert (settling.settle().is_settled, settling.contest.status.entries[0].state) == (True, EntryState.GONE)
    assert settling.contest.status.likes.credited == 3


def test_who_is_stopped_accepts_no_gap(settling: Settling) -> None:
    post = settling.post(3)
    settling.to_the_end()
    result = settling.settle("in any case", should_stop=lambda: True)
    assert (result.is_settled, result.left_over) == (
        False,
        (
            LeftOver(
                url=settling.platform.url_of(post),
                connector="mastodon",
                reason="stopped before its end; the next poll goes on",
                cause=Cause.STOPPED,
            ),
        ),
    )
