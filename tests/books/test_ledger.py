"""Two accounts a transfer, nothing edited, nothing lost: on both databases."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from harvester.books.ledger import Credit, balances, campaign_accounts, credit_likes, reverse
from harvester.collect.sweep import sweep_entry
from harvester.connector import LikeTime
from harvester.contest.associations import read_share
from harvester.errors import HarvesterError, UsageError
from harvester.store.database import Database
from harvester.store.kinds import AccountKind, UniquePer, Verdict
from harvester.store.models import Account, Entrant, Observation, Sweep, Transfer, Winner
from harvester.volume import Volume, split
from tests.factories import COMPLETE, KICK_OFF, Contest, FakePlatform, page_of, scripted

HALF = 500_000


def earn(contest: Contest, likes: int, *, rate: int = 10, key: str | None = None) -> str:
    """Credit some likes of the contest's only post and give the transfer's key."""
    made = contest.rows(Transfer, campaign_id=contest.facts.id)
    entry_id = made[0].entry_id if made else contest.add_entry()
    key = key or f"{contest.slug}:{len(made)}"
    credit = Credit(likes=likes, per_like=Volume(rate), rate_id=contest.facts.rules.rates[0].id, entry_id=entry_id)
    with contest.writing() as session:
        credit_likes(session, campaign_accounts(session, contest.facts.id), credit, key=key, at=contest.clock())
    return key


def held(contest: Contest) -> dict[str, int]:
    """Give the bytes of every account by name, the empty ones left out."""
    with contest.database.reading() as session:
        return {one.name: one.bytes for one in balances(session, contest.facts.id) if one.bytes}


def take_back(contest: Contest, key: str) -> None:
    with contest.writing() as session:
        reverse(session, key, reason="bought likes", author="amal", at=contest.clock())


@pytest.fixture
def make_share(contest: Contest) -> Callable[[str, int], None]:
    """Give an association a share; register it when it is new."""
    known = set()

    def give(slug: str, share_ppm: int) -> None:
        if slug not in known:
            contest.add_association(slug)
        known.add(slug)
        contest.assign(slug, share_ppm)

    return give


# A transfer has two sides.


def test_a_credit_leaves_the_sponsor_and_arrives_in_the_pool(contest: Contest) -> None:
    earn(contest, 3)
    assert held(contest) == {"sponsor": -30, "pool": 30}


def test_a_credit_records_its_likes_its_rate_and_its_post(contest: Contest) -> None:
    key = earn(contest, 3)
    (made,) = contest.rows(Transfer)
    rate = contest.facts.rules.rates[0]
    assert (made.key, made.amount, made.likes, made.rate_id, made.made_at) == (key, 30, 3, rate.id, KICK_OFF)


def test_a_key_booked_twice_is_an_error(contest: Contest) -> None:
    earn(contest, 3, key="once")
    with pytest.raises(IntegrityError):
        earn(contest, 3, key="once")
    assert held(contest) == {"sponsor": -30, "pool": 30}


@pytest.mark.parametrize("amount", [0, -1])
def test_a_transfer_moves_something(contest: Contest, amount: int) -> None:
    with contest.database.reading() as session:
        accounts = campaign_accounts(session, contest.facts.id)
    with pytest.raises(IntegrityError), contest.writing() as session:
        session.add(transfer(accounts.campaign_id, accounts.sponsor_id, accounts.pool_id, amount))
    assert held(contest) == {}


def test_a_transfer_needs_two_accounts(contest: Contest) -> None:
    with contest.database.reading() as session:
        accounts = campaign_accounts(session, contest.facts.id)
    with pytest.raises(IntegrityError), contest.writing() as session:
        session.add(transfer(accounts.campaign_id, accounts.pool_id, accounts.pool_id, 1))


def test_a_ledger_holds_more_bytes_than_32_bits_count(contest: Contest) -> None:
    earn(contest, 400, rate=10**15)
    assert held(contest) == {"sponsor": -4 * 10**17, "pool": 4 * 10**17}


def transfer(campaign_id: int, debit_id: int, credit_id: int, amount: int) -> Transfer:
    return Transfer(
        campaign_id=campaign_id,
        key="k",
        debit_id=debit_id,
        credit_id=credit_id,
        amount=amount,
        reason="r",
        author="a",
        made_at=KICK_OFF,
    )


# Nothing is edited.


@pytest.fixture
def decided(contest: Contest, make_share: Callable[[str, int], None]) -> Contest:
    """A contest with a row in every table that only grows."""
    earn(contest, 3)
    make_share("hope", HALF)
    with contest.writing() as session:
        entrant = Entrant(campaign_id=contest.facts.id, name="Yasmine")
        session.add(entrant)
        session.flush()
        assert entrant.id is not None
        session.add(
            Winner(campaign_id=contest.facts.id, entrant_id=entrant.id, reason="r", author="a", made_at=KICK_OFF)
        )
    return contest


@pytest.mark.parametrize("table", ["transfer", "rate", "allocation", "winner"])
@pytest.mark.parametrize("change", ["UPDATE {} SET author = 'x'", "DELETE FROM {}", "DELETE FROM {} WHERE id = 1"])
def test_the_database_refuses_to_change_what_happened(decided: Contest, table: str, change: str) -> None:
    before = contents(decided, table)
    with pytest.raises((HarvesterError, DBAPIError), match="never changed"), decided.writing() as session:
        session.connection().execute(text(change.format(table)))
    assert contents(decided, table) == before != []


@pytest.mark.parametrize("table", ["transfer", "rate", "allocation", "winner"])
def test_replacing_a_row_is_refused_like_changing_it(decided: Contest, table: str) -> None:
    """SQLite's REPLACE deletes the row it meets, and fires its trigger only where `recursive_triggers` is on."""
    if not decided.database.is_sqlite:
        pytest.skip("PostgreSQL has no REPLACE")
    before = contents(decided, table)
    with suppress(HarvesterError, DBAPIError), decided.writing() as session:
        session.connection().execute(text(f"REPLACE INTO {table} SELECT * FROM {table}"))
        columns = [row[1] for row in session.connection().execute(text(f"PRAGMA table_info({table})"))]
        forged = ", ".join("'x'" if name == "author" else name for name in columns)
        session.connection().execute(text(f"REPLACE INTO {table} SELECT {forged} FROM {table}"))
    assert contents(decided, table) == before


@pytest.mark.parametrize("table", ["transfer", "rate", "allocation", "winner"])
def test_postgresql_refuses_to_empty_what_happened(decided: Contest, table: str) -> None:
    if decided.database.is_sqlite:
        pytest.skip("SQLite has no TRUNCATE")
    before = contents(decided, table)
    with pytest.raises((HarvesterError, DBAPIError), match="never changed"), decided.writing() as session:
        session.connection().execute(text(f"TRUNCATE {table} CASCADE"))
    assert contents(decided, table) == before


def contents(contest: Contest, table: str) -> list[Any]:
    with contest.database.reading() as session:
        return [tuple(row) for row in session.connection().execute(text(f"SELECT * FROM {table} ORDER BY id"))]


# A correction is the opposite transfer.


def test_a_reversal_is_the_opposite_transfer_with_its_reason(contest: Contest) -> None:
    take_back(contest, earn(contest, 3))
    credit, reversal = contest.rows(Transfer)
    assert (reversal.debit_id, reversal.credit_id, reversal.amount) == (credit.credit_id, credit.debit_id, 30)
    assert (reversal.reverses_id, reversal.reason, reversal.author) == (credit.id, "bought likes", "amal")
    assert held(contest) == {}


def test_a_transfer_is_reversed_once(contest: Contest) -> None:
    key = earn(contest, 3)
    take_back(contest, key)
    with pytest.raises(UsageError, match="already reversed"):
        take_back(contest, key)
    assert held(contest) == {}


def test_a_transfer_that_never_was_is_not_reversed(contest: Contest) -> None:
    with pytest.raises(UsageError, match="no transfer 'nothing'"):
        take_back(contest, "nothing")


def test_status_shows_what_was_reversed_apart(contest: Contest) -> None:
    earn(contest, 5)
    take_back(contest, earn(contest, 3))
    status = contest.status
    assert (status.likes.credited, status.likes.reversed, status.bytes.credited) == (5, 3, 50)
    assert status.entries[0].credited == 5


def test_a_reversal_after_the_bytes_were_pledged_takes_them_from_the_associations(
    contest: Contest, make_share: Callable[[str, int], None]
) -> None:
    earn(contest, 5)
    key = earn(contest, 3)
    make_share("hope", HALF)
    make_share("light", HALF)
    take_back(contest, key)
    contest.distribute()
    assert held(contest) == {"sponsor": -50, "pledged:hope": 25, "pledged:light": 25}


# The rate has versions.


def test_a_new_rate_leaves_earlier_credits_alone(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(["amal"])
    contest.sweep(entry, platform)
    contest.change_rate(25, contest.clock() + timedelta(minutes=1))
    platform.like("badr")
    contest.sweep(entry, platform)
    platform.like("chaima", "driss")
    contest.sweep(entry, platform)
    first, second = contest.facts.rules.rates
    assert [(one.amount, one.likes, one.rate_id) for one in contest.rows(Transfer)] == [
        (10, 1, first.id),
        (10, 1, first.id),
        (50, 2, second.id),
    ]


def test_a_rate_cannot_begin_in_the_past(contest: Contest) -> None:
    with pytest.raises(UsageError, match="cannot change the past"):
        contest.change_rate(25, contest.clock() - timedelta(microseconds=1))


def test_likes_dated_by_the_platform_earn_the_rate_of_their_time(contest: Contest) -> None:
    entry = contest.add_entry()
    platform = FakePlatform(["badr", "amal"], time=LikeTime.PLATFORM)
    change = contest.clock() + timedelta(hours=1)
    platform.times = {"amal": change - timedelta(microseconds=1), "badr": change}
    contest.change_rate(25, change)
    contest.clock.forward(days=1)
    contest.sweep(entry, platform)
    assert sorted((one.amount, one.likes) for one in contest.rows(Transfer)) == [(10, 1), (25, 1)]


# Shares, to the byte.

weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=8).filter(sum)


@given(total=st.integers(0, 2**63 - 1), weights=weights)
def test_a_split_gives_everything_away(total: int, weights: list[int]) -> None:
    assert sum(split(total, weights)) == total


@given(total=st.integers(0, 2**63 - 1), weights=weights)
def test_a_part_is_within_a_byte_of_its_exact_share(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    for part, weight in zip(split(total, weights), weights, strict=True):
        assert abs(part * whole - total * weight) < whole


@given(total=st.integers(0, 10**6), weights=weights)
def test_nobody_without_a_share_gets_a_byte(total: int, weights: list[int]) -> None:
    parts = split(total, [*weights, 0])
    assert parts[-1] == 0


def test_credits_wait_in_the_pool_until_an_association_is_named(contest: Contest) -> None:
    earn(contest, 3)
    assert contest.distribute() == 0
    assert held(contest) == {"sponsor": -30, "pool": 30}


def test_credits_follow_when_an_association_is_named(contest: Contest, make_share: Callable[[str, int], None]) -> None:
    earn(contest, 3)
    make_share("hope", 1_000_000)
    assert held(contest) == {"sponsor": -30, "pledged:hope": 30}


def test_two_associations_share_sixty_to_forty(contest: Contest, make_share: Callable[[str, int], None]) -> None:
    make_share("hope", 600_000)
    make_share("light", 400_000)
    earn(contest, 10)
    contest.distribute()
    assert held(contest) == {"sponsor": -100, "pledged:hope": 60, "pledged:light": 40}


def test_what_nobody_has_a_share_in_stays_in_the_pool(contest: Contest, make_share: Callable[[str, int], None]) -> None:
    make_share("hope", 600_000)
    earn(contest, 10)
    contest.distribute()
    assert held(contest) == {"sponsor": -100, "pool": 40, "pledged:hope": 60}


def test_a_share_lowered_to_nothing_gives_its_bytes_back(
    contest: Contest, make_share: Callable[[str, int], None]
) -> None:
    make_share("hope", 600_000)
    make_share("light", 400_000)
    earn(contest, 10)
    contest.distribute()
    make_share("light", 0)
    assert held(contest) == {"sponsor": -100, "pool": 40, "pledged:hope": 60}


def test_a_share_may_change_hands(contest: Contest, make_share: Callable[[str, int], None]) -> None:
    make_share("hope", 1_000_000)
    earn(contest, 10)
    contest.distribute()
    make_share("hope", 250_000)
    make_share("light", 750_000)
    assert held(contest) == {"sponsor": -100, "pledged:hope": 25, "pledged:light": 75}


def test_shares_never_exceed_the_whole(contest: Contest, make_share: Callable[[str, int], None]) -> None:
    make_share("hope", 600_000)
    with pytest.raises(UsageError, match="only 40% of campaign"):
        make_share("light", 400_001)


def test_distributing_twice_moves_nothing_the_second_time(
    contest: Contest, make_share: Callable[[str, int], None]
) -> None:
    make_share("hope", 333_333)
    earn(contest, 7, rate=7)
    assert (contest.distribute(), contest.distribute()) == (1, 0)


THIRDS = [read_share("33.3333%"), read_share("33.3333%"), read_share("33.3334%")]


@pytest.mark.parametrize(("rate", "shares"), [(7, THIRDS), (10_000_000, THIRDS), (1, [1, 999_998])])
def test_many_small_distributions_end_where_one_large_one_would(
    make_contest: Callable[..., Contest], rate: int, shares: list[int]
) -> None:
    many, one = make_contest(rate=rate), make_contest(rate=rate)
    for number, share in enumerate(shares):
        many.add_association(f"a{number}")
        for contest in (many, one):
            contest.assign(f"a{number}", share)
    for likes in (1, 2, 1, 5, 1, 1, 3):
        earn(many, likes, rate=rate)
        many.distribute()
        assert sum(held(many).values()) == 0
    earn(one, 14, rate=rate)
    one.distribute()
    assert held(many) == held(one)


# The cap.


def capped(contest: Contest, *likers: int) -> tuple[int, int, int]:
    """Sweep one post for each number of likers; give credited likes, likes over the cap, and bytes."""
    for number, likes in enumerate(likers):
        entry = contest.add_entry(str(number))
        contest.sweep(entry, FakePlatform([f"liker-{number}-{place}" for place in range(likes)]))
    status = contest.status
    return status.likes.credited, status.likes.over_cap, status.bytes.credited


def test_likes_past_the_cap_are_recorded_and_earn_nothing(make_contest: Callable[..., Contest]) -> None:
    contest = make_contest(cap=40)
    assert capped(contest, 7) == (4, 3, 40)
    assert contest.status.entries[0].held == 7


def test_the_cap_credits_whole_likes_only(make_contest: Callable[..., Contest]) -> None:
    assert capped(make_contest(cap=39), 7) == (3, 4, 30)


def test_the_cap_counts_all_posts_of_a_contest(make_contest: Callable[..., Contest]) -> None:
    assert capped(make_contest(cap=50), 3, 3, 3) == (5, 4, 50)


def test_a_cap_that_is_not_reached_takes_nothing_away(make_contest: Callable[..., Contest]) -> None:
    assert capped(make_contest(cap=70), 7) == (7, 0, 70)


def test_a_reversal_makes_room_under_the_cap(make_contest: Callable[..., Contest]) -> None:
    contest = make_contest(cap=40)
    capped(contest, 4)
    take_back(contest, contest.rows(Transfer)[0].key)
    entry = contest.add_entry("later")
    contest.sweep(entry, FakePlatform(["x", "y", "z"]))
    assert (contest.status.likes.credited, contest.status.likes.over_cap) == (4, 1)


def test_a_like_that_does_not_fit_leaves_room_for_one_that_does(make_contest: Callable[..., Contest]) -> None:
    """Whole likes while they fit, wherever the page ends: 10 + 5 under a cap of 15, and not the 20 between them."""
    contest = make_contest(cap=15, rate=10)
    start = contest.clock()
    contest.change_rate(20, start + timedelta(hours=1))
    contest.change_rate(5, start + timedelta(hours=2))
    times = {name: start + timedelta(hours=hour) for hour, name in enumerate(("ten", "twenty", "five"))}
    contest.clock.forward(days=1)
    platform = FakePlatform(["ten", "twenty", "five"], page_max=3, time=LikeTime.PLATFORM, times=times)
    contest.sweep(contest.add_entry(), platform)
    assert (contest.status.likes.over_cap, contest.status.bytes.credited) == (1, 15)


# One like a person in the whole contest.


def test_a_person_may_count_once_in_a_contest(make_contest: Callable[..., Contest]) -> None:
    contest = make_contest(unique_per=UniquePer.CAMPAIGN)
    contest.sweep(contest.add_entry("1"), FakePlatform(["amal", "badr"]))
    contest.sweep(contest.add_entry("2"), FakePlatform(["badr", "chaima"]))
    status = contest.status
    assert (status.likes.credited, [one.credited for one in status.entries]) == (3, [2, 1])
    assert [one.held for one in status.entries] == [2, 2]


def test_a_person_who_only_counted_as_baseline_still_counts_elsewhere(make_contest: Callable[..., Contest]) -> None:
    contest = make_contest(unique_per=UniquePer.CAMPAIGN)
    contest.sweep(contest.add_entry("old", published_at=None), FakePlatform(["amal"]))
    contest.sweep(contest.add_entry("new"), FakePlatform(["amal"]))
    assert (contest.status.likes.baseline, contest.status.likes.credited) == (1, 1)


def test_one_id_on_two_servers_is_two_people(make_contest: Callable[..., Contest]) -> None:
    contest = make_contest(unique_per=UniquePer.CAMPAIGN)
    contest.sweep(contest.add_entry("1", realm="fake:here"), FakePlatform(["7"]))
    contest.sweep(contest.add_entry("1", realm="fake:there"), FakePlatform(["7"]))
    assert contest.status.likes.credited == 2


# Many at once.


def test_a_reader_sees_one_moment_while_others_credit(contest: Contest) -> None:
    earn(contest, 1)
    with contest.database.reading() as session:
        before = balances(session, contest.facts.id)
        earn(contest, 5)
        assert balances(session, contest.facts.id) == before


def test_two_posts_of_a_capped_contest_of_single_likes_are_booked_at_once(
    postgresql_url: str, make_contest_on: Callable[..., Contest]
) -> None:
    """PostgreSQL: a page that holds the campaign's row for its foreign key must not wait for another that does too."""
    contest = make_contest_on(postgresql_url, cap=1000, unique_per=UniquePer.CAMPAIGN)
    entries = [contest.add_entry("1"), contest.add_entry("2")]
    jobs = [contest.job(entry, FakePlatform([f"fan-of-{entry}"])) for entry in entries]
    with both_reach(contest.database, "FROM campaign WHERE campaign.id"), ThreadPoolExecutor() as threads:
        endings = list(threads.map(partial(sweep_entry, wants_full=True), jobs))
    assert (endings, contest.status.likes.credited) == ([COMPLETE, COMPLETE], 2)


@contextmanager
def both_reach(database: Database, statement: str) -> Iterator[None]:
    """Hold whoever locks the campaign's row until two threads are about to, or five seconds have passed."""
    barrier = Barrier(2)

    def wait(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if " ".join(sql.split()).find(statement) >= 0 and "FOR " in sql:
            with suppress(BrokenBarrierError):
                barrier.wait(timeout=5)

    event.listen(database.engine, "before_cursor_execute", wait)
    yield
    event.remove(database.engine, "before_cursor_execute", wait)


# What a page's transaction does.


def test_a_page_that_fails_leaves_nothing_behind(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(["amal"], handle_retention=timedelta(days=1))

    def fail(_: Mapping[bytes, str]) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        contest.sweep(entry, platform, desk=replace(contest.job(entry, platform).desk, seal=fail))
    assert (held(contest), contest.rows(Observation)) == ({}, [])
    contest.sweep(entry, platform)
    assert held(contest) == {"sponsor": -10, "pool": 10}


def test_a_liker_twice_on_a_page_earns_once(contest: Contest) -> None:
    contest.sweep(contest.add_entry(), scripted(page_of("amal", "amal")))
    assert held(contest) == {"sponsor": -10, "pool": 10}


def test_an_account_of_another_kind_is_opened_once_for_an_association(
    contest: Contest, make_share: Callable[[str, int], None]
) -> None:
    make_share("hope", HALF)
    make_share("hope", 1)
    per_association = {AccountKind.PLEDGED, AccountKind.COMMITTED, AccountKind.DELIVERED}
    kinds = [one.kind for one in contest.rows(Account) if one.association_id]
    assert sorted(kinds) == sorted(per_association)


def test_every_verdict_has_a_counter_on_the_sweep() -> None:
    assert set(Verdict) <= set(Sweep.model_fields)
