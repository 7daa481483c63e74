"""One walk over all likers: however it ends, what is stored is right, and the next one goes on."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count
from threading import Barrier, active_count

import pytest

from harvester.books.ledger import balances
from harvester.collect.progress import Ending
from harvester.collect.sweep import sweep_entry
from harvester.connector import (
    Basis,
    ContractBroken,
    Exhausted,
    GrantLost,
    Missing,
    Order,
    Outcome,
    Page,
    Refused,
    Throttled,
    Unstable,
)
from harvester.store.kinds import Cause, EntryState, SweepOutcome
from harvester.store.models import Entry, Observation, SealedHandles, Sweep
from tests.factories import COMPLETE, HIDDEN, KICK_OFF, Contest, FakePlatform, page_of, scripted

CROWD = [f"fan-{number}" for number in range(7)]
"""Four pages of two."""


def cursors(platform: FakePlatform) -> list[str | None]:
    """Give the cursors that were asked for, and forget them."""
    asked = [cursor for cursor, _ in platform.asked]
    platform.asked.clear()
    return asked


def earned(contest: Contest) -> int:
    """Give the credited likes, once it is sure that no byte was made or lost."""
    with contest.database.reading() as session:
        assert sum(one.bytes for one in balances(session, contest.facts.id)) == 0
    status = contest.status
    assert status.bytes.credited == status.likes.credited * 10
    return status.likes.credited


def last_sweep(contest: Contest) -> Sweep:
    return contest.rows(Sweep)[-1]


class Killed(BaseException):
    """What ends a process at once: nothing catches it."""


# A whole list.


def test_a_sweep_credits_every_liker_once(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    assert contest.sweep(entry, platform) == COMPLETE
    assert (earned(contest), contest.entry(entry).held, contest.entry(entry).gap) == (7, 7, 0)
    assert len(cursors(platform)) == 4


def test_a_second_full_sweep_credits_nobody_again(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    contest.sweep(entry, platform)
    cursors(platform)
    assert contest.sweep(entry, platform, full=True) == COMPLETE
    assert (earned(contest), contest.entry(entry).held, len(cursors(platform))) == (7, 7, 4)
    assert (last_sweep(contest).listed, last_sweep(contest).new) == (7, 0)


def test_a_post_nobody_liked_is_complete(contest: Contest) -> None:
    entry = contest.add_entry()
    assert contest.sweep(entry, FakePlatform()) == COMPLETE
    assert (earned(contest), contest.entry(entry).held) == (0, 0)


def test_an_empty_page_with_a_cursor_is_not_the_end(contest: Contest) -> None:
    pages = (page_of(cursor="b"), page_of("amal", cursor="c"), page_of(cursor="d"), page_of("badr"))
    assert contest.sweep(contest.add_entry(), scripted(*pages)) == COMPLETE
    assert earned(contest) == 2


def test_a_liker_listed_on_two_pages_earns_once(contest: Contest) -> None:
    pages = (page_of("amal", "badr", cursor="b"), page_of("badr", "chaima"))
    contest.sweep(contest.add_entry(), scripted(*pages))
    assert (earned(contest), last_sweep(contest).listed) == (3, 3)


def test_one_id_on_two_servers_is_two_likers(contest: Contest) -> None:
    contest.sweep(contest.add_entry("1", realm="fake:here"), FakePlatform(["7"]))
    contest.sweep(contest.add_entry("1", realm="fake:there"), FakePlatform(["7"]))
    here, there = contest.rows(Observation)
    assert (earned(contest), here.pseudonym == there.pseudonym) == (2, False)


def test_what_is_stored_of_a_liker_is_no_id_of_the_platform(contest: Contest) -> None:
    contest.sweep(contest.add_entry(), FakePlatform(["amal"]))
    (observation,) = contest.rows(Observation)
    assert len(observation.pseudonym) == 16
    assert b"amal" not in observation.pseudonym


# Interrupted, and gone on with.


@pytest.mark.parametrize("error", [Throttled(KICK_OFF), Unstable("broke off")])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_interrupted_sweep_resumes_at_its_cursor(contest: Contest, at: int, error: Outcome) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, before={at: error})
    assert contest.sweep(entry, platform).outcome is SweepOutcome.PARTIAL
    assert earned(contest) == 2 * (at - 1)
    stopped_at = cursors(platform)[-1]
    assert contest.sweep(entry, platform) == COMPLETE
    assert cursors(platform)[0] == stopped_at
    assert (earned(contest), len(contest.rows(Sweep)), last_sweep(contest).pages) == (7, 1, 4)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_killed_sweep_goes_on_where_it_was(contest: Contest, at: int) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)

    def die() -> Page:
        raise Killed

    platform.before = {at: die}
    with pytest.raises(Killed):
        contest.sweep(entry, platform)
    assert (last_sweep(contest).outcome, earned(contest)) == (None, 2 * (at - 1))
    stopped_at = cursors(platform)[-1]
    assert contest.sweep(entry, platform) == COMPLETE
    assert (cursors(platform)[0], earned(contest), len(contest.rows(Sweep))) == (stopped_at, 7, 1)


def test_a_pause_in_force_is_not_asked_again(contest: Contest) -> None:
    until = KICK_OFF + timedelta(minutes=30)
    entry, platform = contest.add_entry(), FakePlatform(CROWD, before={2: Throttled(until, "asked for a pause")})
    paused = Ending(outcome=SweepOutcome.PARTIAL, reason="asked for a pause", cause=Cause.THROTTLED, resume_at=until)
    assert contest.sweep(entry, platform) == paused
    cursors(platform)
    assert (contest.sweep(entry, platform), contest.sweep(entry, platform, full=True)) == (paused, paused)
    assert cursors(platform) == []
    contest.clock.at = until
    assert contest.sweep(entry, platform) == COMPLETE
    assert earned(contest) == 7


def test_a_spent_budget_is_a_pause(contest: Contest) -> None:
    until = KICK_OFF + timedelta(minutes=15)
    entry, platform = contest.add_entry(), FakePlatform(CROWD, before={2: Exhausted(until, "spent")})
    spent = Ending(outcome=SweepOutcome.PARTIAL, reason="spent", cause=Cause.EXHAUSTED, resume_at=until)
    assert contest.sweep(entry, platform) == spent


@pytest.mark.parametrize(("waited", "first"), [(timedelta(minutes=59), "6"), (timedelta(minutes=60), None)])
def test_a_stale_cursor_is_not_trusted(contest: Contest, waited: timedelta, first: str | None) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, before={2: Unstable("broke off")})
    contest.sweep(entry, platform)
    cursors(platform)
    contest.clock.at = KICK_OFF + waited
    assert contest.sweep(entry, platform) == COMPLETE
    assert (cursors(platform)[0], earned(contest)) == (first, 7)


def test_a_full_sweep_is_not_the_rest_of_a_short_one(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    contest.sweep(entry, platform)
    platform.like("x", "y", "z")
    platform.before = {6: Unstable("broke off")}
    assert contest.sweep(entry, platform).outcome is SweepOutcome.PARTIAL
    cursors(platform)
    assert contest.sweep(entry, platform, full=True) == COMPLETE
    assert (cursors(platform)[0], last_sweep(contest).is_full, earned(contest)) == (None, True, 10)


def test_a_sweep_told_to_stop_is_partial_and_goes_on_later(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    stops = iter([False, True, True])
    ending = contest.sweep(entry, platform, should_stop=lambda: next(stops))
    assert ending.outcome is SweepOutcome.PARTIAL
    assert contest.sweep(entry, platform) == COMPLETE
    assert earned(contest) == 7


# Lists that lie.


def test_a_repeated_cursor_is_a_failure_not_a_loop(contest: Contest) -> None:
    pages = (page_of("a", cursor="x"), page_of("b", cursor="y"), page_of("c", cursor="x"))
    ending = contest.sweep(contest.add_entry(), scripted(*pages))
    assert (ending.outcome, earned(contest)) == (SweepOutcome.FAILED, 2)
    assert "same cursor twice" in str(ending.reason)


def test_a_repeated_page_is_a_failure_not_a_loop(contest: Contest) -> None:
    pages = (page_of("a", "b", cursor="x"), page_of("c", cursor="y"), page_of("a", "b", cursor="z"))
    ending = contest.sweep(contest.add_entry(), scripted(*pages))
    assert (ending.outcome, earned(contest)) == (SweepOutcome.FAILED, 3)
    assert "same page twice" in str(ending.reason)


def test_empty_pages_without_end_are_a_failure_not_a_loop(contest: Contest) -> None:
    numbers = count(1)
    platform = FakePlatform(displayed=HIDDEN)
    platform.before = dict.fromkeys(range(1, 500), lambda: page_of(cursor=f"c{next(numbers)}"))
    ending = contest.sweep(contest.add_entry(), platform)
    assert (ending.outcome, len(platform.asked)) == (SweepOutcome.FAILED, pytest.approx(101, abs=1))


def test_after_a_broken_answer_the_next_sweep_begins_anew(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, before={3: ContractBroken("not a list")})
    broken = Ending(outcome=SweepOutcome.FAILED, reason="not a list", cause=Cause.CONTRACT_BROKEN)
    assert contest.sweep(entry, platform) == broken
    cursors(platform)
    assert contest.sweep(entry, platform) == COMPLETE
    assert (cursors(platform)[0], earned(contest)) == (None, 7)


def test_an_empty_list_beside_a_count_is_a_failure(contest: Contest) -> None:
    entry = contest.add_entry()
    ending = contest.sweep(entry, FakePlatform(displayed=28))
    assert (ending.outcome, earned(contest)) == (SweepOutcome.FAILED, 0)
    assert "empty beside a count of 28" in str(ending.reason)


def test_an_empty_list_beside_a_count_takes_nobodys_like_back(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    contest.sweep(entry, platform)
    for _ in range(3):
        assert contest.sweep(entry, FakePlatform(displayed=7), full=True).outcome is SweepOutcome.FAILED
    assert (earned(contest), contest.entry(entry).held) == (7, 7)


# Stopping early.


@pytest.fixture
def known(contest: Contest) -> tuple[Contest, int, FakePlatform]:
    """A post whose seven likers were all read."""
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    contest.sweep(entry, platform)
    cursors(platform)
    return contest, entry, platform


Known = tuple[Contest, int, FakePlatform]


def test_a_sweep_stops_at_a_page_of_known_likers(known: Known) -> None:
    contest, entry, platform = known
    platform.like("new")
    assert contest.sweep(entry, platform) == COMPLETE
    assert (len(cursors(platform)), earned(contest), last_sweep(contest).is_full) == (2, 8, False)


def test_a_page_with_one_new_liker_is_no_place_to_stop(known: Known) -> None:
    contest, entry, platform = known
    pages = (page_of("fan-0", "new-1", cursor="b"), page_of("fan-1", "new-2", cursor="c"), page_of("fan-2", "fan-3"))
    platform.before = dict(enumerate(pages, start=1))
    assert contest.sweep(entry, platform) == COMPLETE
    assert (len(cursors(platform)), earned(contest)) == (3, 9)


def test_an_empty_page_is_no_place_to_stop(known: Known) -> None:
    contest, entry, platform = known
    platform.like("new")
    platform.before = {1: page_of(cursor="99")}
    assert contest.sweep(entry, platform) == COMPLETE
    assert earned(contest) == 8


def test_a_full_sweep_never_stops_early(known: Known) -> None:
    contest, entry, platform = known
    contest.sweep(entry, platform, full=True)
    assert len(cursors(platform)) == 4


@pytest.mark.parametrize("order", [order for order in Order if order is not Order.SERVER_DESC])
def test_only_a_list_the_server_sorts_newest_first_is_left_early(contest: Contest, order: Order) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, order=order)
    contest.sweep(entry, platform)
    cursors(platform)
    contest.sweep(entry, platform)
    assert len(cursors(platform)) == 4


@pytest.mark.parametrize("error", [Throttled(KICK_OFF), Unstable("x"), ContractBroken("x"), GrantLost("x")])
def test_a_sweep_after_one_that_was_not_complete_reads_everything(known: Known, error: Outcome) -> None:
    contest, entry, platform = known
    platform.like("x", "y", "z", "w")
    platform.before = {2: error}
    contest.sweep(entry, platform)
    contest.clock.forward(hours=2)
    cursors(platform)
    assert contest.sweep(entry, platform) == COMPLETE
    assert (len(cursors(platform)), earned(contest), last_sweep(contest).is_full) == (6, 11, True)


@pytest.mark.parametrize("waits", [timedelta(0), timedelta(hours=2)])
def test_likes_made_during_the_pause_of_a_short_sweep_are_not_lost(known: Known, waits: timedelta) -> None:
    contest, entry, platform = known
    platform.like("a", "b", "c", "d")
    platform.before = {2: Unstable("broke off")}
    contest.sweep(entry, platform)
    platform.like("e", "f", "g")
    contest.clock.forward(seconds=waits.total_seconds())
    contest.sweep(entry, platform)
    contest.sweep(entry, platform)
    assert earned(contest) == 14


def test_likes_made_while_a_sweep_walks_are_found_by_the_next(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    platform.before = {number: partial(platform.like, f"a{number}", f"b{number}", f"c{number}") for number in (2, 3, 4)}
    contest.sweep(entry, platform)
    contest.sweep(entry, platform)
    assert earned(contest) == 16


# A gap.


def test_a_gap_earns_two_more_passes_with_other_page_sizes(contest: Contest) -> None:
    platform = FakePlatform(CROWD, page_max=20, displayed=9)
    assert contest.sweep(contest.add_entry(), platform) == COMPLETE
    assert platform.asked == [(None, 20), (None, 14), (None, 9)]
    assert (earned(contest), contest.status.entries[0].gap) == (7, 2)


def test_likers_lost_at_a_page_boundary_are_found_by_another_page_size(contest: Contest) -> None:
    platform = FakePlatform(CROWD, page_max=4)
    platform.before = {1: page_of(*CROWD[:3], cursor="3")}
    assert contest.sweep(contest.add_entry(), platform) == COMPLETE
    assert (platform.asked[2:], earned(contest)) == ([(None, 2), ("6", 2), ("4", 2), ("2", 2)], 7)
    assert (last_sweep(contest).pass_number, last_sweep(contest).listed) == (2, 7)


def test_a_list_as_long_as_the_count_earns_no_other_pass(contest: Contest) -> None:
    platform = FakePlatform(CROWD)
    contest.sweep(contest.add_entry(), platform)
    assert (len(cursors(platform)), last_sweep(contest).pass_number) == (4, 1)


def test_a_gap_that_stayed_does_not_earn_passes_every_night(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, page_max=20, displayed=9)
    contest.sweep(entry, platform, full=True)
    cursors(platform)
    contest.sweep(entry, platform, full=True)
    assert len(cursors(platform)) == 1


def test_a_gap_that_grew_earns_passes_again(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, page_max=20, displayed=9)
    contest.sweep(entry, platform, full=True)
    cursors(platform)
    platform.displayed = 10
    contest.sweep(entry, platform, full=True)
    assert len(cursors(platform)) == 3


def test_a_second_pass_that_is_interrupted_goes_on_as_the_second_pass(contest: Contest) -> None:
    entry = contest.add_entry()
    platform = FakePlatform(CROWD, page_max=6, displayed=9, before={4: Unstable("broke off")})
    assert contest.sweep(entry, platform).outcome is SweepOutcome.PARTIAL
    assert contest.sweep(entry, platform) == COMPLETE
    sizes = [size for _, size in platform.asked]
    assert (sizes, earned(contest)) == ([6, 6, 4, 4, 4, 2, 2, 2, 2], 7)


def test_a_count_that_is_hidden_is_no_gap(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, displayed=HIDDEN)
    assert contest.sweep(entry, platform) == COMPLETE
    assert (earned(contest), contest.entry(entry).displayed, contest.entry(entry).gap) == (7, None, None)


# Un-likes.


def test_an_unlike_is_inferred_from_two_complete_sweeps(known: Known) -> None:
    contest, entry, platform = known
    platform.unlike("fan-3")
    contest.sweep(entry, platform, full=True)
    assert contest.entry(entry).held == 7
    contest.sweep(entry, platform, full=True)
    assert (contest.entry(entry).held, earned(contest)) == (6, 7)


def test_an_unlike_is_counted_once(known: Known) -> None:
    contest, entry, platform = known
    platform.unlike("fan-3")
    for _ in range(5):
        contest.sweep(entry, platform, full=True)
    assert contest.entry(entry).held == 6


def test_a_liker_who_comes_back_is_held_again_and_not_credited_again(known: Known) -> None:
    contest, entry, platform = known
    platform.unlike("fan-3")
    for _ in range(2):
        contest.sweep(entry, platform, full=True)
    platform.like("fan-3")
    contest.sweep(entry, platform)
    assert (contest.entry(entry).held, earned(contest)) == (7, 7)


def test_a_liker_who_comes_back_in_between_was_never_gone(known: Known) -> None:
    contest, entry, platform = known
    for _ in range(3):
        platform.unlike("fan-3")
        contest.sweep(entry, platform, full=True)
        platform.like("fan-3")
        contest.sweep(entry, platform, full=True)
    assert contest.entry(entry).held == 7


def test_a_partial_sweep_takes_nobodys_like_back(known: Known) -> None:
    contest, entry, platform = known
    for _ in range(4):
        platform.before = {2: Unstable("broke off")}
        cursors(platform)
        contest.sweep(entry, platform, full=True)
        contest.clock.forward(hours=2)
    assert contest.entry(entry).held == 7


def test_a_sweep_that_stopped_early_takes_nobodys_like_back(known: Known) -> None:
    contest, entry, platform = known
    platform.unlike("fan-6")
    for number in range(4):
        platform.like(f"new-{number}")
        contest.sweep(entry, platform)
    assert contest.entry(entry).held == 11


def test_a_list_shorter_than_the_count_takes_nobodys_like_back(known: Known) -> None:
    contest, entry, platform = known
    platform.displayed = 7
    platform.unlike("fan-3")
    for _ in range(4):
        contest.sweep(entry, platform, full=True)
    assert contest.entry(entry).held == 7


def test_a_gap_that_was_there_before_hides_nobody_who_takes_a_like_back(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, displayed=9)
    contest.sweep(entry, platform, full=True)
    platform.displayed = 8
    platform.unlike("fan-3")
    for held in (7, 6):
        contest.sweep(entry, platform, full=True)
        assert contest.entry(entry).held == held
    assert contest.entry(entry).gap == 2


@pytest.mark.parametrize(("second_pass", "pages", "held"), [({}, 3, 7), ({2: page_of("fan-3")}, 2, 8)])
def test_a_short_list_is_walked_with_other_pages_before_a_like_is_believed_to_be_taken_back(
    contest: Contest, second_pass: dict[int, Page], pages: int, held: int
) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, page_max=20, displayed=9)
    contest.sweep(entry, platform, full=True)
    platform.unlike("fan-3")
    platform.like("new")
    contest.sweep(entry, platform, full=True)
    cursors(platform)
    platform.before = {**second_pass}
    contest.sweep(entry, platform, full=True)
    assert (len(cursors(platform)), contest.entry(entry).held) == (pages, held)


def test_without_a_count_nobodys_like_is_taken_back(known: Known) -> None:
    contest, entry, platform = known
    platform.displayed = HIDDEN
    platform.unlike("fan-3")
    for _ in range(4):
        contest.sweep(entry, platform, full=True)
    assert contest.entry(entry).held == 7


def test_a_defect_ends_its_sweep_and_what_it_asked_is_counted(known: Known) -> None:
    contest, entry, platform = known
    platform.before = {2: KeyError("a defect of the connector")}
    with pytest.raises(KeyError):
        contest.sweep(entry, platform, full=True)
    sweep = last_sweep(contest)
    assert (sweep.outcome, sweep.cause, sweep.pages) == (SweepOutcome.FAILED, Cause.DEFECT, 1)


# A post that is not there.


@pytest.mark.parametrize("where", ["count", "list"])
def test_one_404_never_closes_an_entry(known: Known, where: str) -> None:
    contest, entry, platform = known
    break_off(platform, where)
    ending = contest.sweep(entry, platform, full=True)
    assert (ending.outcome, contest.entry(entry).state, earned(contest)) == (
        SweepOutcome.FAILED,
        EntryState.MISSING,
        7,
    )


def break_off(platform: FakePlatform, where: str) -> None:
    platform.asked.clear()
    if where == "count":
        platform.count_error = Missing("not known")
    else:
        platform.before = {1: Missing("not known")}


@pytest.mark.parametrize(("hours", "state"), [(23.9, EntryState.MISSING), (24, EntryState.GONE), (48, EntryState.GONE)])
def test_a_day_of_404s_closes_an_entry_and_its_credits_stay(known: Known, hours: float, state: EntryState) -> None:
    contest, entry, platform = known
    platform.count_error = Missing("not known")
    contest.sweep(entry, platform, full=True)
    contest.clock.forward(hours=hours, minutes=-1)
    contest.sweep(entry, platform, full=True)
    assert (contest.entry(entry).state, earned(contest), contest.entry(entry).held) == (state, 7, 7)


def test_a_post_that_comes_back_after_an_hour_is_open_again(known: Known) -> None:
    contest, entry, platform = known
    platform.count_error = Missing("not known")
    contest.sweep(entry, platform, full=True)
    contest.clock.forward(hours=1)
    platform.count_error = None
    platform.like("new")
    assert contest.sweep(entry, platform, full=True) == COMPLETE
    assert (contest.entry(entry).state, earned(contest)) == (EntryState.OPEN, 8)


def test_the_day_of_404s_begins_anew_after_the_post_was_seen(known: Known) -> None:
    contest, entry, platform = known
    for _ in range(3):
        platform.count_error = Missing("not known")
        contest.sweep(entry, platform, full=True)
        contest.clock.forward(hours=13)
        platform.count_error = None
        contest.sweep(entry, platform, full=True)
    platform.count_error = Missing("not known")
    contest.sweep(entry, platform, full=True)
    assert contest.entry(entry).state is EntryState.MISSING


def test_a_post_the_count_leaves_out_is_missing(known: Known) -> None:
    contest, entry, platform = known
    platform.fetch_counts = lambda http, posts: ()  # type: ignore[method-assign]
    contest.sweep(entry, platform, full=True)
    assert contest.entry(entry).state is EntryState.MISSING


@pytest.mark.parametrize(
    ("error", "cause"),
    [(GrantLost("wants a valid credential"), Cause.GRANT_LOST), (Refused("refused"), Cause.REFUSED)],
)
def test_a_refusal_is_not_an_absence(known: Known, error: Outcome, cause: Cause) -> None:
    contest, entry, platform = known
    platform.count_error = error
    ending = contest.sweep(entry, platform, full=True)
    assert (ending, contest.entry(entry).state) == (
        Ending(outcome=SweepOutcome.FAILED, reason=str(error), cause=cause),
        EntryState.OPEN,
    )


@pytest.mark.parametrize("where", ["whole", "missing"])
def test_a_post_removed_while_it_is_swept_stays_removed(contest: Contest, where: str) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)

    def remove() -> None:
        with contest.writing() as session:
            session.get_one(Entry, entry).state = EntryState.REMOVED
        if where == "missing":
            raise Missing("not known")

    platform.before = {2: remove}
    contest.sweep(entry, platform)
    assert contest.entry(entry).state is EntryState.REMOVED


# One at a time.


def test_a_second_sweep_of_a_post_that_is_being_swept_is_partial(contest: Contest) -> None:
    entry, inside, done = contest.add_entry(), Barrier(2, timeout=30), Barrier(2, timeout=30)

    def hold() -> None:
        inside.wait()
        done.wait()

    first, second = FakePlatform(CROWD, before={2: hold}), FakePlatform(CROWD)
    with ThreadPoolExecutor(1) as thread:
        holding = thread.submit(sweep_entry, contest.job(entry, first), wants_full=True)
        inside.wait()
        ending = sweep_entry(contest.job(entry, second), wants_full=True)
        done.wait()
        assert holding.result() == COMPLETE
    assert (ending.outcome, second.asked, earned(contest)) == (SweepOutcome.PARTIAL, [], 7)
    assert "another process" in str(ending.reason)


def test_the_lease_ends_with_its_sweep(contest: Contest) -> None:
    entry = contest.add_entry()
    with pytest.raises(KeyError):
        contest.sweep(entry, FakePlatform(CROWD, before={2: KeyError("id")}))
    assert contest.sweep(entry, FakePlatform(CROWD)) == COMPLETE


class _NoLock:
    """A database whose lock never held: a frozen machine woke up, a lock server was restarted."""

    def __init__(self, database: object) -> None:
        self._database = database

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    def lock(self, name: str) -> object:
        return _always_ours()


class _always_ours:  # noqa: N801 (a context manager that is used like a function)
    def __enter__(self) -> bool:
        return True

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_two_walks_on_one_sweep_are_exact_even_without_a_lock(contest: Contest, at: int) -> None:
    """The second walk begins while the first reads a page; one of them finds the sweep moved on, and leaves it."""
    entry = contest.add_entry()
    endings = []

    def overtake() -> None:
        job = contest.job(entry, FakePlatform(CROWD), database=_NoLock(contest.database))
        endings.append(sweep_entry(job, wants_full=True))

    slow = FakePlatform(CROWD, before={at: overtake})
    endings.append(contest.sweep(entry, slow, full=True, database=_NoLock(contest.database)))
    assert sorted(one.outcome for one in endings) == [SweepOutcome.COMPLETE, SweepOutcome.PARTIAL]
    assert (earned(contest), contest.entry(entry).held, last_sweep(contest).outcome) == (7, 7, SweepOutcome.COMPLETE)


@pytest.mark.parametrize("killed_at", [1, 2])
def test_four_walks_side_by_side_without_a_lock_are_exact(contest: Contest, killed_at: int) -> None:
    """At the second page they all go on with one sweep; at the first one there is none yet, and each begins its own."""
    entry, together = contest.add_entry(), Barrier(4, timeout=30)
    crowd = [f"fan-{number}" for number in range(40)]
    if killed_at > 1:
        contest.sweep(entry, FakePlatform(crowd, before={killed_at: Unstable("broke off")}), full=True)
    jobs = [
        contest.job(entry, FakePlatform(crowd, before={1: together.wait}), database=_NoLock(contest.database))
        for _ in range(4)
    ]
    with ThreadPoolExecutor(4) as threads:
        endings = list(threads.map(partial(sweep_entry, wants_full=True), jobs))
    assert {one.outcome for one in endings} <= {SweepOutcome.COMPLETE, SweepOutcome.PARTIAL}
    contest.sweep(entry, FakePlatform(crowd), full=True)
    assert (earned(contest), len(contest.rows(Observation))) == (40, 40)


# What is known of the window.


def test_the_first_sweep_of_an_older_post_is_the_baseline_even_when_it_takes_two_polls(contest: Contest) -> None:
    entry = contest.add_entry(published_at=None)
    platform = FakePlatform(CROWD, before={2: Unstable("broke off")})
    contest.sweep(entry, platform)
    contest.sweep(entry, platform)
    platform.like("new")
    contest.sweep(entry, platform)
    assert (contest.status.likes.baseline, earned(contest), contest.entry(entry).held) == (7, 1, 8)


def test_the_platforms_word_on_publication_spares_the_baseline(contest: Contest) -> None:
    entry = contest.add_entry(published_at=None)
    contest.sweep(entry, FakePlatform(CROWD, published_at=KICK_OFF))
    assert (contest.status.likes.baseline, earned(contest)) == (0, 7)


def test_a_stated_publication_outweighs_the_platforms(contest: Contest) -> None:
    entry = contest.add_entry(published_at=KICK_OFF - timedelta(days=9))
    contest.sweep(entry, FakePlatform(CROWD, published_at=KICK_OFF))
    assert contest.status.likes.baseline == 7


def test_existing_likes_are_credited_for_a_stated_reason(contest: Contest) -> None:
    contest.sweep(contest.add_entry(published_at=None, credit_existing="agreed"), FakePlatform(CROWD))
    assert earned(contest) == 7


def test_likes_of_the_sweep_that_straddles_the_end_are_uncertain_and_later_ones_late(
    make_contest: Callable[..., Contest],
) -> None:
    contest = make_contest(ends_at=KICK_OFF + timedelta(hours=1))
    entry, platform = contest.add_entry(), FakePlatform(["a"])
    contest.sweep(entry, platform)
    contest.clock.forward(hours=2)
    platform.like("b")
    contest.sweep(entry, platform)
    platform.like("c")
    contest.sweep(entry, platform)
    status = contest.status
    assert (status.likes.credited, status.likes.uncertain, last_sweep(contest).late) == (2, 1, 1)


# Handles.


def test_handles_are_sealed_and_open_with_the_key(contest: Contest) -> None:
    platform = FakePlatform(["badr", "amal"], handle_retention=timedelta(days=1))
    contest.sweep(contest.add_entry(), platform)
    (box,) = contest.rows(SealedHandles)
    assert b"amal" not in box.box
    assert sorted(contest.key.unseal(box.box).values()) == ["@amal", "@badr"]
    assert set(contest.key.unseal(box.box)) == {one.pseudonym for one in contest.rows(Observation)}
    assert box.expires_at == KICK_OFF + timedelta(days=1)


def test_a_known_likers_handle_is_not_kept_again(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(["amal"], handle_retention=timedelta(days=1))
    contest.sweep(entry, platform)
    contest.sweep(entry, platform, full=True)
    assert len(contest.rows(SealedHandles)) == 1


def test_no_handle_is_kept_where_none_may_be(contest: Contest) -> None:
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    assert contest.rows(SealedHandles) == []


# Requests.


def test_a_sweep_knows_its_cursor_order_and_pages(contest: Contest) -> None:
    platform = FakePlatform(CROWD)
    contest.sweep(contest.add_entry(), platform)
    sweep = last_sweep(contest)
    assert (sweep.pages, sweep.listed, sweep.new, sweep.displayed_before, sweep.displayed_after) == (4, 7, 7, 7, 7)
    assert cursors(platform) == [None, "6", "4", "2"]


def test_an_entry_is_of_likers_by_default(contest: Contest) -> None:
    contest.add_entry()
    assert contest.status.entries[0].basis is Basis.IDENTITY


@pytest.fixture(autouse=True)
def _no_worker_is_left_behind() -> Iterator[None]:
    """A sweep that reads ahead must not leave its thread running."""
    before = active_count()
    yield
    assert active_count() <= before


def test_the_same_people_in_two_lists_of_one_post_are_no_circle(contest: Contest) -> None:
    entry = contest.add_entry()
    thumbs, hearts = page_of("amal", "omar", cursor="hearts"), page_of("amal", "omar")
    platform = scripted(replace(thumbs, part="thumbs"), replace(hearts, part="hearts"))

    assert contest.sweep(entry, platform, full=True) == COMPLETE
    assert contest.entry(entry).credited == 2
