"""What a like seen at some moment earns: every line of the table, at its edges."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from harvester.books.rules import Circumstances, RateVersion, Rules, judge
from harvester.connector import LikeTime
from harvester.contest.times import read_time
from harvester.store.kinds import Keeps, UniquePer, Verdict
from harvester.volume import Volume

START, END = datetime(2027, 1, 10, 20, tzinfo=UTC), datetime(2027, 2, 10, 20, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
FIRST_RATE = RateVersion(id=1, per_like=Volume(10), valid_from=START)
RULES = Rules(starts_at=START, ends_at=END, keeps=Keeps.EVER, unique_per=UniquePer.POST, cap=None, rates=(FIRST_RATE,))

FIRST_SWEEP = Circumstances(
    seen_at=START + DAY,
    time=LikeTime.NONE,
    previous_sweep_at=None,
    published_at=START - DAY,
    credits_existing=False,
)
"""Of a post older than the window, on a platform that does not date likes."""

LATER_SWEEP = replace(FIRST_SWEEP, previous_sweep_at=START)


def seen(at: datetime, **known: object) -> Verdict:
    return judge(None, replace(LATER_SWEEP, seen_at=at, **known), RULES)


def first_seen(liked_at: datetime | None = None, **known: object) -> Verdict:
    return judge(liked_at, replace(FIRST_SWEEP, **known), RULES)


def dated(liked_at: datetime, **known: object) -> Verdict:
    return judge(liked_at, replace(FIRST_SWEEP, time=LikeTime.PLATFORM, **known), RULES)


# The window is half-open.


def test_the_first_instant_of_the_window_counts() -> None:
    assert seen(START, previous_sweep_at=START - DAY) is Verdict.CREDITED


def test_the_instant_before_the_window_does_not_count() -> None:
    assert seen(START - INSTANT, previous_sweep_at=START - DAY) is Verdict.BASELINE


def test_the_last_instant_of_the_window_counts() -> None:
    assert seen(END - INSTANT) is Verdict.CREDITED


def test_the_end_itself_no_longer_counts_for_certain() -> None:
    assert seen(END, previous_sweep_at=END - INSTANT) is Verdict.UNCERTAIN
    assert seen(END, previous_sweep_at=END) is Verdict.LATE


def test_a_window_of_local_dates_keeps_local_midnight_through_ramadan() -> None:
    """Ramadan 2027 runs from 8 February to 9 March: the start is at UTC+1, the end at UTC+0."""
    zone = ZoneInfo("Africa/Casablanca")
    starts_at, ends_at = read_time("2027-02-01", zone), read_time("2027-02-20", zone)
    assert (starts_at, ends_at) == (datetime(2027, 1, 31, 23, tzinfo=UTC), datetime(2027, 2, 20, 0, tzinfo=UTC))
    rules = replace(RULES, starts_at=starts_at, ends_at=ends_at)
    found = replace(LATER_SWEEP, time=LikeTime.PLATFORM)
    instants = (starts_at - INSTANT, starts_at, ends_at - INSTANT, ends_at)
    assert [judge(at, found, rules) for at in instants] == [
        Verdict.BASELINE,
        Verdict.CREDITED,
        Verdict.CREDITED,
        Verdict.LATE,
    ]


def test_a_window_that_ends_after_ramadan_ends_at_utc_plus_one_again() -> None:
    zone = ZoneInfo("Africa/Casablanca")
    assert read_time("2027-03-31", zone) - read_time("2027-02-20", zone) == timedelta(days=39) - timedelta(hours=1)


# The first sweep of a post.


def test_the_first_sweep_of_an_older_post_finds_the_baseline() -> None:
    assert first_seen() is Verdict.BASELINE


def test_the_first_sweep_of_a_post_of_unknown_publication_finds_the_baseline() -> None:
    assert first_seen(published_at=None) is Verdict.BASELINE


def test_a_post_published_at_the_start_has_no_older_likes() -> None:
    assert first_seen(published_at=START) is Verdict.CREDITED


def test_a_post_published_an_instant_before_the_start_may_have_older_likes() -> None:
    assert first_seen(published_at=START - INSTANT) is Verdict.BASELINE


@pytest.mark.parametrize("published_at", [None, START - DAY])
def test_a_person_may_credit_what_the_first_sweep_finds(published_at: datetime | None) -> None:
    assert first_seen(published_at=published_at, credits_existing=True) is Verdict.CREDITED


def test_what_a_person_agreed_to_credit_counts_though_it_is_first_seen_before_the_start() -> None:
    assert first_seen(seen_at=START - INSTANT, credits_existing=True) is Verdict.CREDITED
    assert seen(START - INSTANT, credits_existing=True) is Verdict.BASELINE


def test_a_dated_like_from_before_the_start_earns_nothing_whatever_was_agreed() -> None:
    dated = {"time": LikeTime.PLATFORM, "credits_existing": True}
    assert first_seen(START - INSTANT, seen_at=START - INSTANT, **dated) is Verdict.BASELINE


def test_what_a_later_sweep_finds_on_an_older_post_counts() -> None:
    assert seen(START + DAY) is Verdict.CREDITED


# A time the liker's own client claims.


@pytest.mark.parametrize("published_at", [None, START - DAY])
def test_a_claimed_time_before_the_start_excludes_in_the_first_sweep(published_at: datetime | None) -> None:
    claims = {"time": LikeTime.CLAIMED, "published_at": published_at, "credits_existing": True}
    assert first_seen(START - INSTANT, **claims) is Verdict.BASELINE
    assert first_seen(START, **claims) is Verdict.CREDITED


def test_a_claimed_time_inside_the_window_earns_nothing_by_itself() -> None:
    assert first_seen(START + INSTANT, time=LikeTime.CLAIMED) is Verdict.BASELINE


def test_a_back_dated_like_of_a_post_published_inside_the_window_counts() -> None:
    assert first_seen(START - DAY, time=LikeTime.CLAIMED, published_at=START) is Verdict.CREDITED


def test_a_claimed_time_before_the_start_excludes_nothing_in_a_later_sweep() -> None:
    found = replace(LATER_SWEEP, time=LikeTime.CLAIMED)
    assert judge(START - DAY, found, RULES) is Verdict.CREDITED


def test_a_claimed_time_inside_does_not_save_a_like_first_seen_after_the_end() -> None:
    found = replace(LATER_SWEEP, time=LikeTime.CLAIMED, seen_at=END + DAY, previous_sweep_at=END)
    assert judge(END - DAY, found, RULES) is Verdict.LATE


def test_a_claimed_time_after_the_end_does_not_exclude() -> None:
    assert judge(END + DAY, replace(LATER_SWEEP, time=LikeTime.CLAIMED), RULES) is Verdict.CREDITED


# The platform's own clock.


@pytest.mark.parametrize(
    ("liked_at", "verdict"),
    [
        (START - INSTANT, Verdict.BASELINE),
        (START, Verdict.CREDITED),
        (END - INSTANT, Verdict.CREDITED),
        (END, Verdict.LATE),
    ],
)
@pytest.mark.parametrize("seen_at", [START - DAY, START + DAY, END + DAY])
def test_the_platforms_clock_decides_whenever_the_like_is_seen(
    liked_at: datetime, verdict: Verdict, seen_at: datetime
) -> None:
    assert dated(liked_at, seen_at=seen_at) is verdict


@pytest.mark.parametrize("published_at", [None, START - DAY])
def test_the_platforms_clock_counts_in_the_first_sweep_of_an_older_post(published_at: datetime | None) -> None:
    assert dated(START, published_at=published_at) is Verdict.CREDITED


def test_a_like_without_a_time_on_a_platform_that_dates_them_is_judged_by_when_it_was_seen() -> None:
    assert first_seen(None, time=LikeTime.PLATFORM) is Verdict.BASELINE
    assert judge(None, replace(LATER_SWEEP, time=LikeTime.PLATFORM), RULES) is Verdict.CREDITED


# The end.


def test_a_like_first_seen_by_the_sweep_that_straddles_the_end_is_uncertain() -> None:
    assert seen(END + DAY, previous_sweep_at=END - INSTANT) is Verdict.UNCERTAIN


def test_a_like_first_seen_after_a_sweep_that_began_at_the_end_is_late() -> None:
    assert seen(END + DAY, previous_sweep_at=END) is Verdict.LATE


def test_the_first_sweep_after_the_end_of_a_post_published_inside_is_uncertain() -> None:
    assert first_seen(seen_at=END + DAY, published_at=END - INSTANT) is Verdict.UNCERTAIN


def test_the_first_sweep_after_the_end_of_an_older_post_is_still_the_baseline() -> None:
    assert first_seen(seen_at=END + DAY) is Verdict.BASELINE
    assert first_seen(seen_at=END + DAY, published_at=None) is Verdict.BASELINE


def test_a_post_published_after_the_end_earns_nothing() -> None:
    assert first_seen(seen_at=END + DAY, published_at=END) is Verdict.LATE


# The rate.


def test_a_rate_is_valid_from_its_first_instant() -> None:
    second = RateVersion(id=2, per_like=Volume(20), valid_from=START + DAY)
    rules = replace(RULES, rates=(FIRST_RATE, second))
    assert rules.rate_at(START + DAY - INSTANT) is FIRST_RATE
    assert rules.rate_at(START + DAY) is second


def test_the_first_rate_is_valid_at_any_earlier_time() -> None:
    assert RULES.rate_at(START - DAY) is FIRST_RATE
