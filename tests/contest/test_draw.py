"""A draw that anybody can repeat, refused while it is not sure who liked."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.connector import Basis, Unstable
from harvester.contest.draw import Draw, draw_winners, rank_candidates
from harvester.contest.settlement import settle_campaign
from harvester.errors import UsageError
from harvester.store.kinds import EntryState, Keeps, UniquePer
from harvester.store.models import Entry, Observation
from tests.factories import KICK_OFF, Contest, CountingPlatform, FakePlatform

MakeContest = Callable[..., Contest]
SEED = "lottery of 21 January: 4 8 15 16 23 42"
CROWD = [f"fan-{number}" for number in range(7)]


@pytest.fixture
def contest(make_contest: MakeContest) -> Contest:
    """A contest that ends in an hour."""
    return make_contest(ends_at=KICK_OFF + timedelta(hours=1))


def sweep(contest: Contest, entry: int, crowd: Sequence[str] = CROWD, **platform: Any) -> FakePlatform:
    """Read the likers of a post, now and after the end."""
    fake = FakePlatform(crowd, handle_retention=timedelta(days=9), **platform)
    contest.sweep(entry, fake, full=True)
    contest.clock.at = max(contest.clock(), contest.facts.rules.ends_at)
    contest.sweep(entry, fake, full=True)
    return fake


def draw(contest: Contest, number: int = 3, seed: str = SEED) -> Draw:
    with contest.database.reading() as session:
        return draw_winners(session, contest.facts, contest.key, number=number, seed=seed, now=contest.clock())


def pseudonyms(contest: Contest) -> list[bytes]:
    return sorted({one.pseudonym for one in contest.rows(Observation)})


# The ranking.


def test_the_order_is_that_of_the_hashes_of_seed_contest_and_pseudonym() -> None:
    people = [bytes([number]) * 16 for number in range(20)]
    by_hash = {sha256(b"4 8 15" + b"afcon-2027" + one).hexdigest(): one for one in people}
    assert rank_candidates(people, "4 8 15", "afcon-2027") == [one for _, one in sorted(by_hash.items())]


@given(people=st.sets(st.binary(min_size=16, max_size=16)), seed=st.text(), more=st.binary(min_size=16, max_size=16))
def test_who_takes_part_changes_nobody_elses_order(people: set[bytes], seed: str, more: bytes) -> None:
    ranked = rank_candidates(people, seed, "cup")
    assert sorted(ranked) == sorted(people)
    assert [one for one in rank_candidates(people | {more}, seed, "cup") if one in people - {more}] == [
        one for one in ranked if one != more
    ]


# The draw.


def test_a_draw_can_be_repeated_by_anybody_with_the_database(contest: Contest) -> None:
    entry = contest.add_entry()
    sweep(contest, entry)
    drawn, people = draw(contest), pseudonyms(contest)
    assert [one.pseudonym for one in drawn.winners] == [
        one.hex() for one in rank_candidates(people, SEED, contest.slug)[:3]
    ]
    assert (drawn.candidates, drawn.candidates_sha256) == (7, sha256(b"".join(people)).hexdigest())
    assert drawn == draw(contest)
    assert draw(contest, 7, "another seed").winners != draw(contest, 7).winners


def test_the_winners_are_named_while_their_handles_are_kept(contest: Contest) -> None:
    entry = contest.add_entry()
    sweep(contest, entry)
    names = {one.pseudonym: one.handle for one in draw(contest, 7).winners}
    expected = dict(zip(contest.key.pseudonyms("fake:here", CROWD), CROWD, strict=True))
    assert names == {pseudonym.hex(): f"@{name}" for pseudonym, name in expected.items()}
    contest.clock.forward(days=9)
    assert {one.handle for one in draw(contest, 7).winners} == {None}


def test_a_person_takes_part_once_however_many_posts_they_like(contest: Contest) -> None:
    first, second = contest.add_entry("1"), contest.add_entry("2")
    sweep(contest, first)
    sweep(contest, second, [*CROWD[:3], "new"])
    assert draw(contest).candidates == 8


def test_who_counts_once_in_a_campaign_still_takes_part(make_contest: MakeContest) -> None:
    contest = make_contest(ends_at=KICK_OFF + timedelta(hours=1), unique_per=UniquePer.CAMPAIGN)
    for native_id in "12":
        sweep(contest, contest.add_entry(native_id))
    assert draw(contest).candidates == 7


def test_the_baseline_and_who_comes_late_take_no_part_but_the_uncertain_do(contest: Contest) -> None:
    old, new = contest.add_entry("1", published_at=None), contest.add_entry("2")
    for entry in (old, new):
        contest.sweep(entry, FakePlatform(["before"] if entry == old else ["during"]))
    contest.clock.forward(hours=1)
    for _ in range(2):
        contest.sweep(old, FakePlatform(["before"]), full=True)
        contest.sweep(new, FakePlatform(["during", "across"]), full=True)
    contest.sweep(new, FakePlatform(["during", "across", "late"]), full=True)
    taking_part = contest.key.pseudonyms("fake:here", ["during", "across"])
    assert {one.pseudonym for one in draw(contest, 2).winners} == {one.hex() for one in taking_part}
    with pytest.raises(UsageError, match="3 winners cannot be drawn among 2 likers"):
        draw(contest, 3)


def test_another_contests_likers_take_no_part(contest: Contest, make_contest: MakeContest) -> None:
    other = make_contest()
    other.sweep(other.add_entry(), FakePlatform(["elsewhere"]))
    sweep(contest, contest.add_entry())
    assert draw(contest).candidates == 7


# Refused.


def test_no_draw_where_a_number_earned(contest: Contest) -> None:
    named, counted = contest.add_entry("1"), contest.add_entry("2", basis=Basis.COUNT)
    contest.read([counted], CountingPlatform({"2": 5}))
    sweep(contest, named)
    with pytest.raises(UsageError, match=r"only show a number: https://fake\.example/2$"):
        draw(contest)


def test_a_counted_post_that_earned_nothing_is_no_hindrance(contest: Contest) -> None:
    named, counted = contest.add_entry("1"), contest.add_entry("2", basis=Basis.COUNT, published_at=None)
    contest.read([counted], CountingPlatform({"2": 5}))
    sweep(contest, named)
    contest.read([counted], CountingPlatform({"2": 5}))
    assert draw(contest).candidates == 7


def test_no_draw_before_the_end(contest: Contest) -> None:
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    contest.clock.at = KICK_OFF + timedelta(minutes=59)
    with pytest.raises(UsageError, match="has not ended"):
        draw(contest)


@pytest.mark.parametrize("last", ["none", "before the end", "broken off"])
def test_no_draw_while_a_post_was_not_read_completely_since_the_end(contest: Contest, last: str) -> None:
    sweep(contest, contest.add_entry("1"))
    unread = contest.add_entry("2")
    contest.clock.at = KICK_OFF
    if last == "before the end":
        contest.sweep(unread, FakePlatform(CROWD))
    contest.clock.at = KICK_OFF + timedelta(hours=2)
    if last == "broken off":
        sweep(contest, unread)
        contest.sweep(unread, FakePlatform(CROWD, before={2: Unstable("broke off")}), full=True)
    with pytest.raises(UsageError, match=r"no complete sweep since the end.*: https://fake\.example/2$"):
        draw(contest)


@pytest.mark.parametrize("state", [EntryState.GONE, EntryState.REMOVED])
def test_a_post_that_is_read_no_more_is_no_hindrance_and_its_likers_take_part(
    contest: Contest, state: EntryState
) -> None:
    entry = contest.add_entry()
    contest.sweep(entry, FakePlatform(CROWD))
    with contest.writing() as session:
        session.get_one(Entry, entry).state = state
    contest.clock.forward(hours=1)
    assert draw(contest).candidates == 7


def test_no_draw_without_a_seed(contest: Contest) -> None:
    sweep(contest, contest.add_entry())
    with pytest.raises(UsageError, match="needs a seed"):
        draw(contest, seed=" ")


# Where a like must stand.


@pytest.fixture
def standing(make_contest: MakeContest) -> Contest:
    """A contest that ends in an hour, where a like must still stand at the settlement."""
    return make_contest(ends_at=KICK_OFF + timedelta(hours=1), keeps=Keeps.STANDING)


def test_where_a_like_must_stand_there_is_no_draw_before_the_settlement(standing: Contest) -> None:
    sweep(standing, standing.add_entry())

    with pytest.raises(UsageError, match=r"run 'harvester campaign settle contest-[0-9]+' first"):
        draw(standing)


def test_who_took_the_like_back_is_not_drawn_where_it_must_stand(standing: Contest) -> None:
    entry = standing.add_entry()
    platform = sweep(standing, entry)
    platform.unlike("fan-0", "fan-1")
    for _ in range(2):
        standing.sweep(entry, platform, full=True)
    settle(standing)

    assert (draw(standing).candidates, standing.status.likes.credited) == (5, 5)


def settle(contest: Contest) -> None:
    with contest.writing() as session:
        settle_campaign(session, contest.facts, {}, author="the test", accept_gap=None, now=contest.clock)
