"""A rehearsed contest on the six platforms that carry one: two name the likers, four only count, all misbehave.

The truth is the simulated world's. What must be credited follows from it: who truly liked and can be named,
and the highest number shown at an instant when it was read.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from harvester.rehearsal import DIALECTS, FacebookPage, Kind, SimulatedPlatform, SimulatedPost, World
from harvester.rehearsal.faults import (
    ERROR_WITH_STATUS_200,
    HTML_PAGE,
    Break,
    Fail,
    Meanwhile,
    Reset,
    Throttle,
    Truncate,
)
from harvester.rehearsal.wire import Delivery
from tests.cli.conftest import Clock, Run

NAMES = ("facebook_page", "mastodon")
COUNTS = ("instagram", "threads", "tiktok", "youtube")
LIKES = 300
SIXTH_HOURS = 12


@dataclass
class Contest:
    """The contest and its truth; `shown` is what each counted post truly showed whenever it was read."""

    run: Run
    clock: Clock
    platforms: dict[str, SimulatedPlatform]
    posts: dict[str, SimulatedPost]
    shown: dict[str, list[int]] = field(default_factory=dict)

    def poll(self, *, full: bool = False) -> tuple[int, dict[str, dict]]:
        """Poll once; note what the counted posts truly show at that moment, where they were read."""
        said = self.run("poll", "afcon", "--json", *(["--full"] if full else []))
        outcomes = {one["connector"]: one for one in said.facts["entries"]}
        for name in COUNTS:
            post, is_read = self.posts[name], outcomes[name]["outcome"] == "complete"
            if is_read and not post.count_is_hidden:
                self.shown.setdefault(name, []).append(post.displayed())
        return said.code, outcomes

    def must_be_credited(self, name: str) -> int:
        if name in COUNTS:
            return max(self.shown[name])
        post = self.posts[name]
        return len(post.likers() - {post.naming.actor_id(fan) for fan in ("fan-0", "fan-1", "fan-2")})

    @property
    def credited(self) -> dict[str, int]:
        return {one["connector"]: one["credited"] for one in self.run("status", "afcon", "--json").facts["entries"]}


@pytest.fixture
def six(home: Run, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Contest]:
    monkeypatch.setenv("HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS", "true")
    monkeypatch.setenv("HARVESTER_CONNECTORS__FACEBOOK_PAGE__PAGE_ID", FacebookPage().page_id("contest"))
    monkeypatch.setenv("HARVESTER_CONNECTORS__YOUTUBE__API_KEY", "simulated-token")
    for name in ("facebook_page", "instagram", "threads", "tiktok"):
        monkeypatch.setenv(f"HARVESTER_CONNECTORS__{name.upper()}__TOKEN", "simulated-token")
    with ExitStack() as stack:
        platforms = {name: stack.enter_context(SimulatedPlatform(world, DIALECTS[name])) for name in NAMES + COUNTS}
        for name in ("facebook_page", *COUNTS):
            monkeypatch.setenv(f"HARVESTER_CONNECTORS__{name.upper()}__API", platforms[name].origin)
        add = ("campaign", "add", "afcon", "--name", "AFCON", "--start", "2027-01-21", "--end", "2027-02-18")
        assert home(*add).code == 0
        posts = {name: _publish(world, name, clock()) for name in NAMES + COUNTS}
        yield Contest(home, clock, platforms, posts)


def _publish(world: World, name: str, now: datetime) -> SimulatedPost:
    """Publish a post that people like through six half days; three likers are blocked, ten take their like back."""
    post = world.publish(DIALECTS[name], at=now)
    for number in range(LIKES):
        post.like(f"fan-{number}", now + timedelta(minutes=number * SIXTH_HOURS * 60 * 6 / LIKES))
    for number in range(3):
        post.hide(f"fan-{number}", now)
    for number in range(20, 30):
        post.unlike(f"fan-{number}", now + timedelta(hours=40))
    return post


def _add_all(contest: Contest) -> None:
    for name, post in contest.posts.items():
        stated = ("--published", contest.clock().isoformat()) if name == "threads" else ()
        said = contest.run("post", "add", "afcon", contest.platforms[name].url_of(post), "--entrant", name, *stated)
        assert (said.code, said.err) == (0, "")


def test_what_is_credited_is_what_the_rules_make_of_the_truth_post_by_post(six: Contest) -> None:
    _add_all(six)
    posts, faults = six.posts, {name: platform.faults for name, platform in six.platforms.items()}
    posts["tiktok"].drift(-60, six.clock() + timedelta(hours=30))
    posts["tiktok"].drift(+60, six.clock() + timedelta(hours=54))
    posts["youtube"].hide_count(six.clock() + timedelta(hours=20))
    posts["youtube"].show_count(six.clock() + timedelta(hours=50))
    faults["facebook_page"].inject(Fail(status=500), on=Kind.LIKES, nth=2)
    faults["facebook_page"].inject(Truncate(), on=Kind.LIKES, nth=4)
    faults["mastodon"].inject(Throttle(reset=Reset.X_ISO, pause=timedelta(seconds=30)), on=Kind.LIKES, nth=3)
    faults["mastodon"].inject(Break(delivery=Delivery.RESET_MIDWAY), on=Kind.LIKES, nth=5)
    faults["instagram"].inject(HTML_PAGE, on=Kind.POST, nth=2)
    faults["threads"].inject(ERROR_WITH_STATUS_200, on=Kind.POST, nth=2)
    faults["tiktok"].inject(Throttle(pause=timedelta(hours=1)), on=Kind.POST, nth=3)
    faults["youtube"].inject(Fail(status=503), on=Kind.POST, nth=2, times=3)

    codes = []
    for _ in range(6):
        six.clock.forward(hours=SIXTH_HOURS)
        codes.append(six.poll(full=True)[0])
    six.clock.forward(hours=2)
    last, outcomes = six.poll(full=True)

    assert {name: one["outcome"] for name, one in outcomes.items()} == dict.fromkeys(NAMES + COUNTS, "complete")
    assert last == 0
    assert 3 in codes  # the faults were felt
    assert six.credited == {name: six.must_be_credited(name) for name in NAMES + COUNTS}
    assert all(six.credited.values())


def test_one_revoked_token_leaves_the_other_five_complete(six: Contest) -> None:
    _add_all(six)
    six.clock.forward(hours=30)
    six.platforms["tiktok"].revoke()

    code, outcomes = six.poll()

    assert code == 3
    assert {name for name, one in outcomes.items() if one["outcome"] == "complete"} == {*NAMES, *COUNTS} - {"tiktok"}
    assert outcomes["tiktok"]["outcome"] == "failed"
    assert "renew connectors.tiktok.token: get it from" in outcomes["tiktok"]["reason"]
    assert "simulated-token" not in str(outcomes)


def test_a_token_revoked_in_the_middle_of_a_list_keeps_what_was_read(six: Contest) -> None:
    _add_all(six)
    six.clock.forward(hours=60)
    platform = six.platforms["facebook_page"]
    platform.faults.inject(Meanwhile(platform.revoke), on=Kind.LIKES, nth=2)

    code, outcomes = six.poll()

    assert (code, outcomes["facebook_page"]["outcome"]) == (3, "failed")
    assert 0 < six.credited["facebook_page"] <= 100
