"""The steps of a night on both databases: each stands alone, none is done twice, and what happened is kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from harvester.config import AlertSettings, HttpSettings, Settings, SweepSettings
from harvester.contest.entries import NewEntry, add_posts
from harvester.errors import StoreError
from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, SimulatedPost, World
from harvester.rehearsal.faults import Fail, Meanwhile
from harvester.run.night.nightly import nightly
from harvester.run.night.summary import NightSummary
from harvester.run.reader import Reader, Work
from harvester.store.installation import Installation
from harvester.store.kinds import Cause, SweepOutcome
from harvester.store.models import Night, Observation, SealedHandles, Sweep, Transfer
from tests.factories import Clock, Contest

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
def at(contest: Contest) -> Installation:
    return Installation(
        database=contest.database,
        settings=Settings(http=HttpSettings(allow_private_hosts=True, attempts=1, longest_wait_seconds=0)),
        master=contest.master,
        now=contest.clock,
        sleep=lambda _: None,
    )


@pytest.fixture
def post(at: Installation, contest: Contest, world: World, platform: SimulatedPlatform) -> SimulatedPost:
    """A post of the contest that ten people like."""
    post = world.publish(DIALECT)
    for number in range(10):
        post.like(f"fan-{number}")
    (added,) = add_posts(at, contest.facts, [NewEntry(pasted_url=platform.url_of(post))])
    assert added.outcome is COMPLETE
    return post


@pytest.fixture
def do(at: Installation) -> Callable[..., NightSummary]:
    """Do a night; nobody reads its report and nobody is told."""

    def night(**other: object) -> NightSummary:
        return nightly(at, **({"report": lambda _: None, "notify": lambda title, body: True} | other))

    return night


def test_a_night_keeps_its_summary(contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]) -> None:
    summary = do()
    (row,) = contest.rows(Night)
    assert (row.outcome, row.started_at, row.ended_at) == (COMPLETE, summary.started_at, summary.ended_at)
    assert msgspec.json.decode(row.summary, type=NightSummary) == summary


def test_who_is_absent_is_looked_for_again_the_same_night(
    contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    assert do().confirmed == 0
    post.unlike("fan-3")
    contest.clock.forward(hours=24)
    assert do().confirmed == 1
    contest.clock.forward(hours=24)
    assert do().confirmed == 0
    assert sorted(one.absences for one in contest.rows(Observation)) == [0] * 9 + [2]
    assert [one.unliked for one in contest.rows(Sweep)] == [0, 0, 1, 0]


def test_two_nights_at_once_are_one(contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]) -> None:
    with contest.database.lock("nightly"):
        summary = do()
    assert summary == NightSummary(
        outcome=PARTIAL,
        reason="another nightly job is at work; nothing was done",
        started_at=contest.clock(),
        ended_at=contest.clock(),
    )
    assert (contest.rows(Night), contest.rows(Sweep)) == ([], [])


def test_a_night_killed_before_its_end_is_done_again_and_credits_nothing_twice(
    contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    def killed(_: NightSummary) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        do(report=killed)
    assert contest.rows(Night) == []
    assert do().outcome is COMPLETE
    assert [one.likes for one in contest.rows(Transfer)] == [10]


def test_a_night_that_is_asked_to_stop_is_still_due(
    contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    asked = iter([False])
    told: list[object] = []
    summary = do(should_stop=lambda: next(asked, True), report=told.append, notify=lambda *said: told.append(said))
    assert (summary.outcome, [one.cause for one in summary.remaining]) == (PARTIAL, [Cause.STOPPED])
    assert summary.troubles[-1].what == "stopped before its end"
    assert (told, contest.rows(Night)) == ([], [])


def test_a_step_that_breaks_is_a_trouble_and_the_next_ones_are_done(
    contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    summary = do(report=lambda _: 1 / 0)
    (trouble,) = summary.troubles
    assert (summary.outcome, summary.complete) == (PARTIAL, 1)
    assert (trouble.about, trouble.cause) == ("reports", Cause.DEFECT)
    assert [row.outcome for row in contest.rows(Night)] == [PARTIAL]


def test_a_connector_that_cannot_be_opened_fails_its_own_posts_only(
    contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    contest.add_entry("5")
    summary = do()
    (trouble,) = summary.troubles
    assert (summary.outcome, summary.posts, summary.complete) == (PARTIAL, 2, 1)
    assert (trouble.about, trouble.urls) == ("fake", ("https://fake.example/5",))
    assert trouble.what.startswith("no connector is called 'fake'")
    assert [(one.url, one.outcome) for one in summary.remaining] == [("https://fake.example/5", FAILED)]


def test_a_night_in_which_no_post_was_read_failed(contest: Contest, do: Callable[..., NightSummary]) -> None:
    contest.add_entry("5")
    assert do().outcome is FAILED


@pytest.fixture
def paced(
    at: Installation, contest: Contest, world: World, platform: SimulatedPlatform
) -> Callable[[str], tuple[SweepOutcome, list[float]]]:
    """Do a night with two posts, one after the other, within a budget; give its outcome and how long it waited."""

    def night(budget: str) -> tuple[SweepOutcome, list[float]]:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            contest.clock.forward(seconds=seconds)

        posts = [world.publish(DIALECT) for _ in range(2)]
        add_posts(at, contest.facts, [NewEntry(pasted_url=platform.url_of(post)) for post in posts])
        changes = {"connectors": {"mastodon": {"budget": budget}}, "sweep": SweepSettings(threads=1)}
        scarce = replace(at, settings=at.settings.model_copy(update=changes), sleep=sleep)
        return nightly(scarce, report=lambda _: None, notify=lambda title, body: True).outcome, pauses

    return night


def test_a_night_paces_itself_within_a_budget_that_fills_again(
    paced: Callable[[str], tuple[SweepOutcome, list[float]]],
) -> None:
    assert paced("4/1min") == (COMPLETE, [60.0])


def test_a_budget_that_fills_only_tomorrow_is_not_waited_for(
    paced: Callable[[str], tuple[SweepOutcome, list[float]]],
) -> None:
    assert paced("4/1d") == (PARTIAL, [])


def test_an_audit_that_breaks_off_proves_nothing_so_the_night_failed(
    contest: Contest, do: Callable[..., NightSummary]
) -> None:
    with contest.writing() as session:
        session.connection().execute(text("ALTER TABLE allocation RENAME TO elsewhere"))
    summary = do()
    assert summary.outcome is FAILED
    assert [(one.about, one.what.partition(",")[0]) for one in summary.problems] == [
        ("integrity checks", "they broke off")
    ]


def test_a_night_that_reached_no_platform_failed_and_says_where_to_look(
    contest: Contest, platform: SimulatedPlatform, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    platform.faults.inject(Fail(status=503), times=None)
    summary = do()
    (trouble,) = summary.troubles
    assert (summary.outcome, trouble.cause) == (FAILED, Cause.UNSTABLE)
    assert trouble.remedy.startswith("see whether this machine reaches the network")


def test_a_night_without_a_post_is_complete(contest: Contest, do: Callable[..., NightSummary]) -> None:
    summary = do()
    assert (summary.outcome, summary.posts, summary.reason) == (COMPLETE, 0, None)


def test_books_that_were_edited_fail_the_night(
    contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    assert do().problems == ()
    with contest.writing() as session:
        for line in _without_triggers(contest):
            session.connection().execute(text(line))
        session.connection().execute(text("UPDATE transfer SET likes = likes + 1, amount = amount + 10"))
    summary = do()
    assert (summary.outcome, summary.complete) == (FAILED, 1)
    assert {one.campaign for one in summary.problems} == {contest.slug}


def _without_triggers(contest: Contest) -> list[str]:
    if not contest.database.is_sqlite:
        return ["ALTER TABLE transfer DISABLE TRIGGER USER"]
    wanted = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'transfer'"
    with contest.database.reading() as session:
        return [f"DROP TRIGGER {name}" for name in session.connection().execute(text(wanted)).scalars()]


def test_closing_sweeps_are_counted_once_and_settlement_comes_by_itself(
    contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    ends_at, seen = contest.facts.rules.ends_at, []
    for hours in (-1, 1, 25, 49):
        contest.clock.at = ends_at + timedelta(hours=hours)
        (one,) = do().campaigns
        seen.append((one.state, one.closing, one.late_closing))
    assert seen == [("running", 0, 0), ("ended", 1, 0), ("ended", 0, 1), ("settled", 0, 0)]
    assert do().campaigns == ()


def test_a_closing_sweep_that_was_cut_off_counts_in_the_night_that_ends_it(
    contest: Contest, platform: SimulatedPlatform, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    platform.faults.inject(Meanwhile(lambda: contest.clock.forward(minutes=20)), on=Kind.POST)
    contest.clock.at = contest.facts.rules.ends_at
    cut = do(until=contest.clock() + timedelta(minutes=10))
    done = do()
    assert [(one.complete, one.closing) for one in (*cut.campaigns, *done.campaigns)] == [(0, 0), (1, 1)]
    assert [one.pages for one in contest.rows(Sweep)] == [1]


def test_a_deadline_stops_the_asking_and_nothing_else(
    contest: Contest, platform: SimulatedPlatform, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    platform.faults.inject(Meanwhile(lambda: contest.clock.forward(hours=2)), on=Kind.POST)
    reported = []
    summary = do(until=contest.clock() + timedelta(hours=1), report=reported.append)
    assert (summary.outcome, [one.cause for one in summary.remaining]) == (PARTIAL, [Cause.STOPPED])
    assert reported == [summary]


class _Broken(Reader):
    """Fails before the first post is read."""

    def batches(self, work: Sequence[Work]) -> Iterator[Sequence[Work]]:
        raise StoreError("the disk is full")


def test_sweeps_that_break_off_are_named_and_expired_handles_go_all_the_same(
    at: Installation, contest: Contest, post: SimulatedPost, do: Callable[..., NightSummary]
) -> None:
    do()
    assert contest.rows(SealedHandles)
    contest.clock.forward(days=365)
    with _Broken(at) as reader:
        summary = do(reader=reader)
    assert [one.what for one in summary.troubles if one.about == "sweeps"] == ["the disk is full"]
    assert (summary.outcome, [one.cause for one in summary.remaining]) == (FAILED, [Cause.STOPPED])
    assert contest.rows(SealedHandles) == []
    assert len(contest.rows(Night)) == 1, "it is still due"


def test_alerts_that_nobody_received_are_a_trouble_of_the_night(
    at: Installation, contest: Contest, post: SimulatedPost
) -> None:
    post.remove()
    alerts = AlertSettings(urls=(SecretStr("json://nobody.example"),))
    settings = at.settings.model_copy(update={"alerts": alerts})
    summary = nightly(replace(at, settings=settings), report=lambda _: None, notify=lambda title, body: False)
    assert [one.about for one in summary.troubles] == ["mastodon", "alerts"]
    assert len(contest.rows(Night)) == 1
