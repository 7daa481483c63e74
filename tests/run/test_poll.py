"""One pass over the posts of a contest, through real connectors and real HTTP: one that fails never stops the rest."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from importlib import invalidate_caches
from pathlib import Path

import pytest

from harvester.collect.registry import installed
from harvester.config import HttpSettings, PrivacySettings, Settings
from harvester.contest.entries import NewEntry, add_posts
from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, SimulatedPost, World
from harvester.rehearsal.faults import Fail, Reset, Throttle
from harvester.run.poll import overall, poll
from harvester.run.reader import EntryResult
from harvester.run.trial import try_posts
from harvester.store.installation import Installation
from harvester.store.kinds import Cause, EntryState, SweepOutcome
from harvester.store.models import SealedHandles, Sweep
from tests.factories import KICK_OFF, Clock, Contest

COMPLETE, PARTIAL, FAILED = SweepOutcome.COMPLETE, SweepOutcome.PARTIAL, SweepOutcome.FAILED

DIALECT = Mastodon()


@pytest.fixture
def world(clock: Clock) -> World:
    return World(clock)


@pytest.fixture
def platform(world: World) -> Iterator[SimulatedPlatform]:
    with SimulatedPlatform(world, DIALECT) as platform:
        yield platform


@pytest.fixture
def settings() -> Settings:
    return Settings(
        http=HttpSettings(allow_private_hosts=True, attempts=1, longest_wait_seconds=0),
        privacy=PrivacySettings(handle_days=30),
    )


class Night:
    """A contest on simulated platforms, and its poll."""

    def __init__(self, contest: Contest, settings: Settings) -> None:
        self.contest = contest
        self.at = Installation(
            database=contest.database,
            settings=settings,
            master=contest.master,
            now=contest.clock,
            sleep=lambda _: None,
        )

    def add(self, *urls: str) -> None:
        added = add_posts(self.at, self.contest.facts, [NewEntry(pasted_url=url) for url in urls])
        assert [one.reason for one in added] == [None] * len(urls)

    def poll(
        self, *, full: bool = False, on_done: Callable[[EntryResult], None] | None = None
    ) -> tuple[EntryResult, ...]:
        results = poll(self.at, [self.contest.facts], wants_full=full, on_done=on_done)
        self.contest.clock.forward(minutes=1)
        return results


@pytest.fixture
def night(contest: Contest, settings: Settings) -> Night:
    return Night(contest, settings)


@pytest.fixture
def make_post(world: World, platform: SimulatedPlatform) -> Callable[..., SimulatedPost]:
    """Publish a post that so many people like."""

    def make(likers: int = 3, *, on: SimulatedPlatform = platform) -> SimulatedPost:
        post = world.publish(on.handlers[0])
        for number in range(likers):
            post.like(f"fan-{number}")
        return post

    return make


MakePost = Callable[..., SimulatedPost]


def test_a_poll_credits_every_post(night: Night, platform: SimulatedPlatform, make_post: MakePost) -> None:
    night.add(platform.url_of(make_post(100)), platform.url_of(make_post(3)))
    assert [(one.outcome, one.new, one.credited) for one in night.poll()] == [(COMPLETE, 100, 100), (COMPLETE, 3, 3)]
    assert night.contest.status.bytes.credited == 1030


def test_polling_twice_changes_nothing(night: Night, platform: SimulatedPlatform, make_post: MakePost) -> None:
    night.add(platform.url_of(make_post(100)))
    night.poll()
    before = night.contest.status
    assert [one.outcome for one in night.poll(full=True)] == [COMPLETE]
    after = night.contest.status
    assert (after.likes, after.bytes, after.checkpoint) == (before.likes, before.bytes, before.checkpoint)


def test_credits_follow_to_the_associations(night: Night, platform: SimulatedPlatform, make_post: MakePost) -> None:
    night.contest.add_association("hope")
    night.contest.assign("hope", 600_000)
    night.add(platform.url_of(make_post(10)))
    night.poll()
    status = night.contest.status
    assert (status.bytes.pool, status.bytes.pledged, status.beneficiaries[0].pledged_bytes) == (40, 60, 60)


def test_one_dead_post_and_one_refused_do_not_stop_the_others(
    night: Night, platform: SimulatedPlatform, make_post: MakePost
) -> None:
    dead, refused, fine = make_post(), make_post(), make_post()
    night.add(*map(platform.url_of, (dead, refused, fine)))
    dead.remove()
    platform.faults.inject(Fail(status=403), about=refused.native_id, times=None)
    results = night.poll()
    assert [(one.outcome, one.credited) for one in results] == [(FAILED, 0), (FAILED, 0), (COMPLETE, 3)]
    assert overall(one.outcome for one in results) is PARTIAL
    states = [one.state for one in night.contest.status.entries]
    assert states == [EntryState.MISSING, EntryState.OPEN, EntryState.OPEN]


def test_a_lost_grant_ends_its_post_alone(night: Night, platform: SimulatedPlatform, make_post: MakePost) -> None:
    revoked, fine = make_post(), make_post()
    night.add(platform.url_of(revoked), platform.url_of(fine))
    platform.faults.inject(Fail(status=401), about=revoked.native_id, times=None)
    results = night.poll()
    assert [one.outcome for one in results] == [FAILED, COMPLETE]
    assert "credential" in str(results[0].reason)


def test_a_throttled_post_goes_on_after_the_pause(
    night: Night, platform: SimulatedPlatform, make_post: MakePost
) -> None:
    night.add(platform.url_of(make_post(200)))
    pause = Throttle(reset=Reset.RETRY_AFTER_SECONDS, pause=timedelta(minutes=10))
    platform.faults.inject(pause, on=Kind.LIKES, nth=2)
    (first,) = night.poll()
    assert (first.outcome, first.credited, first.resume_at) == (PARTIAL, 80, KICK_OFF + timedelta(minutes=10))
    asked = len(platform.requests)
    (second,) = night.poll()
    assert (second.outcome, len(platform.requests)) == (PARTIAL, asked)
    night.contest.clock.forward(minutes=10)
    (third,) = night.poll()
    assert (third.outcome, third.credited, night.contest.status.likes.credited) == (COMPLETE, 200, 200)


def test_an_interrupted_poll_is_made_good_by_the_next(
    night: Night, platform: SimulatedPlatform, make_post: MakePost
) -> None:
    night.add(*(platform.url_of(make_post(likers)) for likers in (1, 900, 900)))

    def interrupt(_: EntryResult) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        night.poll(on_done=interrupt)
    assert [one.outcome for one in night.poll()] == [COMPLETE] * 3
    assert night.contest.status.likes.credited == 1801


def test_a_gone_post_is_not_asked_again(night: Night, platform: SimulatedPlatform, make_post: MakePost) -> None:
    post = make_post()
    night.add(platform.url_of(post))
    night.poll()
    post.remove()
    night.poll()
    night.contest.clock.forward(hours=24)
    night.poll()
    assert (night.contest.status.entries[0].state, night.contest.status.likes.credited) == (EntryState.GONE, 3)
    asked = len(platform.requests)
    assert (night.poll(), len(platform.requests)) == ((), asked)


def test_a_poll_without_posts_is_complete(night: Night) -> None:
    assert overall(one.outcome for one in night.poll()) is COMPLETE


def test_handles_are_kept_sealed_and_forgotten_in_time(
    night: Night, platform: SimulatedPlatform, make_post: MakePost
) -> None:
    night.add(platform.url_of(make_post()))
    night.poll()
    (box,) = night.contest.rows(SealedHandles)
    assert sorted(night.contest.key.unseal(box.box).values()) == ["fan-0", "fan-1", "fan-2"]
    assert box.expires_at == night.contest.facts.rules.ends_at + timedelta(days=30)
    night.contest.clock.at = box.expires_at - timedelta(seconds=1)
    night.poll()
    assert len(night.contest.rows(SealedHandles)) == 1
    night.contest.clock.at = box.expires_at
    night.poll()
    assert night.contest.rows(SealedHandles) == []


def test_no_handle_is_kept_when_the_installation_keeps_none(
    contest: Contest, settings: Settings, platform: SimulatedPlatform, make_post: MakePost
) -> None:
    night = Night(contest, settings.model_copy(update={"privacy": PrivacySettings(handle_days=0)}))
    night.add(platform.url_of(make_post()))
    night.poll()
    assert contest.rows(SealedHandles) == []


# A connector with a defect: installed as any other is, through its metadata.

_BROKEN = """
import builtins
import msgspec
from harvester.connector import LikeTime, Order, Post, Traits

class Broken:
    name = "broken"
    traits = Traits(order=Order.UNDEFINED, time=LikeTime.NONE, page_max=10)
    hosts = ("broken.example",)
    url_forms = ("https://broken.example/KeyError",)
    settings_type = msgspec.defstruct("BrokenSettings", [])

    def __init__(self, settings):
        self.origins = ()

    @classmethod
    def recognise(cls, url):
        origin, _, error = url.rpartition("/")
        if origin != "https://broken.example":
            return None
        return Post(platform=cls.name, native_id=error, realm="broken", url=url)

    def fetch_page(self, http, post, cursor):
        raise getattr(builtins, post.native_id)("a defect of the connector")
"""


@pytest.fixture
def broken_connector(tmp_path: Path) -> Iterator[None]:
    """Install a connector whose pages raise the error that its URL names."""
    site = tmp_path / "site"
    metadata = site / "broken_connector-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "broken_connector.py").write_text(_BROKEN)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-connector\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[harvester.connectors]\nbroken = broken_connector:Broken\n")
    sys.path.insert(0, str(site))
    invalidate_caches()
    installed.cache_clear()
    yield
    sys.path.remove(str(site))
    sys.modules.pop("broken_connector", None)
    installed.cache_clear()


@pytest.mark.usefixtures("broken_connector")
@pytest.mark.parametrize("error", ["KeyError", "RecursionError", "ConnectionResetError", "OSError", "TimeoutError"])
def test_a_defect_in_a_connector_ends_its_post_alone(
    night: Night, platform: SimulatedPlatform, make_post: MakePost, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    night.add(f"https://broken.example/{error}", platform.url_of(make_post()))
    results = night.poll()
    assert [(one.outcome, one.credited) for one in results] == [(FAILED, 0), (COMPLETE, 3)]
    assert "see the log" in str(results[0].reason)
    assert "a defect of the connector" in caplog.text
    assert [(one.outcome, one.cause) for one in night.contest.rows(Sweep, entry_id=1)] == [(FAILED, Cause.DEFECT)]


# A trial.


def test_a_trial_counts_every_liker_and_leaves_nothing_behind(
    settings: Settings, platform: SimulatedPlatform, make_post: MakePost, clock: Clock
) -> None:
    urls = [platform.url_of(make_post(100)), platform.url_of(make_post(3))]
    trial = try_posts(urls, settings, now=clock, sleep=lambda _: None)
    assert [(one.displayed, one.held, one.gap, one.likes) for one in trial.posts] == [(100, 100, 0, 100), (3, 3, 0, 3)]
    assert (trial.likes, trial.bytes) == (103, 1_030_000_000)


def test_a_trial_of_a_post_that_is_not_there_says_so_and_tries_the_others(
    settings: Settings, platform: SimulatedPlatform, make_post: MakePost, clock: Clock
) -> None:
    dead, fine = make_post(), make_post()
    dead.remove()
    trial = try_posts([platform.url_of(dead), platform.url_of(fine)], settings, now=clock, sleep=lambda _: None)
    assert [(one.outcome, one.likes) for one in trial.posts] == [(FAILED, 0), (COMPLETE, 3)]
