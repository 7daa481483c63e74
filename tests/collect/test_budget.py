"""Budgets: never more than so many requests in any stretch of time, for each origin by itself."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.collect.budget import BudgetKeeper
from harvester.connector import Budget
from harvester.errors import UsageError

KICK_OFF = datetime(2027, 1, 21, 20, tzinfo=UTC)
HERE, THERE = "https://social.example", "https://other.example"
NO_WAIT = timedelta(0)


class Clock:
    def __init__(self) -> None:
        self.at = KICK_OFF

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


def a_budget(requests: int, **per: float) -> Budget:
    return Budget(requests=requests, per=timedelta(**per))


def test_a_spent_budget_says_how_long_until_the_oldest_request_has_aged() -> None:
    clock = Clock()
    keeper = BudgetKeeper([a_budget(2, minutes=15)], clock)
    keeper.take(HERE)
    clock.forward(minutes=5)
    keeper.take(HERE)
    clock.forward(minutes=1)

    assert keeper.take(HERE) == timedelta(minutes=9)


def test_asking_for_a_spent_budget_does_not_spend_more() -> None:
    clock = Clock()
    keeper = BudgetKeeper([a_budget(1, minutes=1)], clock)
    waits = [keeper.take(HERE) for _ in range(5)]
    clock.forward(minutes=1)

    assert waits == [NO_WAIT, *[timedelta(minutes=1)] * 4]
    assert keeper.take(HERE) == NO_WAIT


def test_each_origin_has_its_own_budget() -> None:
    keeper = BudgetKeeper([a_budget(1, minutes=1)], Clock())

    assert (keeper.take(HERE), keeper.take(THERE)) == (NO_WAIT, NO_WAIT)


def test_of_several_budgets_the_strictest_counts() -> None:
    clock = Clock()
    keeper = BudgetKeeper([a_budget(2, seconds=1), a_budget(3, hours=1)], clock)
    taken = [keeper.take(HERE) for _ in range(3)]
    clock.forward(seconds=1)

    assert taken == [NO_WAIT, NO_WAIT, timedelta(seconds=1)]
    assert (keeper.take(HERE), keeper.take(HERE)) == (NO_WAIT, timedelta(minutes=59, seconds=59))


def test_without_a_budget_only_a_block_waits() -> None:
    clock = Clock()
    keeper = BudgetKeeper([], clock)
    free = [keeper.take(HERE) for _ in range(1_000)]
    keeper.block(HERE, KICK_OFF + timedelta(minutes=3))

    assert set(free) == {NO_WAIT}
    assert (keeper.take(HERE), keeper.take(THERE)) == (timedelta(minutes=3), NO_WAIT)


def test_a_later_block_stays_when_a_shorter_one_is_asked_for() -> None:
    clock = Clock()
    keeper = BudgetKeeper([], clock)
    keeper.block(HERE, KICK_OFF + timedelta(minutes=9))
    keeper.block(HERE, KICK_OFF + timedelta(minutes=1))

    assert keeper.take(HERE) == timedelta(minutes=9)


def test_what_others_are_known_to_have_sent_counts_beside_what_was_sent_here() -> None:
    clock = Clock()
    keeper = BudgetKeeper([a_budget(3, minutes=10)], clock)
    keeper.take(HERE)
    clock.forward(minutes=4)
    keeper.recount({HERE: [(KICK_OFF + timedelta(minutes=1), 1)]})
    assert (keeper.take(HERE), keeper.take(HERE)) == (NO_WAIT, timedelta(minutes=6))
    keeper.recount({HERE: [(KICK_OFF + timedelta(minutes=3), 2)]})
    clock.forward(minutes=6)
    assert keeper.take(HERE) == timedelta(minutes=3)
    keeper.recount({})
    assert keeper.take(HERE) == NO_WAIT


def test_a_clock_that_was_set_back_makes_nobody_wait_longer_than_a_period() -> None:
    clock = Clock()
    keeper = BudgetKeeper([a_budget(1, minutes=10)], clock)
    keeper.take(HERE)
    clock.forward(days=-1)
    assert keeper.take(HERE) == timedelta(minutes=10)
    clock.forward(minutes=10)
    assert keeper.take(HERE) == NO_WAIT


@given(
    requests=st.integers(1, 5),
    seconds=st.integers(1, 60),
    gaps=st.lists(st.integers(0, 30), min_size=1, max_size=60),
)
def test_no_stretch_of_time_ever_holds_more_requests_than_allowed(requests: int, seconds: int, gaps: list[int]) -> None:
    clock = Clock()
    keeper = BudgetKeeper([a_budget(requests, seconds=seconds)], clock)
    sent = []
    for gap in gaps:
        clock.forward(seconds=gap)
        while wait := keeper.take(HERE):
            clock.at += wait
        sent.append(clock.at)

    windows = zip(sent, sent[requests:], strict=False)
    assert all(later - earlier >= timedelta(seconds=seconds) for earlier, later in windows)
    assert all(earlier <= later for earlier, later in pairwise(sent))


@pytest.mark.parametrize(
    ("text", "per"),
    [
        ("300/15min", timedelta(minutes=15)),
        ("300/s", timedelta(seconds=1)),
        ("300/h", timedelta(hours=1)),
        (" 300/2d ", timedelta(days=2)),
    ],
)
def test_a_budget_is_read_as_people_write_it(text: str, per: timedelta) -> None:
    assert Budget.parse(text) == Budget(requests=300, per=per)


@pytest.mark.parametrize("text", ["", "300", "300/", "300/15", "0/min", "300/0min", "-1/s", "1.5/s", "300/15m", "off"])
def test_what_is_no_budget_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]+$"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["1/999999999999d", f"1/{'9' * 30}s"])
def test_a_time_that_cannot_be_kept_is_refused_not_a_crash(text: str) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]+$"):
        Budget.parse(text)
