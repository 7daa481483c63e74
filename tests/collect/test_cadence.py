"""When posts are polled next: soon where likes come, never beyond a budget, and no post is forgotten."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.collect.cadence import (
    Arrivals,
    Limits,
    NextPoll,
    Reserve,
    Spent,
    Watched,
    fair_bound,
    next_polls,
    rate_of,
)
from harvester.connector import Budget

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LIMITS = Limits(shortest=MINUTE, longest=6 * HOUR)
PLENTY = Budget(requests=10_000, per=HOUR)


def watched(number: int = 1, *, age: timedelta = 24 * HOUR, likes: Sequence[int] = (), **facts: object) -> Watched:
    """Give a post that was looked at every ten minutes until now, finding these likes."""
    looks = tuple(
        Arrivals(since=NOW - (left + 1) * 10 * MINUTE, until=NOW - left * 10 * MINUTE, likes=found)
        for left, found in reversed(list(enumerate(reversed(likes))))
    )
    post = Watched(
        entry_ids=(number,),
        arrivals=looks,
        born_at=NOW - age,
        last_poll_at=NOW if looks else None,
        requests=1,
        window=None,
        not_before=None,
    )
    return replace(post, **facts)  # type: ignore[arg-type]


def most_in_a_stretch(requests: Sequence[tuple[datetime, int]], per: timedelta) -> int:
    return max(sum(cost for at, cost in requests if end - per < at <= end) for end, _ in requests)


def only(post: Watched, budget: Budget = PLENTY, **facts: object) -> NextPoll:
    (poll,) = next_polls([post], [budget], now=NOW, limits=LIMITS, **facts)  # type: ignore[arg-type]
    return poll


def test_nothing_to_watch_is_nothing_to_poll() -> None:
    assert next_polls([], [PLENTY], now=NOW, limits=LIMITS) == ()


def test_without_a_budget_every_post_is_polled_at_the_shortest_interval() -> None:
    polls = next_polls([watched(1, likes=[5]), watched(2, likes=[0])], [], now=NOW, limits=LIMITS)
    assert [(poll.entry_ids, poll.at) for poll in polls] == [((1,), NOW + MINUTE), ((2,), NOW + MINUTE)]


def test_a_single_look_that_saw_a_burst_is_believed_at_once() -> None:
    quiet, bursting = watched(likes=[1, 0, 2, 1]), watched(likes=[1, 0, 2, 300])
    assert rate_of(quiet, NOW) < 20
    assert 1000 < rate_of(bursting, NOW) < 2000
    budget = Budget(requests=30, per=HOUR)
    others = [watched(number, likes=[1, 1, 1]) for number in range(2, 60)]
    before, after = (next_polls([post, *others], [budget], now=NOW, limits=LIMITS)[0] for post in (quiet, bursting))
    assert after.interval * 10 < before.interval


def test_the_end_of_a_burst_is_believed_too() -> None:
    assert rate_of(watched(likes=[300, 300, 300, 2]), NOW) < 60


def test_a_young_post_is_eagerly_awaited_and_an_old_one_rarely() -> None:
    rates = [rate_of(watched(age=age), NOW) for age in (MINUTE, HOUR, 24 * HOUR, 240 * HOUR)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 100 * rates[-1]


def test_a_new_post_is_expected_to_be_like_the_others() -> None:
    budget = Budget(requests=30, per=HOUR)

    def interval(likes: int) -> timedelta:
        others = [watched(number, likes=[likes, likes]) for number in range(2, 40)]
        return next_polls([watched(1), *others, watched(99, likes=[9, 9])], [budget], now=NOW, limits=LIMITS)[
            0
        ].interval

    assert interval(300) < interval(1)


def test_intervals_grow_with_the_root_of_requests_over_rate() -> None:
    posts = [watched(1, likes=[4000] * 8), watched(2, likes=[1000] * 8), watched(3, likes=[1000] * 8, requests=4)]
    first, second, third = (
        poll.interval for poll in next_polls(posts, [Budget(requests=20, per=HOUR)], now=NOW, limits=LIMITS)
    )
    assert second / first == pytest.approx(2, rel=0.05)
    assert third / second == pytest.approx(2, rel=0.05)


def test_a_short_list_is_read_before_half_of_it_is_new() -> None:
    posts = [watched(number, likes=[50] * 8) for number in range(1, 40)]
    posts.append(watched(99, likes=[50] * 8, window=20))
    poll = next_polls(posts, [Budget(requests=60, per=HOUR)], now=NOW, limits=LIMITS)[-1]
    assert rate_of(posts[-1], NOW) * (poll.interval / HOUR) == pytest.approx(10, rel=0.01)
    assert poll.reason == "the list shows only its newest 20: every 2 min"


def test_a_short_list_is_polled_no_oftener_than_allowed() -> None:
    assert only(watched(likes=[5000] * 8, window=20), Budget(requests=61, per=HOUR)).interval == MINUTE


def test_a_closing_poll_finds_its_requests_unspent() -> None:
    reserve = Reserve(at=NOW + 30 * MINUTE, requests=35)
    posts = [watched(number, last_poll_at=None) for number in range(100)]
    polls = next_polls(posts, [Budget(requests=40, per=HOUR)], now=NOW, limits=LIMITS, reserves=[reserve])
    before = [poll for poll in polls if poll.at < reserve.at]
    assert len(before) == 5
    assert most_in_a_stretch([(poll.at, 1) for poll in polls] + [(reserve.at, 35)], HOUR) <= 40
    assert any(poll.reason == "kept free for the closing poll at 12:30 UTC" for poll in polls)


def test_nothing_is_planned_in_the_period_before_a_reserve_of_more_than_a_budget() -> None:
    reserve = Reserve(at=NOW + 90 * MINUTE, requests=500)
    posts = [watched(number, last_poll_at=None) for number in range(100)]
    polls = next_polls(posts, [Budget(requests=40, per=HOUR)], now=NOW, limits=LIMITS, reserves=[reserve])
    assert not [poll for poll in polls if reserve.at - HOUR < poll.at <= reserve.at]


def test_a_post_waits_until_it_may_be_asked() -> None:
    later = NOW + 3 * HOUR
    asked = only(watched(likes=[100], not_before=later, was_asked_to_wait=True))
    failed = only(watched(likes=[100], not_before=later))
    assert (asked.at, asked.reason) == (later, "asked to wait until 15:00 UTC")
    assert (failed.at, failed.reason) == (later, "it failed, so harvester waits until 15:00 UTC")


def test_a_costly_night_holds_up_the_polls_of_the_morning_for_one_poll_only() -> None:
    spent = [Spent(at=NOW, requests=5000)]
    poll = only(watched(likes=[1], last_poll_at=NOW - 7 * HOUR), Budget(requests=10_000, per=24 * HOUR), spent=spent)
    assert poll.at - NOW < timedelta(seconds=10)


def test_a_post_whose_platform_asked_for_a_pause_keeps_its_turn() -> None:
    """A budget of one poll in ten minutes: at the end of the pause it goes before all that were polled since."""
    paused = watched(1, last_poll_at=None, not_before=NOW + 15 * MINUTE)
    others = [watched(number, likes=[1], last_poll_at=NOW - (10 - number) * HOUR) for number in range(2, 10)]
    polls = next_polls([paused, *others], [Budget(requests=6, per=HOUR)], now=NOW, limits=LIMITS)
    assert [poll.entry_ids[0] for poll in sorted(polls, key=lambda poll: poll.at)] == [2, 3, 1, 4, 5, 6, 7, 8, 9]


def test_reasons_are_short_and_in_words() -> None:
    budget = Budget(requests=60, per=HOUR)
    assert only(watched(likes=[20] * 8), budget).reason == "about 108 likes an hour: every 1 min"
    assert only(watched(age=MINUTE), budget).reason == "young: every 1 min"
    assert only(watched(last_poll_at=NOW - HOUR), budget).reason == "not looked at yet: every 1 min"
    quiet = watched(arrivals=(Arrivals(since=NOW - 5 * HOUR, until=NOW, likes=0),), last_poll_at=NOW)
    assert only(quiet, budget).reason == "nothing new for 5 h: every 1 min"
    spent = [Spent(at=NOW, requests=60)]
    assert only(watched(), budget, spent=spent).reason == "the budget allows no sooner"


POSTS = st.lists(
    st.builds(
        lambda age, likes, requests, window: watched(age=age * HOUR, likes=likes, requests=requests, window=window),
        st.integers(0, 300),
        st.lists(st.integers(0, 1000), max_size=4),
        st.integers(1, 12),
        st.none() | st.integers(1, 100),
    ),
    min_size=1,
    max_size=12,
)
MOMENTS = st.integers(-7200, 7200).map(lambda seconds: timedelta(seconds=seconds))


@settings(max_examples=150, deadline=None)
@given(
    posts=POSTS,
    budgets=st.lists(
        st.builds(Budget, requests=st.integers(1, 40), per=st.integers(1, 5000).map(lambda s: s * HOUR / 3600)),
        min_size=1,
        max_size=2,
    ),
    before=st.lists(st.tuples(MOMENTS.map(lambda moment: -abs(moment)), st.integers(1, 3)), max_size=6),
    reserve=st.tuples(MOMENTS.map(abs), st.integers(1, 60)),
)
def test_a_plan_never_asks_for_more_than_a_budget_in_any_stretch(
    posts: list[Watched], budgets: list[Budget], before: list[tuple[timedelta, int]], reserve: tuple[timedelta, int]
) -> None:
    spent = [Spent(at=NOW + ago, requests=cost) for ago, cost in before]
    reserves = [Reserve(at=NOW + reserve[0], requests=reserve[1])]
    polls = next_polls(posts, budgets, now=NOW, limits=LIMITS, spent=spent, reserves=reserves)
    smallest = min(budget.requests for budget in budgets)
    planned = [(poll.at, min(post.requests, smallest)) for poll, post in zip(polls, posts, strict=True)]
    assert all(poll.at >= NOW for poll in polls)
    for budget in budgets:
        held = [(NOW + reserve[0], min(reserve[1], budget.requests))]
        already = [(one.at, one.requests) for one in spent]
        for at, _ in planned:
            stretch = [(when, cost) for when, cost in planned + held + already if at - budget.per < when <= at]
            assert sum(cost for _, cost in stretch) <= budget.requests
        until = held[0][0]
        new = [cost for when, cost in planned if until - budget.per < when <= until]
        old = [cost for when, cost in already if until - budget.per < when <= until]
        assert not new or sum(new) + sum(old) + held[0][1] <= budget.requests


def live(posts: Sequence[Watched], budget: Budget, *, until: timedelta) -> list[tuple[datetime, int]]:
    """Do what the plan says, planning anew whenever something fell due; check how old posts become."""
    bound, now, done = fair_bound(posts, [budget], LIMITS), NOW, []
    current = list(posts)
    seen = dict.fromkeys(range(len(current)), NOW)
    while now < NOW + until:
        spent = [Spent(at=at, requests=cost) for at, cost in done if at > now - budget.per]
        polls = next_polls(current, [budget], now=now, limits=LIMITS, spent=spent)
        upcoming = min(poll.at for poll in polls)
        now = max(upcoming, now)
        for number, poll in enumerate(polls):
            if poll.at <= now + 5 * MINUTE:
                assert poll.at - seen[number] <= bound
                look = Arrivals(since=seen[number], until=poll.at, likes=(number * 7919) % 50)
                done.append((poll.at, current[number].requests))
                current[number] = replace(current[number], arrivals=(look,), last_poll_at=poll.at)
                seen[number] = poll.at
        now += 5 * MINUTE
    assert all(now - at <= bound + 5 * MINUTE for at in seen.values())
    return done


def test_five_hundred_posts_on_a_tenth_of_the_budget_take_turns() -> None:
    budget = Budget(requests=50, per=HOUR)
    posts = [watched(number, last_poll_at=NOW - timedelta(seconds=number)) for number in range(500)]
    done = live(posts, budget, until=25 * HOUR)
    assert most_in_a_stretch(done, HOUR) == 50
    assert fair_bound(posts, [budget], LIMITS) == timedelta(hours=10, minutes=1, seconds=12)


@settings(max_examples=15, deadline=None)
@given(
    requests=st.lists(st.integers(1, 6), min_size=1, max_size=25),
    budget=st.integers(12, 60),
    per=st.sampled_from([15 * MINUTE, HOUR, 24 * HOUR]),
)
def test_no_post_is_ever_older_than_the_fair_bound(requests: list[int], budget: int, per: timedelta) -> None:
    posts = [watched(number, requests=cost) for number, cost in enumerate(requests)]
    done = live(posts, Budget(requests=budget, per=per), until=max(30 * HOUR, 2 * per))
    assert most_in_a_stretch(done, per) <= budget


def test_a_short_list_is_read_in_time_however_many_posts_wait() -> None:
    """A hundred and twenty likes an hour fill half of a window of twenty in five minutes."""
    posts = [watched(number, likes=[2] * 8, last_poll_at=NOW - number * MINUTE) for number in range(1, 61)]
    short = watched(99, likes=[20] * 8, window=20, last_poll_at=NOW - 4 * MINUTE)
    *_, poll = next_polls([*posts, short], [Budget(requests=60, per=HOUR)], now=NOW, limits=LIMITS)
    assert poll.at <= NOW + 2 * MINUTE


def test_a_post_that_says_it_appears_later_is_looked_at_now() -> None:
    assert only(watched(age=-24 * HOUR)).at == NOW
