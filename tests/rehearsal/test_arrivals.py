"""Arrivals have the shape of the trace they are drawn from."""

from datetime import UTC, datetime, timedelta

import pytest

from harvester.rehearsal import arrival_times
from harvester.rehearsal.arrivals import share_arrived

PUBLISHED = datetime(2027, 1, 21, 20, tzinfo=UTC)
WEEK = timedelta(days=7)
TRACE = {  # counted in the trace itself
    timedelta(minutes=10): 0.183,
    timedelta(hours=1): 0.367,
    timedelta(hours=8): 0.676,
    timedelta(days=1): 0.858,
    timedelta(days=3): 0.960,
}


def test_the_same_seed_gives_the_same_arrivals_and_another_gives_others():
    draws = [arrival_times(PUBLISHED, number=50, until=PUBLISHED + WEEK, seed=seed) for seed in (1, 1, 2)]

    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("span", [timedelta(seconds=1), timedelta(hours=3), WEEK, timedelta(days=30)])
def test_arrivals_are_as_many_as_asked_in_order_and_within_their_bounds(span):
    times = arrival_times(PUBLISHED, number=1_000, until=PUBLISHED + span)

    assert (len(times), list(times)) == (1_000, sorted(times))
    assert PUBLISHED <= times[0] <= times[-1] <= PUBLISHED + span


@pytest.mark.parametrize(("after", "share"), TRACE.items())
def test_the_shape_is_the_traces(after, share):
    times = arrival_times(PUBLISHED, number=20_000, until=PUBLISHED + WEEK)

    drawn = sum(time <= PUBLISHED + after for time in times) / len(times)

    assert share_arrived(after) == pytest.approx(share, abs=0.005)
    assert drawn == pytest.approx(share, abs=0.02)


def test_a_shorter_stretch_keeps_the_shape_of_its_part():
    times = arrival_times(PUBLISHED, number=20_000, until=PUBLISHED + timedelta(days=1))

    within_an_hour = sum(time <= PUBLISHED + timedelta(hours=1) for time in times) / len(times)

    assert within_an_hour == pytest.approx(0.367 / 0.858, abs=0.02)
