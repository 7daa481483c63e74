"""The end is booked once: what must stand and does not is reversed, a floor reached, and no credit passes it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from harvester.books.audit import audit_campaign
from harvester.books.ledger import Credit, balances, campaign_accounts, credit_likes, reverse
from harvester.collect.progress import Ending
from harvester.connector import Basis, LikeTime
from harvester.contest.campaigns import change_rate
from harvester.contest.closing import LeftOver, Unproven, awaited
from harvester.contest.settlement import SettlementResult, check_may_settle, check_was_a_contest, settle_campaign
from harvester.errors import SettledError, UsageError
from harvester.store.kinds import AccountKind, Cause, EntryState, Keeps, SweepOutcome, UniquePer
from harvester.store.models import Entry, Observation, Settlement, Sweep, Transfer
from harvester.volume import Volume
from tests.factories import HIDDEN, Contest, CountingPlatform, FakePlatform

MakeContest = Callable[..., Contest]
COMPLETE, PARTIAL, FAILED = SweepOutcome.COMPLETE, SweepOutcome.PARTIAL, SweepOutcome.FAILED
SETTLED = "the campaign is settled: nothing more is credited"


def settle(
    contest: Contest, *, accept_gap: str | None = None, tried: dict[int, Ending] | None = None
) -> SettlementResult:
    with contest.writing() as session:
        return settle_campaign(
            session, contest.facts, tried or {}, author="amal", accept_gap=accept_gap, now=contest.clock
        )


def to_the_end(contest: Contest) -> None:
    contest.clock.at = max(contest.clock(), contest.facts.rules.ends_at)


def close(contest: Contest, *posts: tuple[int, Any]) -> None:
    """Read every post to its end twice, after the campaign's."""
    to_the_end(contest)
    for entry, platform in (*posts, *posts):
        if isinstance(platform, CountingPlatform):
            contest.read([entry], platform)
        else:
            contest.sweep(entry, platform, full=True)


def came_to(result: SettlementResult) -> tuple[int, int, int, int, int]:
    return result.likes, result.bytes, result.reversed_likes, result.reversed_bytes, result.floor_bytes


def held(contest: Contest) -> dict[str, int]:
    with contest.database.reading() as session:
        return {one.name: one.bytes for one in balances(session, contest.facts.id) if one.bytes}


def check_books(contest: Contest) -> None:
    """Check that everything recomputes and that no account, at any moment, gave what it never had."""
    with contest.database.reading() as session:
        assert audit_campaign(session, contest.slug) == ()
        sponsor = campaign_accounts(session, contest.facts.id).sponsor_id
    running: dict[int, int] = {}
    for one in contest.rows(Transfer, campaign_id=contest.facts.id):
        running[one.credit_id] = running.get(one.credit_id, 0) + one.amount
        running[one.debit_id] = running.get(one.debit_id, 0) - one.amount
        assert one.debit_id == sponsor or running[one.debit_id] >= 0, one.key
    assert sum(running.values()) == 0


# Once, after the end.


def test_a_settlement_says_what_the_campaign_came_to(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(["amal", "badr"])
    contest.sweep(entry, platform)
    close(contest, (entry, platform))
    result = settle(contest)
    assert result == SettlementResult(
        campaign=contest.slug,
        is_settled=True,
        outcome=COMPLETE,
        left_over=(),
        likes=2,
        bytes=20,
        reversed_likes=0,
        reversed_bytes=0,
        floor_bytes=0,
        accepted_gap=None,
        settled_at=contest.clock(),
    )
    (row,) = contest.rows(Settlement)
    assert (row.settled_at, row.author, row.likes, row.bytes) == (contest.clock(), "amal", 2, 20)
    assert contest.facts.state(contest.clock()) == "settled"


def test_settling_again_changes_nothing(contest: Contest) -> None:
    to_the_end(contest)
    first = settle(contest)
    contest.clock.forward(days=1)
    assert settle(contest) == first
    assert len(contest.rows(Settlement)) == 1


def test_a_campaign_that_counts_cannot_be_settled(contest: Contest) -> None:
    facts = contest.facts
    with pytest.raises(UsageError, match=r"ends 2027-02-20 \d\d:00: it can be settled from then on"):
        check_may_settle(facts, facts.rules.ends_at - timedelta(seconds=1), None)
    check_may_settle(facts, facts.rules.ends_at, None)


def test_a_gap_is_not_accepted_for_no_reason(contest: Contest) -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        check_may_settle(contest.facts, contest.facts.rules.ends_at, " ")


# Posts that are not read to their end.


def test_a_post_without_its_closing_sweep_blocks(contest: Contest) -> None:
    entry = contest.add_entry()
    contest.sweep(entry, FakePlatform(["amal"]), full=True)
    to_the_end(contest)
    post = LeftOver(
        url="https://fake.example/1", connector="fake", reason="not read to its end since the contest's", cause=None
    )
    result = settle(contest)
    assert (result.is_settled, result.outcome, result.left_over, result.bytes) == (False, PARTIAL, (post,), 10)
    assert contest.rows(Settlement) == []


def test_a_quick_sweep_is_no_closing_sweep(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(["amal"])
    contest.sweep(entry, platform)
    to_the_end(contest)
    contest.sweep(entry, platform)
    assert not settle(contest).is_settled


def test_a_gap_is_accepted_for_a_reason_that_is_kept(contest: Contest) -> None:
    entry = contest.add_entry()
    contest.sweep(entry, FakePlatform(["amal"]))
    to_the_end(contest)
    ending = Ending(outcome=FAILED, reason="wants a valid credential", cause=Cause.GRANT_LOST)
    result = settle(contest, accept_gap="the owner left", tried={entry: ending})
    post = LeftOver(
        url="https://fake.example/1", connector="fake", reason="wants a valid credential", cause=Cause.GRANT_LOST
    )
    assert (result.is_settled, result.accepted_gap, result.left_over) == (True, "the owner left", (post,))
    assert settle(contest) == result


def test_a_post_that_somebody_is_reading_is_no_gap_to_accept(contest: Contest) -> None:
    taken, left = contest.add_entry("1"), contest.add_entry("2")
    to_the_end(contest)
    tried = {
        taken: Ending(outcome=PARTIAL, reason="another process is sweeping this post", cause=Cause.STOPPED),
        left: Ending(outcome=FAILED, reason="wants a valid credential", cause=Cause.GRANT_LOST),
    }
    result = settle(contest, accept_gap="the owner of the second left", tried=tried)
    assert (result.is_settled, len(result.left_over)) == (False, 2)


def test_where_no_post_is_left_over_no_gap_is_accepted(contest: Contest) -> None:
    to_the_end(contest)
    assert settle(contest, accept_gap="in any case").accepted_gap is None


@pytest.mark.parametrize("state", [EntryState.GONE, EntryState.REMOVED])
@pytest.mark.parametrize("keeps", Keeps)
def test_a_post_that_is_no_longer_read_keeps_what_it_earned(
    make_contest: MakeContest, state: EntryState, keeps: Keeps
) -> None:
    contest = make_contest(keeps=keeps)
    entry, platform = contest.add_entry(), FakePlatform(["amal", "badr"])
    contest.sweep(entry, platform)
    platform.unlike("badr")
    for _ in range(2):
        contest.sweep(entry, platform, full=True)
    with contest.writing() as session:
        session.get_one(Entry, entry).state = state
    to_the_end(contest)
    assert came_to(settle(contest)) == (2, 20, 0, 0, 0)


# What must stand and does not.


@pytest.fixture
def standing(make_contest: MakeContest) -> Contest:
    return make_contest(keeps=Keeps.STANDING)


def test_an_unlike_takes_back_its_credit(standing: Contest) -> None:
    entry, platform = standing.add_entry(), FakePlatform(["amal", "badr", "chaima"])
    standing.sweep(entry, platform)
    platform.unlike("badr", "chaima")
    close(standing, (entry, platform))
    assert came_to(settle(standing)) == (1, 10, 2, 20, 0)
    first, second = standing.rows(Transfer, campaign_id=standing.facts.id)[-2:]
    assert [one.likes for one in (first, second)] == [1, 1]
    assert first.key == f"settlement:{standing.facts.id}:{first.reverses_id}"
    assert (first.author, first.made_at, first.reason[:27]) == ("amal", standing.clock(), "taken back by those who lik")
    check_books(standing)


def test_where_a_like_counts_for_ever_nothing_is_taken_back(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(["amal", "badr"])
    contest.sweep(entry, platform)
    platform.unlike("badr")
    close(contest, (entry, platform))
    assert came_to(settle(contest)) == (2, 20, 0, 0, 0)


def test_who_was_missed_once_must_be_looked_for_again(standing: Contest) -> None:
    entry, platform = standing.add_entry(), FakePlatform(["amal", "badr"])
    standing.sweep(entry, platform)
    platform.unlike("badr")
    to_the_end(standing)
    standing.sweep(entry, platform, full=True)
    (post,) = settle(standing).left_over
    assert post.reason == "some likers were missing from its last sweep, and no second one has looked for them"


def test_who_came_back_keeps_the_credit(standing: Contest) -> None:
    entry, platform = standing.add_entry(), FakePlatform(["amal", "badr"])
    standing.sweep(entry, platform)
    platform.unlike("badr")
    for _ in range(2):
        standing.sweep(entry, platform, full=True)
    platform.like("badr")
    close(standing, (entry, platform))
    assert came_to(settle(standing)) == (2, 20, 0, 0, 0)


def test_each_like_of_a_page_comes_back_at_its_own_rate(standing: Contest) -> None:
    """The platform dates its likes, so that one page may hold likes of two rates."""
    start = standing.clock()
    standing.change_rate(30, start + timedelta(hours=1))
    platform = FakePlatform(["amal", "badr", "chaima"], page_max=9, time=LikeTime.PLATFORM)
    platform.times = {"amal": start, "badr": start + timedelta(hours=2), "chaima": start + timedelta(hours=3)}
    entry = standing.add_entry()
    standing.clock.forward(hours=4)
    standing.sweep(entry, platform)
    platform.unlike("amal", "badr")
    close(standing, (entry, platform))
    assert came_to(settle(standing)) == (1, 30, 2, 40, 0)
    check_books(standing)


def test_a_person_who_still_likes_another_post_keeps_the_one_credit(make_contest: MakeContest) -> None:
    contest = make_contest(keeps=Keeps.STANDING, unique_per=UniquePer.CAMPAIGN)
    first, second = contest.add_entry("1"), contest.add_entry("2")
    here, there = FakePlatform(["amal", "badr"]), FakePlatform(["amal", "badr"])
    contest.sweep(first, here)
    contest.sweep(second, there)
    here.unlike("amal", "badr")
    there.unlike("badr")
    close(contest, (first, here), (second, there))
    assert came_to(settle(contest)) == (1, 10, 1, 10, 0)


def test_what_is_pledged_comes_back_before_it_is_reversed(standing: Contest) -> None:
    standing.add_association("hope")
    standing.assign("hope", None)
    entry, platform = standing.add_entry(), FakePlatform(["amal", "badr", "chaima"])
    standing.sweep(entry, platform)
    standing.distribute()
    platform.unlike("badr", "chaima")
    close(standing, (entry, platform))
    settle(standing)
    assert held(standing) == {"sponsor": -10, "pledged:hope": 10}
    check_books(standing)


def test_an_association_may_be_named_after_the_settlement(standing: Contest) -> None:
    entry, platform = standing.add_entry(), FakePlatform(["amal", "badr"])
    standing.sweep(entry, platform)
    close(standing, (entry, platform))
    settle(standing)
    standing.add_association("hope")
    standing.assign("hope", 500_000)
    assert held(standing) == {"sponsor": -20, "pool": 10, "pledged:hope": 10}


def test_where_nobody_can_tell_whether_a_like_stands_it_stays_and_that_is_said(standing: Contest) -> None:
    """The list drops somebody whom the number still counts: a hidden account looks like that too."""
    entry, platform = standing.add_entry(), FakePlatform(["amal", "badr", "chaima"], displayed=3)
    standing.sweep(entry, platform)
    platform.unlike("badr")
    close(standing, (entry, platform))
    result = settle(standing)
    assert (came_to(result), result.unproven) == ((3, 30, 0, 0, 0), (Unproven(url="https://fake.example/1", likers=1),))
    assert settle(standing) == result


def test_an_absence_before_the_end_is_looked_into_until_the_settlement_can_tell(standing: Contest) -> None:
    """The second look had a gap, so it proved nothing: one more is asked for."""
    entry, platform = standing.add_entry(), FakePlatform(["amal", "badr", "chaima"])
    standing.sweep(entry, platform)
    platform.unlike("badr")
    standing.sweep(entry, platform, full=True)
    to_the_end(standing)
    platform.displayed = 9
    standing.sweep(entry, platform, full=True)
    assert settle(standing).left_over
    with standing.database.reading() as session:
        assert awaited(session, standing.facts) == {entry}
    standing.sweep(entry, platform, full=True)
    assert settle(standing).is_settled


def test_a_floor_is_not_paid_for_a_contest_that_never_had_a_post(make_contest: MakeContest) -> None:
    contest = make_contest(floor=20)
    with contest.database.reading() as session, pytest.raises(UsageError, match=r"never had a post.*--accept-gap"):
        check_was_a_contest(session, contest.facts)
    to_the_end(contest)
    assert settle(contest, accept_gap="the sponsor insists").accepted_gap == "the sponsor insists"


def test_a_contest_with_a_post_may_pay_its_floor(make_contest: MakeContest) -> None:
    contest = make_contest(floor=20)
    contest.add_entry()
    with contest.database.reading() as session:
        check_was_a_contest(session, contest.facts)


# Posts that only show a number.


def numbers(contest: Contest, entry: int, *shown: int | str) -> CountingPlatform:
    """Let a post show these numbers, one after the other."""
    platform = CountingPlatform()
    for number in shown:
        platform.numbers["1"] = number
        contest.read([entry], platform)
    return platform


def test_a_number_comes_down_to_the_closing_count_from_the_newest_credits_backwards(standing: Contest) -> None:
    entry = standing.add_entry(basis=Basis.COUNT)
    numbers(standing, entry, 50)
    standing.change_rate(30, standing.clock() + timedelta(hours=1))
    standing.clock.forward(hours=2)
    platform = numbers(standing, entry, 60)
    platform.numbers["1"] = 45
    close(standing, (entry, platform))
    assert came_to(settle(standing)) == (45, 450, 15, 10 * 30 + 5 * 10, 0)
    check_books(standing)


def test_what_never_counted_is_no_part_of_what_stands(standing: Contest) -> None:
    entry = standing.add_entry(basis=Basis.COUNT, published_at=standing.facts.rules.starts_at - timedelta(days=1))
    platform = numbers(standing, entry, 100, 150)
    platform.numbers["1"] = 120
    close(standing, (entry, platform))
    assert came_to(settle(standing)) == (20, 200, 30, 300, 0)


def test_a_fall_below_the_baseline_takes_back_no_more_than_was_credited(standing: Contest) -> None:
    entry = standing.add_entry(basis=Basis.COUNT, published_at=standing.facts.rules.starts_at - timedelta(days=1))
    platform = numbers(standing, entry, 100, 150)
    platform.numbers["1"] = 3
    close(standing, (entry, platform))
    assert came_to(settle(standing)) == (0, 0, 50, 500, 0)
    check_books(standing)


def test_likes_after_the_end_neither_hold_up_a_number_nor_pull_it_down(make_contest: MakeContest) -> None:
    """A crowd that likes after the end, whether it stays or leaves again, changes nothing of what stood at the end."""
    for at_the_end, afterwards, came_down_to in ((80, [100], 80), (110, [1_110, 110], 110), (110, [1_110, 90], 90)):
        contest = make_contest(keeps=Keeps.STANDING)
        entry = contest.add_entry(basis=Basis.COUNT)
        numbers(contest, entry, 110)
        to_the_end(contest)
        numbers(contest, entry, at_the_end)
        contest.clock.forward(days=1)
        numbers(contest, entry, *afterwards)
        assert settle(contest).likes == came_down_to
        check_books(contest)


def test_a_hidden_number_takes_nothing_back(standing: Contest) -> None:
    entry = standing.add_entry(basis=Basis.COUNT)
    platform = numbers(standing, entry, 50, 40)
    platform.numbers["1"] = HIDDEN
    close(standing, (entry, platform))
    assert came_to(settle(standing)) == (50, 500, 0, 0, 0)


def test_likes_over_the_cap_do_not_move_up_when_others_fall(make_contest: MakeContest) -> None:
    contest = make_contest(keeps=Keeps.STANDING, cap=20)
    entry, platform = contest.add_entry(), FakePlatform(["amal", "badr", "chaima", "driss"])
    contest.sweep(entry, platform)
    platform.unlike("amal")
    close(contest, (entry, platform))
    assert came_to(settle(contest)) == (1, 10, 1, 10, 0)


# A guaranteed floor.


def test_a_floor_is_reached_by_one_transfer_without_likes(make_contest: MakeContest) -> None:
    contest = make_contest(floor=100)
    contest.add_association("hope")
    contest.assign("hope", None)
    entry, platform = contest.add_entry(), FakePlatform(["amal", "badr"])
    contest.sweep(entry, platform)
    close(contest, (entry, platform))
    assert came_to(settle(contest)) == (2, 100, 0, 0, 80)
    (floor,) = contest.rows(Transfer, key=f"floor:{contest.facts.id}")
    assert (floor.amount, floor.likes, floor.rate_id, floor.reason) == (80, 0, None, "the contest guarantees 100 B")
    assert held(contest) == {"sponsor": -100, "pledged:hope": 100}
    check_books(contest)


def test_a_floor_that_likes_have_reached_adds_nothing(make_contest: MakeContest) -> None:
    contest = make_contest(floor=20)
    entry, platform = contest.add_entry(), FakePlatform(["amal", "badr"])
    contest.sweep(entry, platform)
    close(contest, (entry, platform))
    assert came_to(settle(contest)) == (2, 20, 0, 0, 0)


def test_a_floor_makes_up_for_what_was_taken_back(make_contest: MakeContest) -> None:
    contest = make_contest(floor=20, keeps=Keeps.STANDING)
    entry, platform = contest.add_entry(), FakePlatform(["amal", "badr"])
    contest.sweep(entry, platform)
    platform.unlike("badr")
    close(contest, (entry, platform))
    assert came_to(settle(contest)) == (1, 20, 1, 10, 10)
    check_books(contest)


# A reversal of what is partly reversed.


def test_the_rest_of_a_credit_can_be_reversed_but_nothing_twice(standing: Contest) -> None:
    entry, platform = standing.add_entry(), FakePlatform(["amal", "badr", "chaima"], page_max=9)
    standing.sweep(entry, platform)
    platform.unlike("badr")
    close(standing, (entry, platform))
    settle(standing)
    key = standing.rows(Transfer)[0].key
    with standing.writing() as session:
        reverse(session, key, reason="bought", author="amal", at=standing.clock())
    assert [(one.amount, one.likes) for one in standing.rows(Transfer)] == [(30, 3), (10, 1), (20, 2)]
    with standing.writing() as session, pytest.raises(UsageError, match="already reversed"):
        reverse(session, key, reason="bought", author="amal", at=standing.clock())


# Nothing passes it.


def late_like(contest: Contest, entry: int) -> None:
    """Book a credit as a process would that still believes the campaign open."""
    with contest.writing() as session:
        book_late_like(session, contest, entry)


def book_late_like(session: Session, contest: Contest, entry: int) -> None:
    facts = contest.facts
    credit = Credit(likes=1, per_like=Volume(10), rate_id=facts.rules.rates[0].id, entry_id=entry)
    credit_likes(session, campaign_accounts(session, facts.id), credit, key="late", at=contest.clock())


def test_the_database_refuses_a_credit_after_the_settlement(contest: Contest) -> None:
    entry = contest.add_entry(state=EntryState.REMOVED)
    to_the_end(contest)
    settle(contest)
    with pytest.raises(SettledError, match=SETTLED):
        late_like(contest, entry)
    assert contest.rows(Transfer) == []


def test_a_correction_after_the_settlement_is_still_possible(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(["amal"])
    contest.sweep(entry, platform)
    close(contest, (entry, platform))
    settle(contest)
    contest.clock.forward(days=1)
    with contest.writing() as session:
        reverse(session, contest.rows(Transfer)[0].key, reason="bought", author="amal", at=contest.clock())
    check_books(contest)


def test_a_sweep_that_began_before_the_settlement_ends_partial(contest: Contest) -> None:
    entry = contest.add_entry()
    platform = FakePlatform(["amal"], before={1: lambda: settle(contest, accept_gap="in a hurry")})
    ending = contest.sweep(entry, platform, now=lambda: contest.facts.rules.ends_at - timedelta(minutes=1))
    assert ending == Ending(outcome=PARTIAL, reason=SETTLED, cause=Cause.STOPPED)
    assert (contest.rows(Observation), contest.rows(Transfer)) == ([], [])
    assert [(one.outcome, one.cause) for one in contest.rows(Sweep)] == [(PARTIAL, Cause.STOPPED)]


def test_a_number_that_was_asked_before_the_settlement_is_not_credited(contest: Contest) -> None:
    entry, platform = contest.add_entry(basis=Basis.COUNT), CountingPlatform({"1": 50})
    platform.before = {1: lambda: settle(contest, accept_gap="in a hurry")}
    ending = contest.read([entry], platform, now=contest.clock)[entry]
    assert ending == Ending(outcome=PARTIAL, reason=SETTLED, cause=Cause.STOPPED)
    assert contest.rows(Transfer) == []


def test_the_rate_of_a_settled_campaign_is_final(contest: Contest) -> None:
    to_the_end(contest)
    settle(contest)
    facts, now = contest.facts, contest.clock()
    with contest.writing() as session, pytest.raises(UsageError, match="was settled on"):
        change_rate(session, facts, Volume(20), now, reason="more", author="amal", now=now)


def test_a_credit_in_flight_is_counted_before_or_refused(make_contest: MakeContest) -> None:
    """Two sweeps store pages as the settlement commits; whoever is first, the total is what the transfers say."""
    contest = make_contest(cap=10**6)
    entries = [contest.add_entry(str(number)) for number in range(2)]
    together = Barrier(3, timeout=30)
    likers = [f"fan-{number}" for number in range(20)]

    def sweep(entry: int) -> Ending:
        platform = FakePlatform(likers, before={2: together.wait})
        return contest.sweep(entry, platform)

    def end() -> SettlementResult:
        together.wait()
        return settle(contest, accept_gap="in a hurry")

    with ThreadPoolExecutor(3) as executor:
        sweeps = [executor.submit(sweep, entry) for entry in entries]
        result = executor.submit(end).result()
    endings = [one.result() for one in sweeps]
    assert {(one.outcome, one.reason) for one in endings} <= {(COMPLETE, None), (PARTIAL, SETTLED)}
    transfers = contest.rows(Transfer)
    assert (result.likes, result.bytes) == (sum(one.likes for one in transfers), sum(one.amount for one in transfers))
    check_books(contest)


def test_a_credit_that_is_being_booked_is_waited_for(contest: Contest) -> None:
    """Its transaction is open when the settlement begins: it is part of the total."""
    entry = contest.add_entry(state=EntryState.REMOVED)
    to_the_end(contest)
    with ThreadPoolExecutor(1) as executor:
        with contest.writing() as session:
            book_late_like(session, contest, entry)
            settling = executor.submit(settle, contest)
            assert wait([settling], timeout=0.3).not_done
        assert came_to(settling.result()) == (1, 10, 0, 0, 0)


def test_a_credit_that_comes_while_the_settlement_is_being_booked_is_refused(contest: Contest) -> None:
    """It waits for the settlement's transaction, and then finds it."""
    entry = contest.add_entry(state=EntryState.REMOVED)
    to_the_end(contest)
    with ThreadPoolExecutor(1) as executor:
        with contest.writing() as session:
            facts = contest.facts
            settle_campaign(session, facts, {}, author="amal", accept_gap=None, now=contest.clock)
            booking = executor.submit(late_like, contest, entry)
            assert wait([booking], timeout=0.3).not_done
        with pytest.raises(SettledError, match=SETTLED):
            booking.result()
    assert contest.rows(Transfer) == []


def test_two_settlements_at_once_are_one(make_contest: MakeContest) -> None:
    contest = make_contest(floor=100)
    to_the_end(contest)
    together = Barrier(2, timeout=30)

    def end() -> SettlementResult:
        together.wait()
        return settle(contest)

    with ThreadPoolExecutor(2) as executor:
        first, second = (executor.submit(end) for _ in range(2))
        assert first.result() == second.result()
    assert (len(contest.rows(Settlement)), held(contest)) == (1, {"sponsor": -100, "pool": 100})


# Whatever was liked and taken back.

names = st.sampled_from([f"fan-{number}" for number in range(8)])
Nights = Sequence[tuple[list[str], list[str], int]]


@settings(
    max_examples=20,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    nights=st.lists(
        st.tuples(st.lists(names, unique=True), st.lists(names, unique=True), st.integers(0, 40)), max_size=5
    ),
    share_ppm=st.integers(0, 1_000_000),
    floor=st.sampled_from([None, 50, 400]),
)
def test_after_the_settlement_what_is_credited_is_what_stands(
    make_contest: MakeContest, nights: Nights, share_ppm: int, floor: int | None
) -> None:
    contest = make_contest(keeps=Keeps.STANDING, floor=floor)
    slug = f"hope-{contest.facts.id}"
    contest.add_association(slug)
    contest.assign(slug, share_ppm)
    named, counted = contest.add_entry("1"), contest.add_entry("2", basis=Basis.COUNT)
    people, number = FakePlatform(), CountingPlatform({"2": 0})
    for likes, unlikes, shown in nights:
        people.like(*(one for one in likes if one not in people.standing))
        people.unlike(*unlikes)
        number.numbers["2"] = shown
        contest.sweep(named, people)
        contest.read([counted], number)
        contest.distribute()
    stand = len(people.standing) + int(number.numbers["2"])
    close(contest, (named, people), (counted, number))
    result = settle(contest)
    assert (result.likes, result.bytes) == (stand, max(stand * 10, floor or 0))
    with contest.database.reading() as session:
        accounts = balances(session, contest.facts.id)
    assert sum(one.bytes for one in accounts) == 0
    assert [one.name for one in accounts if one.bytes < 0 and one.kind is not AccountKind.SPONSOR] == []
    check_books(contest)
