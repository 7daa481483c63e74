"""A sweep that is gone on with keeps why its last attempt ended, and counts the attempts that got nowhere."""

from datetime import timedelta

from harvester.connector import Exhausted, Refused, Unstable
from harvester.report.views import EntryView
from harvester.store.kinds import Cause
from harvester.store.models import Sweep
from tests.factories import Contest, FakePlatform

DOWN = {1: Unstable("503")}


def sweep(contest: Contest) -> Sweep:
    """Give the only sweep there is."""
    [one] = contest.rows(Sweep)
    assert isinstance(one, Sweep)
    return one


def test_attempts_that_store_no_page_are_counted_until_one_ends_complete(contest: Contest) -> None:
    entry_id = contest.add_entry()
    tries = []
    for before in (DOWN, DOWN, DOWN, {}):
        contest.sweep(entry_id, FakePlatform(likers=["a"], before=dict(before)))
        tries.append(sweep(contest).tries)

    assert tries == [1, 2, 3, 0]


def test_a_page_lets_the_count_begin_anew(contest: Contest) -> None:
    entry_id, tries = contest.add_entry(), []
    for before in (DOWN, DOWN, {2: Unstable("503")}, DOWN, {2: Unstable("503")}):
        contest.sweep(entry_id, FakePlatform(likers=list("abcdefgh"), before=dict(before)))
        tries.append(sweep(contest).tries)

    assert tries == [1, 2, 1, 2, 1]


def test_an_attempt_that_we_stop_is_no_failure_of_the_platform(contest: Contest) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(before=dict(DOWN)))
    contest.sweep(entry_id, FakePlatform(), should_stop=lambda: True)

    assert (sweep(contest).tries, sweep(contest).cause) == (1, Cause.STOPPED)


def test_while_an_attempt_runs_the_cause_of_the_one_before_stays(contest: Contest) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(before={1: Exhausted(contest.clock())}))
    seen: list[tuple[Sweep, EntryView]] = []
    contest.sweep(
        entry_id,
        FakePlatform(likers=["a"], before={1: lambda: seen.append((sweep(contest), contest.entry(entry_id)))}),
    )

    [(row, view)] = seen
    assert (row.outcome, row.resume_at, row.cause) == (None, None, Cause.EXHAUSTED)
    assert view.last_sweep is not None
    assert (view.last_sweep.outcome, view.last_sweep.reason) == (None, row.reason)
    assert (sweep(contest).cause, sweep(contest).reason) == (None, None)


def test_a_sweep_that_was_killed_and_is_too_old_keeps_why_it_was_failing(contest: Contest) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(before=dict(DOWN)))
    with contest.writing() as session:
        session.get_one(Sweep, sweep(contest).id).outcome = None  # as a killed process leaves it
    contest.clock.forward(hours=2)

    contest.sweep(entry_id, FakePlatform(before={1: Refused("no")}, cursor_life=timedelta(hours=1)))

    assert [(one.cause, one.reason) for one in contest.rows(Sweep)] == [
        (Cause.UNSTABLE, "503"),
        (Cause.REFUSED, "no"),
    ]
