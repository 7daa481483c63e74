"""A glance reads numbers and nothing else: no sweep, no credit, and nobody is missing by it."""

from datetime import timedelta

import httpx
import pytest

from harvester.collect.glances import glance
from harvester.collect.http import PoliteClient
from harvester.collect.registry import Platform
from harvester.collect.spending import spent_since
from harvester.config import HttpSettings
from harvester.connector import Exhausted, GrantLost, Missing, Throttled, Unstable
from harvester.store.kinds import EntryState
from harvester.store.models import Entry, Reading, Sweep, Transfer
from tests.factories import HIDDEN, KICK_OFF, Contest, CountingPlatform


def platform_of(contest: Contest, counting: CountingPlatform) -> Platform:
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    return Platform(counting, PoliteClient(HttpSettings(), now=contest.clock, transport=transport))


def look(contest: Contest, counting: CountingPlatform) -> int:
    return glance(contest.database, platform_of(contest, counting), contest.rows(Entry), now=contest.clock)


def test_one_request_shows_the_numbers_of_many_posts(contest: Contest) -> None:
    one, two = contest.add_entry("1"), contest.add_entry("2")
    counting = CountingPlatform(numbers={"1": 7, "2": HIDDEN})
    assert look(contest, counting) == 2
    assert counting.asked == [("1", "2")]
    readings = [(each.entry_id, each.sweep_id, each.read_at, each.likes) for each in contest.rows(Reading)]
    assert readings == [(one, None, KICK_OFF, 7), (two, None, KICK_OFF, None)]
    entries = contest.rows(Entry)
    assert [(each.displayed, each.displayed_at) for each in entries] == [(7, KICK_OFF), (None, KICK_OFF)]


def test_a_glance_is_no_sweep_and_credits_nothing(contest: Contest) -> None:
    contest.add_entry("1")
    look(contest, CountingPlatform(numbers={"1": 7}))
    assert (contest.rows(Sweep), contest.rows(Transfer)) == ([], [])


def test_a_post_that_is_left_out_is_for_its_next_sweep_to_judge(contest: Contest) -> None:
    contest.add_entry("1")
    contest.add_entry("2", displayed=3)
    assert look(contest, CountingPlatform(numbers={"1": 7})) == 1
    (left_out,) = contest.rows(Entry, native_id="2")
    assert (left_out.state, left_out.missing_since, left_out.displayed) == (EntryState.OPEN, None, 3)


def test_a_missing_post_that_a_glance_shows_is_there_again(contest: Contest) -> None:
    contest.add_entry("1", state=EntryState.MISSING, missing_since=KICK_OFF)
    look(contest, CountingPlatform(numbers={"1": 7}))
    (entry,) = contest.rows(Entry)
    assert (entry.state, entry.missing_since) == (EntryState.OPEN, None)


@pytest.mark.parametrize(
    "error",
    [
        Throttled(KICK_OFF + timedelta(hours=1), "asked for a pause"),
        Exhausted(KICK_OFF + timedelta(hours=1), "spent"),
        GrantLost("revoked"),
        Missing("gone"),
        Unstable("broke off"),
    ],
)
def test_a_glance_that_is_not_answered_changes_nothing(contest: Contest, error: Exception) -> None:
    contest.add_entry("1", displayed=3)
    assert look(contest, CountingPlatform(numbers={"1": 7}, before={1: error})) == 0
    assert contest.rows(Reading) == []
    assert [each.displayed for each in contest.rows(Entry)] == [3]


def test_a_glance_counts_as_one_request_after_a_restart(contest: Contest) -> None:
    for native_id in ("1", "2"):
        contest.add_entry(native_id)
    counting = CountingPlatform(numbers={"1": 7, "2": 8})
    counting.name = "fake"  # type: ignore[misc]
    look(contest, counting)
    with contest.database.reading() as session:
        spent = list(spent_since(session, counting, KICK_OFF - timedelta(hours=1)))
    assert spent == [("https://fake.example", KICK_OFF, 1)]
