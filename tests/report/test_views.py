"""What `status` knows of a post: a gap only where the list and the number belong together."""

from datetime import timedelta

import pytest

from harvester.report.views import SettlementView
from harvester.store.kinds import EntryState
from harvester.store.models import Entry, Hole, Reading, Settlement
from tests.factories import HIDDEN, Contest, FakePlatform


def glance(contest: Contest, entry_id: int, likes: int | None) -> None:
    with contest.writing() as session:
        session.add(Reading(entry_id=entry_id, read_at=contest.clock(), likes=likes))
        entry = session.get_one(Entry, entry_id)
        entry.displayed, entry.displayed_at = likes, contest.clock()
    contest.clock.forward(minutes=1)


def test_the_gap_of_a_full_sweep_is_known(contest: Contest) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(likers=["a", "b"], displayed=3), full=True)
    assert contest.entry(entry_id).gap == 1


def test_a_gap_is_unknown_once_a_quick_sweep_found_more_than_was_counted(contest: Contest) -> None:
    entry_id, platform = contest.add_entry(), FakePlatform(likers=["a", "b"])
    contest.sweep(entry_id, platform, full=True)
    contest.sweep(entry_id, platform)
    assert contest.entry(entry_id).gap == 0
    platform.like("c")
    platform.page_max = 1
    contest.sweep(entry_id, platform)
    seen = contest.entry(entry_id)
    assert (seen.displayed, seen.held, seen.gap) == (2, 3, None)


@pytest.mark.parametrize(("likes", "gap"), [(3, 1), (4, None), (2, None), (None, None)])
def test_a_glance_makes_a_gap_unknown_unless_it_shows_what_the_sweep_was_shown(
    contest: Contest, likes: int | None, gap: int | None
) -> None:
    entry_id, platform = contest.add_entry(), FakePlatform(likers=["a", "b"], displayed=3)
    contest.sweep(entry_id, platform, full=True)
    glance(contest, entry_id, likes)
    assert (contest.entry(entry_id).displayed, contest.entry(entry_id).gap) == (likes, gap)
    contest.sweep(entry_id, platform, full=True)
    assert contest.entry(entry_id).gap == 1


def test_a_glance_at_a_post_that_hid_its_number_says_nothing_of_a_gap(contest: Contest) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(likers=["a", "b"], displayed=HIDDEN), full=True)
    glance(contest, entry_id, 2)
    assert contest.entry(entry_id).gap is None


def test_a_later_hole_counts_the_likers_of_earlier_ones(contest: Contest) -> None:
    entry_id = contest.add_entry()
    contest.sweep(entry_id, FakePlatform(likers=["a"]), full=True)
    with contest.writing() as session:
        for unseen in (5, 8, None):
            at = contest.clock()
            session.add(Hole(entry_id=entry_id, sweep_id=1, since=at, found_at=at, unseen=unseen))
    assert (contest.entry(entry_id).holes, contest.entry(entry_id).unseen) == (3, 8)


@pytest.mark.parametrize("state", [EntryState.GONE, EntryState.REMOVED])
def test_a_post_that_is_read_no_more_has_no_next_poll(contest: Contest, state: EntryState) -> None:
    at = contest.clock() + timedelta(hours=1)
    entry_id = contest.add_entry(next_poll_at=at, next_poll_reason="soon")
    assert (contest.entry(entry_id).next_poll_at, contest.entry(entry_id).next_poll_reason) == (at, "soon")
    with contest.writing() as session:
        session.get_one(Entry, entry_id).state = state
    assert (contest.entry(entry_id).next_poll_at, contest.entry(entry_id).next_poll_reason) == (None, None)


def test_a_post_of_a_settled_campaign_has_no_next_poll(contest: Contest) -> None:
    entry_id = contest.add_entry(next_poll_at=contest.clock() + timedelta(hours=1), next_poll_reason="soon")
    with contest.writing() as session:
        facts = {"settled_at": contest.clock(), "author": "Amal", "likes": 0, "bytes": 0}
        session.add(Settlement(campaign_id=contest.facts.id, **facts))
    assert (contest.entry(entry_id).next_poll_at, contest.entry(entry_id).next_poll_reason) == (None, None)


def test_a_settled_campaign_shows_its_settlement(contest: Contest) -> None:
    facts = {"settled_at": contest.clock(), "author": "Amal", "likes": 7, "bytes": 70}
    assert contest.status.settlement is None
    with contest.writing() as session:
        session.add(Settlement(campaign_id=contest.facts.id, left_over="https://fake.example/1", **facts))
    taken = {"reversed_likes": 0, "reversed_bytes": 0, "floor_bytes": 0, "accepted_gap": None}
    assert contest.status.settlement == SettlementView(**facts, **taken)
