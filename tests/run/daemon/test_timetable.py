"""What is to happen next, by the facts alone: polls, glances, closing sweeps, settlements, nights."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event

from harvester.collect.cadence import Arrivals
from harvester.config import HttpSettings, ScheduleSettings, Settings
from harvester.connector import Basis
from harvester.run.daemon.timetable import Appointment, Purpose, timetable
from harvester.run.daemon.watched import read_histories, watched
from harvester.run.reader import Reader
from harvester.store.installation import Installation
from harvester.store.kinds import Cause, EntryState, SweepOutcome
from harvester.store.models import Entry, Night, Reading, Settlement, Sweep
from tests.factories import KICK_OFF, Contest

COMPLETE, PARTIAL, FAILED = SweepOutcome.COMPLETE, SweepOutcome.PARTIAL, SweepOutcome.FAILED
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Diary:
    """A contest whose past is written by hand, and what the timetable makes of it."""

    def __init__(self, contest: Contest, reader: Reader, at: Installation) -> None:
        self.contest, self.at, self._reader = contest, at, reader
        self._numbers = count(1)

    def add(self, connector: str = "mastodon", *, host: str = "social.example", **stated: Any) -> int:
        number = str(next(self._numbers))
        link = f"https://{host}/@a/{number}"
        facts: dict[str, Any] = {"published_at": KICK_OFF - HOUR, "basis": Basis.IDENTITY, "campaign": self.contest}
        facts |= stated
        campaign = facts.pop("campaign")
        return self.keep(
            Entry(
                campaign_id=campaign.facts.id,
                connector=connector,
                realm=f"{connector}:{host}",
                native_id=number,
                url=link,
                pasted_url=link,
                added_at=KICK_OFF - HOUR,
                **facts,
            )
        )

    def swept(self, entry_id: int, at: datetime, **stated: Any) -> int:
        """Record a complete full sweep, unless said otherwise."""
        facts: dict[str, Any] = {"is_full": True, "touched_at": at, "outcome": COMPLETE, "pages": 1, "requests": 1}
        return self.keep(Sweep(entry_id=entry_id, started_at=at, **(facts | stated)))

    def keep(self, row: Any) -> int:
        with self.contest.writing() as session:
            session.add(row)
            session.flush()
            return int(row.id)

    def entry(self, entry_id: int) -> Entry:
        (entry,) = self.contest.rows(Entry, id=entry_id)
        assert isinstance(entry, Entry)
        return entry

    @property
    def now(self) -> datetime:
        return self.contest.clock()

    @property
    def table(self) -> Mapping[str, Appointment]:
        appointments = timetable(self.at, self._reader)
        table = {one.key: one for one in appointments}
        assert len(table) == len(appointments)
        return table

    def arrivals_of(self, entry_id: int) -> Sequence[Arrivals]:
        with self.at.database.reading() as session:
            (post,) = (one for one in read_histories(session, [self.contest.facts]) if one.entry_id == entry_id)
        return watched([post], self._reader.platform(post.entry.connector).connector, self.now).arrivals

    def of(self, purpose: Purpose) -> list[Appointment]:
        return [one for one in self.table.values() if one.purpose is purpose]


@pytest.fixture
def settings() -> Settings:
    """One connector with little to spend, one whose posts are read as whole lists, one that cannot be opened."""
    connectors = {"misskey": {"budget": "20/1h"}, "bluesky": {"budget": "60/1h"}, "tumblr": {"budget": "nonsense"}}
    return Settings(http=HttpSettings(allow_private_hosts=True), connectors=dict(connectors))


@pytest.fixture
def make_diary(settings: Settings) -> Iterator[Callable[[Contest], Diary]]:
    readers: list[Reader] = []

    def make(contest: Contest) -> Diary:
        at = Installation(
            database=contest.database, settings=settings, master=contest.master, now=contest.clock, sleep=lambda _: None
        )
        readers.append(Reader(at))
        return Diary(contest, readers[-1], at)

    yield make
    for reader in readers:
        reader.__exit__(None, None, None)


@pytest.fixture
def diary(contest: Contest, make_diary: Callable[[Contest], Diary]) -> Diary:
    return make_diary(contest)


def ends_of(diary: Diary) -> datetime:
    return diary.contest.facts.rules.ends_at


def test_a_post_that_nobody_has_read_is_due_now_and_status_says_so(diary: Diary) -> None:
    post = diary.add()
    poll = diary.table[f"poll:{post}"]
    assert (poll.purpose, poll.at, poll.entry_ids) == (Purpose.POLL, diary.now, (post,))
    view = diary.contest.entry(post)
    assert (view.next_poll_at, view.next_poll_reason) == (poll.at, poll.reason)


def test_a_busy_post_is_read_sooner_than_a_quiet_one(diary: Diary) -> None:
    busy, quiet = diary.add("misskey"), diary.add("misskey")
    for minutes in (40, 20, 0):
        diary.swept(busy, diary.now - minutes * MINUTE, new=100)
        diary.swept(quiet, diary.now - minutes * MINUTE, new=0)
    table = diary.table
    assert diary.now < table[f"poll:{busy}"].at < table[f"poll:{quiet}"].at


def test_a_glance_that_shows_many_new_likes_draws_the_next_poll_near(diary: Diary) -> None:
    post, other = diary.add("misskey"), diary.add("misskey")
    for minutes in (30, 20, 10):
        sweep = diary.swept(post, diary.now - minutes * MINUTE, new=0)
        diary.swept(other, diary.now - minutes * MINUTE, new=10)
    diary.keep(Reading(entry_id=post, sweep_id=sweep, read_at=diary.now - 10 * MINUTE, likes=10))
    before = diary.table[f"poll:{post}"].at
    diary.keep(Reading(entry_id=post, read_at=diary.now - MINUTE, likes=500))
    assert diary.table[f"poll:{post}"].at < before


def test_what_sweeps_found_since_a_count_is_not_taken_for_new_again(diary: Diary) -> None:
    post = diary.add()
    first = diary.swept(post, diary.now - 50 * MINUTE, new=10)
    diary.keep(Reading(entry_id=post, sweep_id=first, read_at=diary.now - 50 * MINUTE, likes=10))
    diary.swept(post, diary.now - 20 * MINUTE, new=90, is_full=False)
    diary.keep(Reading(entry_id=post, read_at=diary.now - MINUTE, likes=103))
    assert [one.likes for one in diary.arrivals_of(post)] == [10, 90, 3]


def test_a_pause_that_a_platform_asked_for_is_kept(diary: Diary) -> None:
    post = diary.add()
    until = diary.now + 3 * HOUR
    diary.swept(post, diary.now - MINUTE, outcome=PARTIAL, resume_at=until)
    assert diary.table[f"poll:{post}"].at >= until


def test_a_post_that_fails_is_tried_ever_more_rarely_but_every_hour(diary: Diary) -> None:
    post, waits = diary.add(), []
    diary.swept(post, diary.now - DAY)
    for _ in range(9):
        diary.swept(post, diary.now, outcome=FAILED)
        due = diary.table[f"poll:{post}"].at
        waits.append(due - diary.now)
        diary.contest.clock.at = due
    assert waits == sorted(waits)
    assert waits[0] == MINUTE
    assert waits[-1] == HOUR


def test_a_post_that_always_fails_waits_for_its_turn_like_the_others(diary: Diary) -> None:
    failing, others = diary.add("misskey"), [diary.add("misskey") for _ in range(3)]
    for number, post in enumerate((failing, *others)):
        diary.swept(post, diary.now - (9 - number) * HOUR, requests=4, listed=300)
    diary.swept(failing, diary.now - MINUTE, outcome=PARTIAL, cause=Cause.UNSTABLE, requests=4)
    table = diary.table
    assert all(table[f"poll:{post}"].at < table[f"poll:{failing}"].at for post in others)


def test_one_dead_post_does_not_make_its_batch_due_for_ever(diary: Diary) -> None:
    dead, alive = (diary.add("csv", basis=Basis.COUNT) for _ in range(2))
    for post in (dead, alive):
        diary.swept(post, diary.now - HOUR)
    diary.swept(alive, diary.now)
    diary.swept(dead, diary.now, outcome=FAILED, cause=Cause.MISSING)
    assert diary.table[f"poll:{dead}"].at > diary.now


def test_an_unread_post_of_the_future_does_not_hold_up_its_batch(diary: Diary) -> None:
    read, _ = diary.add("csv", basis=Basis.COUNT), diary.add("csv", basis=Basis.COUNT, published_at=diary.now + DAY)
    diary.swept(read, diary.now)
    assert diary.table[f"poll:{read}"].at == diary.now


@pytest.mark.parametrize("ending", [{"outcome": None}, {"outcome": PARTIAL, "cause": Cause.STOPPED}])
def test_a_long_sweep_that_was_stopped_or_killed_goes_on_at_once(diary: Diary, ending: dict[str, Any]) -> None:
    post = diary.add()
    diary.swept(post, diary.now - 70 * MINUTE, touched_at=diary.now, pages=500, cursor="c500", **ending)
    assert diary.table[f"poll:{post}"].at - diary.now < timedelta(seconds=5)  # the pace after its last page


def test_a_long_sweep_that_fails_at_last_is_tried_again_a_minute_later(diary: Diary) -> None:
    post = diary.add()
    diary.swept(post, diary.now - 70 * MINUTE, touched_at=diary.now, listed=400, outcome=PARTIAL, cause=Cause.UNSTABLE)
    poll = diary.table[f"poll:{post}"]
    assert (poll.at, poll.reason) == (diary.now + MINUTE, "it failed, so harvester waits until 20:01 UTC")


def test_one_sweep_that_is_gone_on_with_in_vain_is_tried_ever_more_rarely_too(diary: Diary) -> None:
    post = diary.add()
    diary.swept(post, diary.now - 20 * MINUTE, touched_at=diary.now, outcome=PARTIAL, cause=Cause.UNSTABLE)
    assert diary.table[f"poll:{post}"].at == diary.now + 20 * MINUTE


@pytest.mark.parametrize("outcome", [COMPLETE, FAILED])
def test_a_clock_that_was_set_back_keeps_no_post_waiting(diary: Diary, outcome: SweepOutcome) -> None:
    post = diary.add("csv", basis=Basis.COUNT)
    diary.swept(post, diary.now + DAY, outcome=outcome)
    assert diary.table[f"poll:{post}"].at == diary.now


def test_counted_posts_of_one_site_are_one_poll_a_batch(diary: Diary) -> None:
    posts = [diary.add("csv", basis=Basis.COUNT) for _ in range(103)]
    assert [len(one.entry_ids) for one in diary.of(Purpose.POLL)] == [100, 3]
    assert {entry_id for one in diary.of(Purpose.POLL) for entry_id in one.entry_ids} == set(posts)


def test_the_end_of_a_contest_is_on_the_timetable_from_its_start(diary: Diary) -> None:
    posts = (diary.add(), diary.add())
    slug, end, table = diary.contest.slug, ends_of(diary), diary.table
    closing, late = table[f"closing:{slug}"], table[f"late_closing:{slug}"]
    assert (closing.at, closing.entry_ids) == (end, posts)
    assert (late.at, late.entry_ids) == (end + DAY, posts)
    assert table[f"settlement:{slug}"].at == end + 2 * DAY


def test_a_poll_that_would_come_after_the_end_is_the_closing_sweep(diary: Diary) -> None:
    post = diary.add()
    diary.contest.clock.at = ends_of(diary) - timedelta(seconds=30)
    diary.swept(post, diary.now - timedelta(seconds=1))
    assert f"poll:{post}" not in diary.table
    assert diary.contest.entry(post).next_poll_at == ends_of(diary)


def test_a_closing_sweep_is_done_when_a_full_one_begun_at_the_end_is_complete(diary: Diary) -> None:
    early, broken, done = (diary.add() for _ in range(3))
    end = ends_of(diary)
    diary.contest.clock.at = end + 10 * MINUTE
    diary.swept(early, end - MINUTE)
    diary.swept(broken, end, outcome=FAILED, touched_at=diary.now)
    diary.swept(done, end)
    closing = diary.table[f"closing:{diary.contest.slug}"]
    assert (closing.at, closing.entry_ids) == (end, (early,))
    diary.swept(early, diary.now)
    closing = diary.table[f"closing:{diary.contest.slug}"]
    assert (closing.at, closing.entry_ids) == (diary.now + 10 * MINUTE, (broken,))
    diary.swept(broken, diary.now)
    assert diary.of(Purpose.CLOSING) == []


def test_without_any_grace_the_closing_sweeps_are_the_settlements(diary: Diary) -> None:
    schedule = ScheduleSettings(grace_hours=0)
    diary.at = replace(diary.at, settings=diary.at.settings.model_copy(update={"schedule": schedule}))
    post, end, slug = diary.add(), ends_of(diary), diary.contest.slug
    diary.contest.clock.at = end - MINUTE
    diary.swept(post, diary.now)
    assert [key for key in diary.table if slug in key] == [f"settlement:{slug}"]
    diary.contest.clock.at = end + MINUTE
    diary.swept(post, end - MINUTE, touched_at=end + MINUTE)
    assert diary.table[f"settlement:{slug}"].at == end


def test_who_was_off_for_a_day_makes_up_for_both_closing_sweeps_with_one(diary: Diary) -> None:
    diary.add()
    diary.contest.clock.at = ends_of(diary) + DAY + HOUR
    assert diary.of(Purpose.CLOSING) == []
    assert [one.at for one in diary.of(Purpose.LATE_CLOSING)] == [ends_of(diary) + DAY]


def test_an_ended_contest_is_read_rarely_until_it_is_settled(diary: Diary) -> None:
    post = diary.add()
    diary.contest.clock.at = ends_of(diary) + HOUR
    diary.swept(post, diary.now, new=1_000)
    assert diary.table[f"poll:{post}"].at == diary.now + 6 * HOUR
    diary.contest.clock.at = ends_of(diary) + 2 * DAY
    assert set(diary.table) == {f"settlement:{diary.contest.slug}", "nightly"}


def test_a_settlement_that_was_tried_is_tried_again_an_hour_later(diary: Diary) -> None:
    post, due = diary.add(), ends_of(diary) + 2 * DAY
    diary.contest.clock.at = due + 3 * HOUR
    assert diary.table[f"settlement:{diary.contest.slug}"].at == due
    diary.swept(post, diary.now, outcome=FAILED)
    assert diary.table[f"settlement:{diary.contest.slug}"].at == diary.now + HOUR


def test_a_contest_without_posts_is_settled_too_and_a_settled_one_is_over(diary: Diary) -> None:
    campaign = diary.contest.facts
    assert [one.campaign for one in diary.of(Purpose.SETTLEMENT)] == [campaign.slug]
    end = ends_of(diary) + 2 * DAY
    diary.add()
    diary.keep(Settlement(campaign_id=campaign.id, settled_at=end, author="test", likes=0, bytes=0))
    assert set(diary.table) == {"nightly"}


def test_a_contest_that_has_not_begun_is_read_at_once_then_rarely_and_just_before_it_begins(
    make_contest: Callable[..., Contest], make_diary: Callable[[Contest], Diary]
) -> None:
    diary = make_diary(make_contest(starts_at=KICK_OFF + 8 * HOUR))
    post = diary.add()
    assert diary.table[f"poll:{post}"].at == diary.now
    diary.swept(post, diary.now, new=1_000)
    assert diary.table[f"poll:{post}"].at == diary.now + 6 * HOUR
    diary.contest.clock.forward(hours=6)
    diary.swept(post, diary.now)
    look = diary.table[f"poll:{post}"]
    assert look.at == diary.contest.facts.rules.starts_at - 5 * MINUTE
    assert look.reason == "the last look before the contest begins"


def test_the_night_is_due_until_it_has_come_to_its_end(diary: Diary) -> None:
    assert diary.table["nightly"].at < diary.now
    diary.keep(Night(started_at=diary.now, ended_at=diary.now, outcome=COMPLETE, summary="{}"))
    assert diary.now < diary.table["nightly"].at <= diary.now + DAY


def test_a_connector_with_wrong_settings_keeps_its_own_posts_waiting_and_no_others(diary: Diary) -> None:
    wrong, right = diary.add("tumblr"), diary.add()
    assert [one.entry_ids for one in diary.of(Purpose.POLL)] == [(right,)]
    assert diary.table[f"closing:{diary.contest.slug}"].entry_ids == (right,)
    view = diary.contest.entry(wrong)
    assert view.next_poll_at is None
    assert "connectors.tumblr.budget" in str(view.next_poll_reason)


def test_posts_that_are_gone_or_removed_are_not_planned(diary: Diary) -> None:
    diary.add(state=EntryState.GONE)
    diary.add(state=EntryState.REMOVED)
    missing = diary.add(state=EntryState.MISSING)
    assert [one.entry_ids for one in diary.of(Purpose.POLL)] == [(missing,)]


def test_a_glance_is_planned_where_one_request_shows_several_posts(diary: Diary) -> None:
    def read(post: int) -> None:
        diary.swept(post, diary.now, new=0, listed=400)
        with diary.contest.writing() as session:
            entry = session.get_one(Entry, post)
            entry.displayed, entry.displayed_at = 400, diary.now

    first = diary.add("bluesky")
    read(first)
    assert diary.of(Purpose.GLANCE) == []
    second = diary.add("bluesky")
    read(second)
    (glance,) = diary.of(Purpose.GLANCE)
    assert glance.entry_ids == (first, second)
    assert diary.now < glance.at < min(one.at for one in diary.of(Purpose.POLL))


def test_a_server_that_lists_one_post_a_request_is_never_glanced_at(diary: Diary) -> None:
    for _ in range(3):
        diary.swept(diary.add(), diary.now)
    assert diary.of(Purpose.GLANCE) == []


@pytest.mark.parametrize("last_read", [timedelta(0), 9 * HOUR])
def test_a_plan_that_stays_the_same_is_not_written_again(diary: Diary, last_read: timedelta) -> None:
    """Nor one that moves by seconds, nor one that is overdue, which is planned for now at each look."""
    for _ in range(10):
        diary.swept(diary.add("misskey"), diary.now - last_read, new=1)
    written: list[str] = []
    assert diary.table
    diary.contest.clock.forward(seconds=5)

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        written.append(statement.split(maxsplit=1)[0])

    event.listen(diary.contest.database.engine, "before_cursor_execute", note)
    assert diary.table
    assert "UPDATE" not in written


def test_likes_before_a_wrong_publication_time_hold_up_no_other_post(diary: Diary) -> None:
    wrong, other = diary.add(published_at=diary.now + HOUR), diary.add()
    for minutes in (30, 20, 10):
        diary.swept(wrong, diary.now - minutes * MINUTE, new=10)
        diary.swept(other, diary.now - minutes * MINUTE, new=10)
    assert diary.table[f"poll:{other}"].at <= diary.now + MINUTE


def test_many_posts_take_as_many_statements_as_few(diary: Diary) -> None:
    statements: list[str] = []
    event.listen(
        diary.contest.database.engine,
        "before_cursor_execute",
        lambda _c, _u, statement, *_: statements.append(statement),
    )

    def asked(posts: int) -> int:
        for _ in range(posts):
            diary.add()
        statements.clear()
        assert diary.table
        return len(statements)

    assert diary.table
    diary.swept(diary.add(), diary.now)
    asked(1)
    assert asked(4) == asked(45) < 20
