"""What exceeds the high-water mark is credited once, at the rate of the moment it was read, whatever is read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from harvester.books.ledger import balances
from harvester.connector import Basis
from harvester.store.kinds import Verdict
from harvester.store.models import Entry, Reading, Sweep, Transfer
from tests.factories import COMPLETE, HIDDEN, KICK_OFF, Contest, CountingPlatform

MakeContest = Callable[..., Contest]
HOUR = timedelta(hours=1)
VERDICTS = (Verdict.CREDITED, Verdict.UNCERTAIN, Verdict.OVER_CAP, Verdict.BASELINE, Verdict.LATE)


def read(contest: Contest, entry_id: int, *numbers: int | str) -> None:
    """Read these numbers, one a minute."""
    for number in numbers:
        native_id = contest.rows(Entry, id=entry_id)[0].native_id
        assert contest.read([entry_id], CountingPlatform({native_id: number}))[entry_id].outcome == COMPLETE.outcome


def became(contest: Contest, entry_id: int) -> dict[str, int]:
    """Say what became of an entry's likes; checks that every byte is somewhere, and every like judged once."""
    with contest.database.reading() as session:
        assert sum(one.bytes for one in balances(session, contest.facts.id)) == 0
    sweeps, (entry,) = contest.rows(Sweep, entry_id=entry_id), contest.rows(Entry, id=entry_id)
    sums = {verdict.value: sum(getattr(one, verdict) for one in sweeps) for verdict in VERDICTS}
    assert sum(sums.values()) == sum(one.new for one in sweeps) == (entry.high_water or 0)
    transfers = contest.rows(Transfer, entry_id=entry_id)
    assert sum(one.likes for one in transfers) == sums["credited"] + sums["uncertain"]
    return {verdict: likes for verdict, likes in sums.items() if likes}


@pytest.fixture
def entry(contest: Contest) -> int:
    """A post that is only counted, published when the contest began."""
    return contest.add_entry(basis=Basis.COUNT)


@pytest.fixture
def old_entry(contest: Contest) -> int:
    """A post that may be older than the contest."""
    return contest.add_entry(basis=Basis.COUNT, published_at=None)


# The high-water mark.


@pytest.mark.parametrize(
    ("numbers", "credited"),
    [
        ([7], 7),
        ([0, 7], 7),
        ([7, 7, 7], 7),
        ([7, 9], 9),
        ([7, 3, 7], 7),
        ([7, 3, 6, 8, 0, 8], 8),
        ([7, HIDDEN, 9], 9),
        ([HIDDEN, HIDDEN], 0),
    ],
)
def test_only_what_exceeds_the_highest_number_earns(
    contest: Contest, entry: int, numbers: list[int | str], credited: int
) -> None:
    read(contest, entry, *numbers)
    assert became(contest, entry) == ({"credited": credited} if credited else {})
    assert contest.status.bytes.credited == credited * 10


def test_a_hidden_number_freezes_the_credit_and_says_so(contest: Contest, entry: int) -> None:
    read(contest, entry, 7, HIDDEN)
    view = contest.entry(entry)
    assert (view.displayed, view.credited) == (None, 7)
    assert "hides the number" in str(view.last_sweep and view.last_sweep.reason)


def test_a_counted_entry_holds_nobody(contest: Contest, entry: int) -> None:
    read(contest, entry, 7, 3)
    assert (contest.entry(entry).displayed, contest.entry(entry).held, contest.entry(entry).gap) == (3, None, None)


# The window.


def test_the_first_number_of_an_older_post_is_the_baseline(contest: Contest, old_entry: int) -> None:
    read(contest, old_entry, HIDDEN, 7, 9)
    assert became(contest, old_entry) == {"baseline": 7, "credited": 2}


def test_a_first_number_of_zero_is_a_baseline_too(contest: Contest, old_entry: int) -> None:
    read(contest, old_entry, 0, 9)
    assert became(contest, old_entry) == {"credited": 9}


def test_existing_likes_are_credited_for_a_stated_reason(contest: Contest) -> None:
    agreed = contest.add_entry(basis=Basis.COUNT, published_at=None, credit_existing="agreed")
    read(contest, agreed, 7, 9)
    assert became(contest, agreed) == {"credited": 9}


def test_the_platforms_word_on_publication_spares_the_baseline(contest: Contest, old_entry: int) -> None:
    contest.read([old_entry], CountingPlatform({"1": 7}, published_at=KICK_OFF))
    assert became(contest, old_entry) == {"credited": 7}


def test_a_stated_publication_outweighs_the_platforms(contest: Contest) -> None:
    stated = contest.add_entry(basis=Basis.COUNT, published_at=KICK_OFF - 9 * HOUR)
    contest.read([stated], CountingPlatform({"1": 7}, published_at=KICK_OFF))
    assert became(contest, stated) == {"baseline": 7}


def test_numbers_before_the_start_raise_the_baseline(make_contest: MakeContest) -> None:
    contest = make_contest(starts_at=KICK_OFF + HOUR)
    entry = contest.add_entry(basis=Basis.COUNT, published_at=None)
    read(contest, entry, 7, 9, 8)
    contest.clock.at = KICK_OFF + HOUR
    read(contest, entry, 12)
    assert became(contest, entry) == {"baseline": 9, "credited": 3}


STRADDLING = {"credited": 7, "uncertain": 5}


@pytest.mark.parametrize(("seconds", "verdicts"), [(-1, {"credited": 12}), (0, STRADDLING), (99, STRADDLING)])
def test_the_number_that_straddles_the_end_is_uncertain(
    make_contest: MakeContest, seconds: int, verdicts: dict[str, int]
) -> None:
    contest = make_contest(ends_at=KICK_OFF + HOUR)
    entry = contest.add_entry(basis=Basis.COUNT)
    read(contest, entry, 7)
    contest.clock.at = KICK_OFF + HOUR + timedelta(seconds=seconds)
    read(contest, entry, 12)
    assert became(contest, entry) == verdicts


def test_a_number_hidden_until_after_the_end_is_uncertain(make_contest: MakeContest) -> None:
    contest = make_contest(ends_at=KICK_OFF + HOUR)
    entry = contest.add_entry(basis=Basis.COUNT)
    read(contest, entry, 7, HIDDEN)
    contest.clock.forward(hours=1)
    read(contest, entry, HIDDEN, 12)
    assert became(contest, entry) == STRADDLING


def test_what_comes_after_the_end_is_late(make_contest: MakeContest) -> None:
    contest = make_contest(ends_at=KICK_OFF + HOUR)
    entry = contest.add_entry(basis=Basis.COUNT)
    read(contest, entry, 7)
    contest.clock.forward(hours=1)
    read(contest, entry, 3, 9)
    assert became(contest, entry) == {"credited": 7, "late": 2}


def test_an_older_post_first_read_after_the_end_earns_nothing(make_contest: MakeContest) -> None:
    contest = make_contest(ends_at=KICK_OFF)
    entry = contest.add_entry(basis=Basis.COUNT, published_at=None)
    read(contest, entry, 7)
    assert became(contest, entry) == {"baseline": 7}


# The rate and the cap.


def test_a_rate_applies_from_its_instant(contest: Contest, entry: int) -> None:
    contest.change_rate(30, valid_from=KICK_OFF + timedelta(minutes=2))
    read(contest, entry, 1, 2, 3, 4)
    assert [(one.likes, one.amount) for one in contest.rows(Transfer)] == [(1, 10), (1, 10), (1, 30), (1, 30)]


@pytest.mark.parametrize(("cap", "credited"), [(100, 10), (99, 9), (119, 11), (1000, 12)])
def test_the_cap_splits_a_reading_to_whole_likes(make_contest: MakeContest, cap: int, credited: int) -> None:
    contest = make_contest(cap=cap)
    entry = contest.add_entry(basis=Basis.COUNT)
    read(contest, entry, 5, 12, 3, 12)
    over = {"over_cap": 12 - credited} if credited < 12 else {}
    assert became(contest, entry) == {"credited": credited} | over


def test_likes_across_the_end_are_uncertain_only_up_to_the_cap(make_contest: MakeContest) -> None:
    contest = make_contest(cap=50, ends_at=KICK_OFF + HOUR)
    entry = contest.add_entry(basis=Basis.COUNT)
    contest.clock.forward(hours=1)
    read(contest, entry, 12)
    assert became(contest, entry) == {"uncertain": 5, "over_cap": 7}


# Nothing is edited.


def test_every_number_is_kept_as_it_was_read(contest: Contest, entry: int) -> None:
    read(contest, entry, 7, 3, HIDDEN, 7)
    minutes = [(one.read_at - KICK_OFF, one.likes) for one in contest.rows(Reading)]
    assert minutes == [(timedelta(minutes=at), likes) for at, likes in enumerate((7, 3, None, 7))]
    assert [one.sweep_id for one in contest.rows(Reading)] == [one.id for one in contest.rows(Sweep)]


@pytest.mark.parametrize("change", ["UPDATE reading SET likes = 8", "DELETE FROM reading"])
def test_no_number_can_be_changed_or_removed(contest: Contest, entry: int, change: str) -> None:
    read(contest, entry, 7)
    with pytest.raises(DBAPIError, match="reading rows are never changed"), contest.writing() as session:
        session.execute(text(change))
    assert [one.likes for one in contest.rows(Reading)] == [7]


# Whatever is read.


@dataclass(frozen=True)
class Step:
    """A number that is read after a pause, perhaps under a new rate."""

    pause: timedelta
    rate: int | None
    number: int | str


@dataclass(frozen=True)
class Story:
    """A post of a contest of two hours that begins in an hour, and what is read of it."""

    post: str
    cap: int | None
    steps: list[Step]


steps = st.builds(
    Step,
    pause=st.sampled_from([timedelta(0), timedelta(minutes=19), timedelta(minutes=59), 2 * HOUR]),
    rate=st.none() | st.integers(1, 50),
    number=st.integers(0, 30) | st.just(HIDDEN),
)
stories = st.builds(
    Story,
    post=st.sampled_from(["new", "old", "agreed"]),
    cap=st.none() | st.integers(50, 600),
    steps=st.lists(steps, min_size=1, max_size=8),
)


class Oracle:
    """What should be earned, like by like: the n-th one appears with the first number that reaches n."""

    def __init__(self, story: Story, start: datetime) -> None:
        self.start, self.end = start, start + 2 * HOUR
        self.is_free_of_baseline = story.post != "old"
        self.is_agreed = story.post == "agreed"
        self.left = story.cap
        self.rates = [(start, 10)]
        self.numbers: list[tuple[datetime, int]] = []
        self.earned: list[int] = []

    def read(self, number: int, at: datetime) -> None:
        known = max((shown for _, shown in self.numbers), default=0)
        worth = next(rate for since, rate in reversed(self.rates) if since <= at or since == self.start)
        for _ in range(known, number):
            if self._counts(at) and (self.left is None or self.left >= worth):
                self.left = None if self.left is None else self.left - worth
                self.earned.append(worth)
        self.numbers.append((at, number))

    def _counts(self, at: datetime) -> bool:
        """A like counts that cannot be older than the start, or was agreed on, and may be older than the end."""
        before = self.numbers[-1][0] if self.numbers else None
        is_agreed = self.is_agreed and before is None
        is_of_the_contest = is_agreed or (at >= self.start and (before is not None or self.is_free_of_baseline))
        return is_of_the_contest and (before or self.start) < self.end


def tell(contest: Contest, story: Story) -> tuple[int, Oracle]:
    """Read what the story says; give the entry and what it should have earned."""
    oracle = Oracle(story, contest.facts.rules.starts_at)
    stated = {"published_at": oracle.start if story.post == "new" else None}
    agreed = {"credit_existing": "agreed"} if story.post == "agreed" else {}
    entry = contest.add_entry(basis=Basis.COUNT, **stated, **agreed)
    for step in story.steps:
        contest.clock.forward(seconds=step.pause.total_seconds() + 1)
        if step.rate and contest.clock() > oracle.start:
            contest.change_rate(step.rate, contest.clock())
            oracle.rates.append((contest.clock(), step.rate))
        if isinstance(step.number, int):
            oracle.read(step.number, contest.clock())
        read(contest, entry, step.number)
    return entry, oracle


@settings(
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=stories)
def test_credited_is_the_rate_times_what_exceeds_the_highest_number_whatever_is_read(
    make_contest: MakeContest, story: Story
) -> None:
    start = make_contest().clock() + HOUR
    contest = make_contest(starts_at=start, ends_at=start + 2 * HOUR, cap=story.cap)
    entry, oracle = tell(contest, story)
    verdicts, status = became(contest, entry), contest.status
    assert (status.likes.credited, status.bytes.credited) == (len(oracle.earned), sum(oracle.earned))
    assert sum(verdicts.values()) == max((number for _, number in oracle.numbers), default=0)
    assert len(contest.rows(Reading, entry_id=entry)) == len(story.steps)
