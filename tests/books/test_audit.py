"""The audit finds nothing in a healthy contest of any kind, and names what somebody changed in any other."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session

from harvester.books.audit import audit_campaign
from harvester.books.ledger import reverse
from harvester.connector import Basis, LikeTime, Throttled
from harvester.contest.settlement import settle_campaign
from harvester.store.database import Database
from harvester.store.kinds import EntryState, Keeps, UniquePer
from harvester.store.models import Entry, Transfer
from tests.factories import COMPLETE, HIDDEN, KICK_OFF, Contest, CountingPlatform, FakePlatform

MakeContest = Callable[..., Contest]
CROWD = ["ali", "bahia", "chama", "driss", "ezra"]
DAY = timedelta(days=1)


def audit(contest: Contest) -> list[tuple[str, str]]:
    """Give what the audit says, as (about, what)."""
    with contest.database.reading() as session:
        problems = audit_campaign(session, contest.slug)
    assert all(one.campaign == contest.slug for one in problems)
    return [(one.about, one.what) for one in problems]


def read(contest: Contest, entry_id: int, *numbers: int | str) -> None:
    native_id = contest.rows(Entry, id=entry_id)[0].native_id
    for number in numbers:
        contest.read([entry_id], CountingPlatform({native_id: number}))


def settle(contest: Contest) -> None:
    contest.clock.at = max(contest.clock(), contest.facts.rules.ends_at)
    with contest.writing() as session:
        settle_campaign(session, contest.facts, {}, author="test", accept_gap="a test", now=contest.clock)


# A healthy contest.


def test_nothing_is_wrong_with_a_contest_in_which_nothing_happened(contest: Contest) -> None:
    contest.add_entry()
    contest.add_entry("2", basis=Basis.COUNT)
    assert audit(contest) == []


def test_nothing_is_wrong_with_likers_who_come_go_and_return(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    contest.sweep(entry, platform)
    platform.unlike("ali", "ezra")
    contest.sweep(entry, platform, full=True)
    contest.sweep(entry, platform, full=True)
    assert audit(contest) == []
    platform.like("ezra", "fatima")
    contest.sweep(entry, platform)
    assert audit(contest) == []


def test_nothing_is_wrong_with_numbers_that_rise_fall_and_hide(contest: Contest) -> None:
    new, old = contest.add_entry(basis=Basis.COUNT), contest.add_entry("2", basis=Basis.COUNT, published_at=None)
    for entry in (new, old):
        read(contest, entry, HIDDEN, 0, 7, 3, HIDDEN, 7, 12)
    assert audit(contest) == []


@pytest.mark.parametrize("cap", [10, 35, 69, 1000])
def test_nothing_is_wrong_under_a_cap(make_contest: MakeContest, cap: int) -> None:
    contest = make_contest(cap=cap)
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    read(contest, contest.add_entry("2", basis=Basis.COUNT), 1, 4)
    assert audit(contest) == []


def test_nothing_is_wrong_with_rates_that_change_within_a_page(contest: Contest) -> None:
    contest.change_rate(30, KICK_OFF + timedelta(minutes=5))
    times = {one: KICK_OFF + timedelta(minutes=3 * place) for place, one in enumerate(CROWD)}
    contest.clock.forward(hours=1)
    platform = FakePlatform(CROWD, page_max=10, time=LikeTime.PLATFORM, times=times)
    contest.sweep(contest.add_entry(), platform)
    assert len(contest.rows(Transfer)) == 2
    assert audit(contest) == []


def test_nothing_is_wrong_where_a_person_counts_once(make_contest: MakeContest) -> None:
    contest = make_contest(unique_per=UniquePer.CAMPAIGN)
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    contest.sweep(contest.add_entry("2"), FakePlatform([*CROWD, "fatima"]))
    assert audit(contest) == []


def test_nothing_is_wrong_across_both_edges_of_the_window(make_contest: MakeContest) -> None:
    contest = make_contest(starts_at=KICK_OFF + DAY, ends_at=KICK_OFF + 2 * DAY)
    listed, counted = contest.add_entry(published_at=None), contest.add_entry("2", basis=Basis.COUNT, published_at=None)
    for day in range(4):
        contest.sweep(listed, FakePlatform([f"fan-{day}-{number}" for number in range(3)]), full=True)
        read(contest, counted, 3 + 2 * day)
        assert audit(contest) == []
        contest.clock.forward(days=1)


def test_nothing_is_wrong_between_two_halves_of_a_sweep(contest: Contest) -> None:
    entry, pause = contest.add_entry(), Throttled(KICK_OFF + timedelta(minutes=10))
    platform = FakePlatform(CROWD, before={2: pause})
    contest.sweep(entry, platform)
    assert audit(contest) == []
    contest.clock.forward(hours=1)
    assert contest.sweep(entry, platform) == COMPLETE
    assert audit(contest) == []


def test_nothing_is_wrong_with_a_post_that_is_removed_and_comes_back(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD)
    contest.sweep(entry, platform)
    for state in (EntryState.REMOVED, EntryState.OPEN):
        with contest.writing() as session:
            session.get_one(Entry, entry).state = state
        assert audit(contest) == []
    platform.like("fatima")
    contest.sweep(entry, platform)
    assert audit(contest) == []


def test_nothing_is_wrong_with_shares_however_they_are_decided(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(CROWD, page_max=3)
    for slug in ("hope", "light", "sea"):
        contest.add_association(slug)
    decisions = (("hope", 333_333), ("light", 333_333), ("hope", 0), ("sea", 100_001), ("hope", 7), ("light", 1))
    for number, (slug, share) in enumerate(decisions):
        contest.assign(slug, share)
        platform.like(f"fan-{number}")
        contest.sweep(entry, platform)
        assert audit(contest) == []  # the credit has not followed yet
        contest.distribute()
        assert audit(contest) == []


def test_nothing_is_wrong_with_a_credit_that_was_reversed(contest: Contest) -> None:
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    with contest.writing() as session:
        reverse(session, contest.rows(Transfer)[0].key, reason="bought", author="test", at=contest.clock())
    assert audit(contest) == []


def test_a_glance_at_the_number_is_no_credit(contest: Contest) -> None:
    counted = contest.add_entry(basis=Basis.COUNT)
    read(contest, counted, 5)
    tamper(contest, "INSERT INTO reading (entry_id, read_at, likes) SELECT id, added_at, 9 FROM entry")
    assert audit(contest) == []


@pytest.mark.parametrize("keeps", [Keeps.EVER, Keeps.STANDING])
@pytest.mark.parametrize("floor", [None, 55, 5_000])
def test_nothing_is_wrong_after_a_settlement(make_contest: MakeContest, keeps: Keeps, floor: int | None) -> None:
    contest = make_contest(keeps=keeps)
    contest.add_association("hope")
    contest.assign("hope", 600_000)
    tamper(contest, f"UPDATE campaign SET floor_bytes = {floor or 'NULL'}")
    listed, counted, platform = contest.add_entry(), contest.add_entry("2", basis=Basis.COUNT), FakePlatform(CROWD)
    contest.sweep(listed, platform)
    read(contest, counted, 5, 9, 4)
    contest.distribute()
    platform.unlike("ali", "ezra")
    contest.clock.at = contest.facts.rules.ends_at
    contest.sweep(listed, platform, full=True)
    contest.sweep(listed, platform, full=True)
    read(contest, counted, 4)
    settle(contest)
    assert audit(contest) == []


def test_a_correction_after_the_settlement_takes_nothing_from_what_it_said(contest: Contest) -> None:
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    settle(contest)
    contest.clock.forward(days=1)
    with contest.writing() as session:
        reverse(session, contest.rows(Transfer)[0].key, reason="bought", author="test", at=contest.clock())
    assert audit(contest) == []


def test_another_contest_of_the_same_database_is_not_audited(make_contest: MakeContest) -> None:
    broken, healthy = make_contest(), make_contest()
    healthy.sweep(healthy.add_entry(), FakePlatform(CROWD))
    broken.sweep(broken.add_entry(), FakePlatform(CROWD))
    tamper(broken, f"UPDATE transfer SET amount = amount + 1 WHERE campaign_id = {broken.facts.id}")
    assert audit(healthy) == []
    assert len(audit(broken)) == 3


# A contest somebody changed.


def tamper(contest: Contest, statement: str) -> None:
    """Run a statement that the database would refuse, as whoever owns it could: its triggers are removed first."""
    with contest.writing() as session:
        for drop in _drops(contest.database, session):
            session.connection().exec_driver_sql(drop)
        session.connection().exec_driver_sql(statement)


def _drops(database: Database, session: Session) -> list[str]:
    if database.is_sqlite:
        names = session.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
        return ["PRAGMA defer_foreign_keys = ON", *(f"DROP TRIGGER {name}" for name in names)]
    rows = session.execute(text("SELECT DISTINCT trigger_name, event_object_table FROM information_schema.triggers"))
    return ["SET session_replication_role = replica", *(f"DROP TRIGGER {name} ON {table}" for name, table in rows)]


@pytest.fixture
def full_contest(make_contest: MakeContest) -> Contest:
    """Five likers of entry 1 on sweep 1, in pages of two; the numbers 3, 7 and 5 of entry 2; sixty bytes for hope."""
    contest = make_contest(cap=120)
    contest.add_association("hope")
    contest.add_association("light")
    contest.assign("hope", 500_000)
    contest.assign("light", 0)
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    read(contest, contest.add_entry("2", basis=Basis.COUNT), 3, 7, 5)
    contest.distribute()
    assert audit(contest) == []
    return contest


ENDS_AT = "(SELECT ends_at FROM campaign)"
CREDIT = "transfer sweep:1:page:1:rate:1"
PAGE = "sweep:1:page:1 of entry 1"
LISTED, COUNTED = "entry 1 (https://fake.example/1)", "entry 2 (https://fake.example/2)"
OF_CREDIT = "WHERE key = 'sweep:1:page:1:rate:1'"
FIRST = "WHERE pseudonym = (SELECT min(pseudonym) FROM observation WHERE page = 1)"
COPY = "INSERT INTO transfer (campaign_id, key, debit_id, credit_id, amount, likes, rate_id, entry_id, reverses_id, "
COPY += "reason, author, made_at) SELECT campaign_id, "
ACCOUNT = "(SELECT id FROM account WHERE name = '{}')"


def booked(key: str, *, likes: int = 0, reverses: str = "NULL", debit: str = "sponsor", credit: str = "pool") -> str:
    """Write the transfer that somebody might slip in, made like the first credit."""
    sides = ", ".join(ACCOUNT.format(name) for name in (debit, credit))
    amount, rate = (likes * 10, "rate_id") if likes else (1, "NULL")
    values = f"'{key}', {sides}, {amount}, {likes}, {rate}, entry_id, {reverses}, reason, author, made_at"
    return f"{COPY}{values} FROM transfer {OF_CREDIT}"


@pytest.mark.parametrize(
    ("statement", "about", "what"),
    [
        (f"UPDATE transfer SET amount = 21 {OF_CREDIT}", CREDIT, "21 bytes for 2 likes at 10 bytes each"),
        (f"UPDATE transfer SET likes = 1 {OF_CREDIT}", PAGE, "2 likes.*this page, 1 were credited"),
        (f"UPDATE transfer SET rate_id = NULL {OF_CREDIT}", CREDIT, "nothing that was counted"),
        (f"UPDATE transfer SET entry_id = 2 {OF_CREDIT}", "sweep:1:page:1 of entry 2", "0 likes.*, 2 were"),
        (f"DELETE FROM transfer {OF_CREDIT}", PAGE, "2 likes.*this page, 0 were credited"),
        ("DELETE FROM transfer WHERE likes > 0", "account pool", "gave"),
        ("UPDATE transfer SET likes = 2, amount = 20 WHERE key = 'reading:3'", "reading:3 of entry 2", "3 .*, 2 were"),
        (booked("gift:1"), "transfer gift:1", "nothing that was counted, and no floor"),
        (booked("sweep:9:page:1:rate:1", likes=1), "sweep:9:page:1 of entry 1", "0 likes.*, 1 were"),
        (booked("reading:77", likes=1), "reading:77 of entry 1", "0 likes.*, 1 were"),
        (booked("back:1", debit="pool", credit="sponsor"), "transfer back:1", "nothing that was counted"),
        (booked("moved:1", debit="pledged:hope", credit="pledged:light"), "association light", "1 bytes without"),
        ("UPDATE allocation SET share_ppm = 400000", "shares", "is not the split of any total"),
        (
            "INSERT INTO allocation (campaign_id, association_id, share_ppm, reason, author, made_at) "
            "SELECT campaign_id, 2, 500001, reason, author, made_at FROM allocation",
            "shares",
            "they add up to 1,000,001 millionths",
        ),
        ("UPDATE campaign SET cap_bytes = 119", "cap", "120 bytes are credited, the cap is 119"),
        ("UPDATE sweep SET credited = 4 WHERE id = 1", "sweep 1, credited", "counter says 4, its observations are 5"),
        ("UPDATE sweep SET late = 1 WHERE id = 1", "sweep 1, late", "counter says 1, its observations are 0"),
        ("UPDATE sweep SET new = 6 WHERE id = 1", "sweep 1", "found 6 new likes and judged 5"),
        ("UPDATE sweep SET unliked = 1 WHERE id = 1", LISTED, "4 likers held, its observations are 5"),
        (f"DELETE FROM observation {FIRST}", PAGE, "1 likes.*this page, 2 were credited"),
        (f"UPDATE observation SET verdict = 'late' {FIRST}", PAGE, "1 likes.*this page, 2 were credited"),
        (f"UPDATE observation SET absences = 2 {FIRST}", LISTED, "5 likers held, its observations are 4"),
        (f"UPDATE observation SET page = 2 {FIRST}", "sweep:1:page:2 of entry 1", "3 likes.*, 2 were"),
        ("UPDATE entry SET high_water = 6 WHERE id = 2", COUNTED, "mark is 6, the highest number read is 7"),
        ("UPDATE entry SET high_water = 6 WHERE id = 2", COUNTED, "mark is 6, its sweeps judged 7"),
        ("UPDATE reading SET likes = 8 WHERE likes = 7", "sweep 3", "judged 4 likes, its reading added 5"),
        ("UPDATE sweep SET credited = 0, late = 3 WHERE id = 2", "reading:3 of entry 2", "0 likes.*, 3 were"),
        (booked("floor:1"), "transfer floor:1", "belongs to a settlement, and there is none"),
        (booked("floor:99"), "transfer floor:99", "nothing that was counted, and no floor"),
        ("UPDATE account SET kind = 'quarantine' WHERE kind = 'sponsor'", "accounts", "0 of the kind sponsor"),
        ("DELETE FROM account WHERE kind = 'quarantine'", "accounts", "0 of the kind quarantine, expected 1"),
        ("DELETE FROM reading WHERE likes = 5", "sweep 4", "it has 0 readings, expected 1"),
        ("UPDATE reading SET likes = 6 WHERE likes = 5", "sweep 4", "shown 5 likes, its reading says 6 likes"),
        ("UPDATE reading SET likes = NULL WHERE likes = 5", "sweep 4", "shown 5 likes, its reading says no number"),
        (f"UPDATE reading SET read_at = {ENDS_AT} WHERE likes = 7", "transfer reading:4", "not that of its reading"),
        (f"UPDATE reading SET read_at = {ENDS_AT} WHERE likes = 7", "sweep 3", "read their number after its end"),
        ("UPDATE campaign SET ends_at = starts_at", "sweep 1", "as made in the window, and saw them after its end"),
        ("UPDATE campaign SET starts_at = ends_at", "sweep 1", "in the window, and saw them before its start"),
        ("UPDATE campaign SET starts_at = ends_at", "sweep 2", "in the window, and read their number before its start"),
    ],
)
def test_a_changed_row_is_named(full_contest: Contest, statement: str, about: str, what: str) -> None:
    tamper(full_contest, statement)
    assert any(one == about and re.search(what, how) for one, how in audit(full_contest)), audit(full_contest)


def test_money_of_another_contest_is_named(full_contest: Contest, make_contest: MakeContest) -> None:
    other = make_contest().facts.id
    pool = f"(SELECT id FROM account WHERE campaign_id = {other} AND kind = 'pool')"
    tamper(full_contest, f"UPDATE transfer SET credit_id = {pool} {OF_CREDIT}")
    assert (CREDIT, "its accounts, its entry or its rate are those of another campaign") in audit(full_contest)
    assert ("accounts", "they add up to -20 bytes, expected 0") in audit(full_contest)


def test_a_person_who_earned_twice_is_named(make_contest: MakeContest) -> None:
    contest = make_contest()
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    contest.sweep(contest.add_entry("2"), FakePlatform(["ali", "bahia", "fatima"]))
    assert audit(contest) == []
    tamper(contest, "UPDATE campaign SET unique_per = 'campaign'")
    assert audit(contest) == [("entries 1 and 2", "2 people earned on both, and each may earn once")]


@pytest.mark.parametrize(
    ("likes", "reverses", "about", "what"),
    [
        (3, "id", CREDIT, "20 bytes for 2 likes, 30 for 3 were taken back"),
        (1, "id + 1", "transfer back:1", "not the opposite"),
    ],
)
def test_a_wrong_reversal_is_named(full_contest: Contest, likes: int, reverses: str, about: str, what: str) -> None:
    tamper(full_contest, "UPDATE campaign SET cap_bytes = NULL")
    credit = full_contest.rows(Transfer)[0]
    assert f"transfer {credit.key}" == CREDIT
    tamper(full_contest, booked("back:1", likes=likes, reverses=reverses, debit="pool", credit="sponsor"))
    if reverses != "id":
        tamper(full_contest, "UPDATE transfer SET entry_id = 2 WHERE key = 'back:1'")
    assert any(one == about and what in how for one, how in audit(full_contest)), audit(full_contest)


@pytest.mark.parametrize(
    ("statement", "about", "what"),
    [
        ("UPDATE settlement SET likes = 13", "settlement", "it says 13 likes, the transfers 12"),
        ("UPDATE settlement SET bytes = 119", "settlement", "it says 119 bytes, the transfers 120"),
        ("UPDATE settlement SET reversed_likes = 1", "settlement", "it says 1 reversed likes, the transfers 0"),
        ("UPDATE settlement SET floor_bytes = 9", "settlement", "it says 9 bytes up to the floor, the transfers 0"),
        (booked("reading:77", likes=1), "settlement", "it says 12 likes, the transfers 13"),
    ],
)
def test_what_contradicts_a_settlement_is_named(full_contest: Contest, statement: str, about: str, what: str) -> None:
    settle(full_contest)
    assert audit(full_contest) == []
    tamper(full_contest, statement)
    assert (about, what) in audit(full_contest)


@pytest.mark.parametrize("key", ["sweep:1:page:1:rate:{}", "reading:3"])
def test_a_credit_under_a_rate_of_another_time_is_named(make_contest: MakeContest, key: str) -> None:
    """More is earned by a rate that begins tomorrow, or by one that ended days ago."""
    contest = make_contest()
    contest.change_rate(30, contest.clock() + DAY)
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    read(contest, contest.add_entry("2", basis=Basis.COUNT), 3)
    assert audit(contest) == []
    first, later = key.format(1), key.format(2)
    tamper(contest, f"UPDATE transfer SET rate_id = 2, amount = likes * 30, key = '{later}' WHERE key = '{first}'")
    assert audit(contest) == [(f"transfer {later}", "it was credited under a rate that was not valid yet")]
    tamper(contest, "UPDATE rate SET valid_from = made_at WHERE id = 2")
    tamper(contest, f"UPDATE transfer SET rate_id = 1, amount = likes * 10, key = '{first}' WHERE key = '{later}'")
    assert audit(contest) == [], "a sweep may end under the rate with which it began"
    tamper(contest, "UPDATE rate SET valid_from = '2026-12-01T00:00:00.000000Z' WHERE id = 1")
    second = "'2026-12-02T00:00:00.000000Z'"
    tamper(contest, f"UPDATE rate SET valid_from = {second}, made_at = {second} WHERE id = 2")
    assert (f"transfer {first}", "it was credited under a rate that was no longer valid") in audit(contest)


@pytest.mark.parametrize("floor", [0, 500])
def test_a_floor_that_nobody_guaranteed_is_named(make_contest: MakeContest, floor: int) -> None:
    contest = make_contest()
    tamper(contest, "UPDATE campaign SET floor_bytes = 700")
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    settle(contest)
    assert audit(contest) == []
    tamper(contest, f"UPDATE campaign SET floor_bytes = {floor}")
    assert audit(contest) == [("settlement", f"it came to 700 bytes up to a floor of {floor}")]


def test_a_settlement_that_is_gone_is_missed(make_contest: MakeContest) -> None:
    contest = make_contest()
    tamper(contest, "UPDATE campaign SET floor_bytes = 700")
    settle(contest)
    tamper(contest, "DELETE FROM settlement")
    assert audit(contest) == [(f"transfer floor:{contest.facts.id}", "it belongs to a settlement, and there is none")]


def test_a_correction_takes_back_what_was_pledged_of_it(contest: Contest) -> None:
    contest.add_association("hope")
    contest.assign("hope", None)
    contest.sweep(contest.add_entry(), FakePlatform(CROWD))
    contest.distribute()
    with contest.writing() as session:
        reverse(session, contest.rows(Transfer)[0].key, reason="bought", author="test", at=contest.clock())
    assert audit(contest) == []


def test_a_credit_after_the_settlement_is_named(full_contest: Contest) -> None:
    settle(full_contest)
    tamper(full_contest, booked("reading:77", likes=1))
    tamper(full_contest, "UPDATE transfer SET made_at = (SELECT ends_at FROM campaign) WHERE key = 'reading:77'")
    tamper(full_contest, "UPDATE settlement SET settled_at = (SELECT starts_at FROM campaign)")
    assert ("transfer reading:77", "it was credited after the settlement") in audit(full_contest)
