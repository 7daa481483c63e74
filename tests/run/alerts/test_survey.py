"""Every kind of condition appears when its facts do, and disappears with them."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from harvester.books.audit import Problem
from harvester.collect.grants import keep_new_grant
from harvester.collect.oauth import Tokens
from harvester.collect.registry import installed
from harvester.config import AlertSettings, Settings
from harvester.connector import (
    Basis,
    ContractBroken,
    Exhausted,
    GrantLost,
    Missing,
    Refused,
    Secret,
    Throttled,
    Unstable,
)
from harvester.run.alerts.survey import Condition, survey
from harvester.run.doctor.findings import Finding, fail, ok, warn
from harvester.run.night.summary import NightSummary
from harvester.store.installation import Installation
from harvester.store.kinds import AlertKind, EntryState, SweepOutcome
from harvester.store.models import Entry, Hole, Night, Settlement, Sweep
from tests.factories import HIDDEN, Contest, CountingPlatform, FakePlatform

COMPLETE, PARTIAL, FAILED = SweepOutcome.COMPLETE, SweepOutcome.PARTIAL, SweepOutcome.FAILED
POST = "https://fake.example/1 (contest-1)"
SERVER = "fake (here)"
Look = Callable[..., Condition | None]


def installation(contest: Contest, **alerts: Any) -> Installation:
    settings = Settings(alerts=AlertSettings(**alerts))
    return Installation(database=contest.database, settings=settings, master=contest.master, now=contest.clock)


@pytest.fixture
def look(contest: Contest) -> Look:
    """Give the one condition of a kind, or None when there is none."""

    def find(kind: AlertKind, **alerts: Any) -> Condition | None:
        found = [one for one in survey(installation(contest, **alerts)).conditions if one.kind is kind]
        assert len(found) < 2
        return found[0] if found else None

    return find


def about(condition: Condition | None) -> str | None:
    """Name what a condition is about, once it is sure that it says what to do."""
    assert condition is None or (condition.remedy and condition.message.endswith("."))
    return condition.subject if condition else None


def night(contest: Contest, outcome: SweepOutcome = COMPLETE, **told: Any) -> None:
    """Let a night come to its end, with the summary that the nightly job keeps."""
    times = {"started_at": contest.clock(), "ended_at": contest.clock(), "outcome": outcome}
    summary = msgspec.json.encode(NightSummary(**({"reason": None} | times | told))).decode()
    with contest.writing() as session:
        session.add(Night(**times, summary=summary))


def settled(contest: Contest) -> None:
    with contest.writing() as session:
        row = Settlement(campaign_id=contest.facts.id, settled_at=contest.clock(), author="test", likes=0, bytes=0)
        session.add(row)


def fans(number: int, first: int = 0) -> list[str]:
    return [f"fan-{one}" for one in range(first, first + number)]


def test_a_fresh_contest_has_nothing_wrong(contest: Contest) -> None:
    contest.sweep(contest.add_entry(), FakePlatform(likers=fans(3)), full=True)

    assert survey(installation(contest)).conditions == ()


# The installation


def test_no_night_for_36_hours_is_overdue_until_one_ran(contest: Contest, look: Look) -> None:
    contest.clock.forward(hours=35)
    assert look(AlertKind.RUN_OVERDUE) is None

    contest.clock.forward(minutes=1)
    assert about(look(AlertKind.RUN_OVERDUE)) == "the nightly job"

    night(contest)
    assert look(AlertKind.RUN_OVERDUE) is None

    contest.clock.forward(hours=36, minutes=1)
    assert about(look(AlertKind.RUN_OVERDUE)) == "the nightly job"


def test_without_a_contest_that_began_no_night_is_overdue(
    contest: Contest, make_contest: Callable[..., Contest]
) -> None:
    make_contest(starts_at=contest.clock() + timedelta(days=9))
    contest.clock.forward(days=8)
    settled(contest)

    assert survey(installation(contest)).conditions == ()


def test_two_nights_that_were_not_complete_are_told_until_one_is(contest: Contest, look: Look) -> None:
    night(contest, PARTIAL)
    assert look(AlertKind.NIGHT_INCOMPLETE) is None

    night(contest, PARTIAL, reason="reports: disk full")
    found = look(AlertKind.NIGHT_INCOMPLETE)
    assert about(found) == "the nightly job"
    assert found is not None
    assert found.message == (
        "The nightly job of 2027-01-21 20:00 UTC ended partial, and the one before was not complete either: "
        "reports: disk full."
    )

    night(contest)
    assert look(AlertKind.NIGHT_INCOMPLETE) is None


def test_a_night_that_failed_is_told_at_once_with_its_reason(contest: Contest, look: Look) -> None:
    night(contest, FAILED, reason="not read to their end: 2 of 2 posts")

    found = look(AlertKind.NIGHT_INCOMPLETE)
    assert found is not None
    assert found.message == (
        "The nightly job of 2027-01-21 20:00 UTC ended failed: not read to their end: 2 of 2 posts."
    )


def test_books_that_do_not_recompute_are_told_at_once_also_after_the_settlement(contest: Contest, look: Look) -> None:
    problems = tuple(Problem(campaign="contest-1", about=about, what="it is wrong") for about in ("transfer 7", "pool"))
    settled(contest)
    night(contest, FAILED, reason="the books do not recompute (2)", problems=problems)

    found = look(AlertKind.BOOKS_BROKEN)
    assert about(found) == "contest-1"
    assert found is not None
    assert found.message == ("The books of contest-1 do not recompute: transfer 7: it is wrong, and 1 more problem.")
    assert found.remedy == "Change nothing, keep a copy of the database as it is, and call the auditor."
    assert look(AlertKind.NIGHT_INCOMPLETE) is None

    night(contest)
    assert look(AlertKind.BOOKS_BROKEN) is None


def findings(contest: Contest) -> list[tuple[str, str, str]]:
    found = survey(installation(contest)).conditions
    return [(one.subject, one.message, one.remedy) for one in found if one.kind is AlertKind.FINDING]


def found_at_night(contest: Contest, *found: Finding) -> list[tuple[str, str, str]]:
    night(contest, findings=found)
    return findings(contest)


def test_every_warning_of_the_last_night_is_told_until_a_night_finds_it_no_more(contest: Contest) -> None:
    old = warn("time zones", "release 2026a may be more than a year old", "upgrade the package tzdata")
    told = ("time zones: release 2026a may be more than a year old",) * 2

    assert found_at_night(contest, old, fail("x", "refused"), ok("x", "y")) == [
        (told[0], f"{told[1]}.", "Upgrade the package tzdata.")
    ]
    assert found_at_night(contest) == []


def test_a_clock_that_is_wrong_by_other_seconds_every_night_is_one_finding(contest: Contest) -> None:
    nights = [
        found_at_night(contest, warn("fake", f"its clock and this machine's differ by {seconds:,} s"))
        for seconds in (180, 1_181)
    ]

    assert [subject for [(subject, *_)] in nights] == ["fake: its clock and this machine's differ by … s"] * 2


def test_a_login_that_ends_is_not_told_as_a_finding_too(contest: Contest) -> None:
    contest.add_entry()
    granted(contest, "fake", days=3)

    assert found_at_night(contest, warn("fake", "expires soon", "run 'harvester connectors login fake'")) == []


def test_a_night_that_another_version_summed_up_is_still_a_night(contest: Contest, look: Look) -> None:
    with contest.writing() as session:
        times = {"started_at": contest.clock(), "ended_at": contest.clock()}
        session.add(Night(**times, outcome=FAILED, summary='{"findings": 7}'))

    assert about(look(AlertKind.NIGHT_INCOMPLETE)) == "the nightly job"


def granted(contest: Contest, connector: str, *, days: float, refresh: str | None = None) -> None:
    expires_at = contest.clock() + timedelta(days=days)
    tokens = Tokens(access=Secret("a"), refresh=Secret(refresh) if refresh else None, scopes=(), expires_at=expires_at)
    keep_new_grant(installation(contest), connector, tokens)


def test_a_login_that_ends_is_told_a_week_before(contest: Contest, look: Look) -> None:
    contest.add_entry()
    granted(contest, "fake", days=8)
    assert look(AlertKind.GRANT_EXPIRING) is None

    contest.clock.forward(days=1)
    assert about(look(AlertKind.GRANT_EXPIRING)) == "fake"
    assert look(AlertKind.GRANT_EXPIRING, grant_days=6) is None

    granted(contest, "fake", days=60)
    assert look(AlertKind.GRANT_EXPIRING) is None


def test_a_login_with_a_refresh_token_or_without_posts_never_ends_soon(contest: Contest, look: Look) -> None:
    contest.add_entry()
    granted(contest, "fake", days=0.04, refresh="r")
    granted(contest, "other", days=1)

    assert look(AlertKind.GRANT_EXPIRING) is None


def test_a_login_that_renews_itself_has_a_day_to_do_so(contest: Contest, look: Look) -> None:
    name = next(name for name, kind in installed().items() if getattr(getattr(kind, "oauth", None), "renew_url", ""))
    with contest.writing() as session:
        session.get_one(Entry, contest.add_entry()).connector = name
    granted(contest, name, days=60)

    contest.clock.forward(days=53, hours=23)
    assert look(AlertKind.GRANT_EXPIRING) is None

    contest.clock.forward(hours=2)
    assert about(look(AlertKind.GRANT_EXPIRING)) == name


# Posts


def test_a_post_is_missing_until_it_is_shown_again(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(before={1: Missing("404")}))
    assert about(look(AlertKind.POST_MISSING)) == POST
    assert look(AlertKind.POST_GONE) is None

    contest.sweep(entry_id, FakePlatform(likers=fans(1)))
    assert look(AlertKind.POST_MISSING) is None


def test_a_post_that_is_gone_is_still_missing_until_it_is_removed(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    for _ in range(2):
        contest.sweep(entry_id, FakePlatform(count_error=Missing("404")))
        contest.clock.forward(days=1)
    assert (about(look(AlertKind.POST_MISSING)), about(look(AlertKind.POST_GONE))) == (POST, POST)

    with contest.writing() as session:
        session.get_one(Entry, entry_id).state = EntryState.REMOVED
    assert (look(AlertKind.POST_MISSING), look(AlertKind.POST_GONE)) == (None, None)


def test_two_sweeps_that_were_not_complete_are_told_until_one_is(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(before={1: Refused("it is private")}))
    assert look(AlertKind.POST_INCOMPLETE) is None

    contest.sweep(entry_id, FakePlatform(before={1: Refused("it is private")}))
    found = look(AlertKind.POST_INCOMPLETE)
    assert about(found) == POST
    assert found is not None
    assert found.message == (f"{POST} was not read to its end, 2 attempts since 2027-01-21 20:00 UTC: it is private.")

    contest.sweep(entry_id, FakePlatform(likers=fans(3)))
    assert look(AlertKind.POST_INCOMPLETE) is None


@pytest.mark.parametrize("cursor_life", [timedelta(0), timedelta(hours=1)], ids=["begun anew", "gone on with"])
@pytest.mark.parametrize("error", [Unstable("503"), ContractBroken("no likes")])
def test_a_server_that_fails_is_told_after_two_attempts_whether_they_are_one_sweep_or_two(
    contest: Contest, look: Look, error: Exception, cursor_life: timedelta
) -> None:
    entries = [contest.add_entry(str(number)) for number in (1, 2)]
    for number in range(2):
        assert look(AlertKind.SERVER_FAILING) is None, number
        for entry_id in entries:
            contest.sweep(entry_id, FakePlatform(before={1: error}, cursor_life=cursor_life))

    found = look(AlertKind.SERVER_FAILING)
    assert about(found) == SERVER
    assert found is not None
    assert found.message == (
        f"{SERVER} does not let posts be read to their end: {POST} and 1 other post of {SERVER}, "
        f"2 attempts since 2027-01-21 20:00 UTC: {error}."
    )


def test_numbers_that_are_not_given_count_as_attempts_too(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry(basis=Basis.COUNT)
    for expected in (None, SERVER):
        contest.read([entry_id], CountingPlatform(before={1: Unstable("503")}))
        assert about(look(AlertKind.SERVER_FAILING)) == expected


def test_a_sweep_that_gets_on_page_by_page_is_told_only_after_a_day(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    for _ in range(5):
        until = contest.clock() + timedelta(minutes=20)
        contest.sweep(entry_id, FakePlatform(likers=fans(30), before={2: Throttled(until)}))
        contest.clock.forward(minutes=30)
        assert look(AlertKind.SERVER_FAILING) is None

    contest.clock.forward(hours=22)
    assert about(look(AlertKind.SERVER_FAILING)) == SERVER


def test_stopping_a_sweep_says_nothing_about_its_server(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    for _ in range(4):
        contest.sweep(entry_id, FakePlatform(likers=fans(3)), should_stop=lambda: True)
        contest.clock.forward(days=1)

    assert (look(AlertKind.SERVER_FAILING), look(AlertKind.POST_INCOMPLETE)) == (None, None)


@pytest.mark.parametrize("error", [GrantLost("401"), Missing("404")])
def test_what_has_a_kind_of_its_own_is_not_told_twice(contest: Contest, look: Look, error: Exception) -> None:
    entry_id = contest.add_entry()
    for _ in range(3):
        contest.sweep(entry_id, FakePlatform(before={1: error}))

    assert look(AlertKind.POST_INCOMPLETE) is None


def test_a_post_that_is_missing_now_is_not_also_told_as_not_read(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    for error in (Refused("no"), Refused("no"), Missing("404")):
        contest.sweep(entry_id, FakePlatform(count_error=error))
    assert (about(look(AlertKind.POST_MISSING)), look(AlertKind.POST_INCOMPLETE)) == (POST, None)

    contest.clock.forward(days=1)
    contest.sweep(entry_id, FakePlatform(count_error=Missing("404")))
    assert (about(look(AlertKind.POST_GONE)), look(AlertKind.POST_INCOMPLETE)) == (POST, None)


def test_a_spent_quota_is_one_condition_for_all_posts_of_a_platform(contest: Contest, look: Look) -> None:
    until = contest.clock() + timedelta(hours=3)
    entries = [contest.add_entry(str(number)) for number in range(3)]
    for entry_id in entries:
        contest.sweep(entry_id, FakePlatform(before={1: Exhausted(until)}))
    found = look(AlertKind.QUOTA_EXHAUSTED)
    assert about(found) == SERVER
    assert found is not None
    assert found.message == f"The quota of {SERVER} is spent until {until:%Y-%m-%d %H:%M} UTC: 3 posts must wait."

    contest.clock.forward(hours=4)
    for entry_id in entries:
        contest.sweep(entry_id, FakePlatform(likers=fans(1)))
    assert look(AlertKind.QUOTA_EXHAUSTED) is None


def test_lost_access_is_told_until_a_post_is_read_again(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(before={1: GrantLost("refused")}))
    assert about(look(AlertKind.GRANT_LOST)) == SERVER

    contest.sweep(entry_id, FakePlatform(likers=fans(1)))
    assert look(AlertKind.GRANT_LOST) is None


def test_a_gap_above_both_thresholds_is_told_until_it_is_closed(contest: Contest, look: Look) -> None:
    entry_id, platform = contest.add_entry(), FakePlatform(likers=fans(80), displayed=100, page_max=50)
    contest.sweep(entry_id, platform, full=True)
    assert about(look(AlertKind.GAP, gap_percent=20, gap_likes=20)) == POST
    assert look(AlertKind.GAP, gap_percent=20.1, gap_likes=20) is None
    assert look(AlertKind.GAP, gap_percent=20, gap_likes=21) is None

    platform.like(*fans(1, first=80))
    contest.sweep(entry_id, platform, full=True)
    assert look(AlertKind.GAP, gap_percent=20, gap_likes=20) is None


def test_a_number_that_is_newer_than_the_list_makes_no_gap(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(likers=fans(80), page_max=50), full=True)
    with contest.writing() as session:
        session.get_one(Entry, entry_id).displayed = 5_000

    assert look(AlertKind.GAP) is None


def test_a_list_that_was_not_read_to_its_end_makes_no_gap(contest: Contest, look: Look) -> None:
    platform = FakePlatform(likers=fans(80), displayed=100, page_max=50, before={2: Unstable("503")})
    contest.sweep(contest.add_entry(), platform, full=True)

    assert look(AlertKind.GAP) is None


def test_a_count_that_fell_is_told_until_it_is_made_up(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry(basis=Basis.COUNT)
    for likes, expected in ((100, None), (96, None), (95, POST), (95, POST), (96, None), (101, None)):
        contest.read([entry_id], CountingPlatform(numbers={"1": likes}))
        assert about(look(AlertKind.COUNT_FELL)) == expected, likes


def test_a_small_fall_is_never_told_whatever_its_part(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry(basis=Basis.COUNT)
    for likes in (10, 6):
        contest.read([entry_id], CountingPlatform(numbers={"1": likes}))

    assert look(AlertKind.COUNT_FELL) is None


def test_the_displayed_count_of_a_list_may_fall_too(contest: Contest, look: Look) -> None:
    entry_id, platform = contest.add_entry(), FakePlatform(likers=fans(40), page_max=50)
    contest.sweep(entry_id, platform, full=True)
    platform.unlike(*fans(10))
    contest.sweep(entry_id, platform, full=True)

    found = look(AlertKind.COUNT_FELL)
    assert found is not None
    assert found.message == f"{POST} displays 30 likes, 10 less than 40 before."


@pytest.mark.parametrize("numbers", [(7, HIDDEN), (HIDDEN,)], ids=["shown before", "never shown"])
def test_a_number_that_is_hidden_for_a_day_is_told_until_it_is_shown(
    contest: Contest, look: Look, numbers: tuple[int | str, ...]
) -> None:
    entry_id = contest.add_entry(basis=Basis.COUNT)
    for number in (*numbers, HIDDEN):
        contest.read([entry_id], CountingPlatform(numbers={"1": number}))
    hidden_at = contest.clock() - timedelta(minutes=2)
    contest.clock.at = hidden_at + timedelta(days=1)
    assert look(AlertKind.COUNT_HIDDEN) is None

    contest.clock.forward(minutes=1)
    found = look(AlertKind.COUNT_HIDDEN)
    assert about(found) == POST
    assert found is not None
    assert found.message == f"{POST} hides its number of likes since {hidden_at:%Y-%m-%d %H:%M} UTC: it earns nothing."

    contest.read([entry_id], CountingPlatform(numbers={"1": 7}))
    assert look(AlertKind.COUNT_HIDDEN) is None


def test_a_number_may_be_hidden_where_the_likers_are_named_or_nothing_is_counted_yet(
    contest: Contest, make_contest: Callable[..., Contest], look: Look
) -> None:
    later = make_contest(starts_at=contest.clock() + timedelta(days=9))
    contest.sweep(contest.add_entry(), FakePlatform(likers=fans(1), displayed=HIDDEN), full=True)
    later.read([later.add_entry(basis=Basis.COUNT)], CountingPlatform(numbers={"1": HIDDEN}))
    contest.clock.forward(days=3)

    assert look(AlertKind.COUNT_HIDDEN) is None


def test_a_hole_is_told_once_a_day_and_post_while_it_is_news(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(likers=fans(1)))
    sweep, now = contest.rows(Sweep)[0], contest.clock()
    for unseen in (7, None):
        with contest.writing() as session:
            since = now - timedelta(hours=2)
            session.add(Hole(entry_id=entry_id, sweep_id=sweep.id, since=since, found_at=now, unseen=unseen))
    found = look(AlertKind.HOLE)
    assert about(found) == f"{POST} on 2027-01-21"
    assert found is not None
    assert found.message.endswith("unseen between 2027-01-21 18:01 and 2027-01-21 20:01 UTC, at least 7.")

    contest.clock.forward(days=8)
    assert look(AlertKind.HOLE) is None


# Campaigns


def test_a_reached_cap_is_told_when_no_whole_like_fits_any_more(
    make_contest: Callable[..., Contest], look: Look
) -> None:
    contest = make_contest(cap=35)
    entry_id, platform = contest.add_entry(), FakePlatform(likers=fans(2))
    contest.sweep(entry_id, platform)
    assert look(AlertKind.CAP_REACHED) is None

    platform.like("one-more")
    contest.sweep(entry_id, platform)
    assert about(look(AlertKind.CAP_REACHED)) == contest.slug


def test_only_the_highest_milestone_passed_is_told(contest: Contest, look: Look) -> None:
    entry_id = contest.add_entry(basis=Basis.COUNT)
    for likes, expected in ((99, None), (100, "contest-1 100"), (350, "contest-1 300")):
        contest.read([entry_id], CountingPlatform(numbers={"1": likes}))
        found = look(AlertKind.MILESTONE, milestone_likes=100)
        assert (found.subject if found else None) == expected
    assert look(AlertKind.MILESTONE, milestone_likes=0) is None

    settled(contest)
    assert look(AlertKind.MILESTONE, milestone_likes=100) is not None
    contest.clock.forward(days=8)
    assert look(AlertKind.MILESTONE, milestone_likes=100) is None


def test_a_settlement_that_is_a_day_late_is_told_until_it_is_made(contest: Contest, look: Look) -> None:
    contest.clock.at = contest.facts.rules.ends_at + timedelta(hours=48 + 24)
    assert look(AlertKind.SETTLEMENT_BLOCKED) is None

    contest.clock.forward(minutes=1)
    assert about(look(AlertKind.SETTLEMENT_BLOCKED)) == contest.slug

    settled(contest)
    assert look(AlertKind.SETTLEMENT_BLOCKED) is None


# What it costs


def test_looking_costs_no_more_however_many_sweeps_there_were(
    make_contest_on: Callable[..., Contest], sqlite_url: str
) -> None:
    contest = make_contest_on(sqlite_url)
    for number in ("1", "2"):
        contest.sweep(contest.add_entry(number), FakePlatform(likers=fans(3)), full=True)
    steps = [0]
    event.listen(contest.database.engine, "connect", partial(_count_steps, steps))
    contest.database.engine.dispose()

    costs = []
    for times in (10, 100):
        for _ in range(times):
            _repeat_the_newest_sweeps(contest)
        steps[0] = 0
        assert survey(installation(contest)).conditions == ()
        costs.append(steps[0])

    assert costs[1] < 1.1 * costs[0]


def _count_steps(steps: list[int], connection: Any, _: Any) -> None:
    """Count the steps of SQLite's machine: they are the same on every computer, unlike seconds."""

    def step() -> int:
        steps[0] += 1
        return 0

    connection.set_progress_handler(step, 1)


def _repeat_the_newest_sweeps(contest: Contest) -> None:
    names = [name for name in Sweep.model_fields if name != "id"]
    columns = ", ".join(names)
    with contest.writing() as session:
        newest = "SELECT max(id) FROM sweep GROUP BY entry_id"
        copy = f"INSERT INTO sweep ({columns}) SELECT {columns} FROM sweep WHERE id IN ({newest})"
        session.connection().exec_driver_sql(copy)
