"""On a few real posts the cadence shows likes sooner than simpler ways to spend the same requests."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from harvester.connector import Budget

sys.path.insert(0, str(Path(__file__).parent))

from cascades import Cascade, cascades, least_staleness
from staleness import Outcome, compare


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return compare(cascades()[:8], Budget(requests=12, per=timedelta(hours=1)))


def test_the_cadence_beats_simpler_ways_to_spend_as_many_requests(outcome: Outcome) -> None:
    assert outcome.cadence < 0.8 * outcome.fixed
    assert outcome.cadence < 0.9 * outcome.proportional


def test_nobody_beats_the_clairvoyant(outcome: Outcome) -> None:
    assert 0 < outcome.clairvoyant < min(outcome.cadence, outcome.known_rate)


def test_the_bound_of_the_clairvoyant_is_what_the_best_polls_cost() -> None:
    post = Cascade(start=0, end=100, likes=(10, 20, 90))
    assert least_staleness([post], 1) == pytest.approx(10 + 10, abs=0.2)  # one poll at 20; the end sees the third
