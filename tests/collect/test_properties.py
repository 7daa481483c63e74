"""What must hold whatever a platform does: every liker shown is credited once, at the rate of the moment it was shown.

Each example is a campaign of its own in one database, so examples do not meet.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harvester.books.audit import audit_campaign
from harvester.books.ledger import balances
from harvester.collect.progress import Ending
from harvester.connector import ContractBroken, Http, Order, Page, Post, Throttled, Unstable
from harvester.store.kinds import AccountKind, SweepOutcome
from harvester.store.models import Sweep
from harvester.volume import split
from tests.factories import COMPLETE, HIDDEN, Clock, Contest, FakePlatform, page_of, scripted

MakeContest = Callable[..., Contest]

bounded = settings(
    max_examples=25,
    # To shrink a failure takes minutes of database work: add Phase.shrink when there is one.
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

names = st.integers(0, 11).map("fan-{}".format)
outages = st.sampled_from(["throttled", "unstable", "broken"])


@dataclass(frozen=True)
class Night:
    """What happens before a sweep, in whole, and during it: at the nth page an outage, or likes and un-likes."""

    pause: timedelta
    likes: list[str]
    unlikes: list[str]
    rate: int | None
    full: bool
    during: dict[int, Any]


@dataclass(frozen=True)
class Story:
    """A platform, a post, and what happens to it over some nights."""

    order: Order
    page_max: int
    is_new: bool
    likers: list[str]
    nights: list[Night] = field(default_factory=list)


meanwhile = st.tuples(st.sampled_from(["like", "unlike"]), names)
nights = st.builds(
    Night,
    pause=st.sampled_from([timedelta(0), timedelta(minutes=20), timedelta(hours=3)]),
    likes=st.lists(names, max_size=3),
    unlikes=st.lists(names, max_size=3),
    rate=st.none() | st.integers(1, 50),
    full=st.booleans(),
    during=st.dictionaries(st.integers(1, 6), outages | meanwhile, max_size=3),
)
stories = st.builds(
    Story,
    order=st.sampled_from([Order.SERVER_DESC, Order.UNDEFINED]),
    page_max=st.integers(1, 4),
    is_new=st.booleans(),
    likers=st.lists(names, max_size=12, unique=True),
    nights=st.lists(nights, max_size=6),
)


@dataclass
class WatchedPlatform(FakePlatform):
    """Remembers when it first showed whom."""

    clock: Clock | None = None
    first_shown: dict[str, datetime] = field(default_factory=dict)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        page = super().fetch_page(http, post, cursor)
        assert self.clock is not None
        for like in page.likes:
            self.first_shown.setdefault(like.actor, self.clock())
        return page

    def like_once(self, *likers: str) -> None:
        for one in likers:
            if one not in self.standing:
                self.like(one)

    def happen(self, event: Any) -> Any:
        """Say what `before` should do for an event."""
        if isinstance(event, tuple):
            act, name = event
            return partial(self.like_once if act == "like" else self.unlike, name)
        assert self.clock is not None
        errors = {
            "throttled": Throttled(self.clock() + timedelta(minutes=10)),
            "unstable": Unstable("broke off"),
            "broken": ContractBroken("not a list"),
        }
        return errors[event]


class Telling:
    """A story as it is told: what the contest did, beside what it should have done."""

    def __init__(self, contest: Contest, story: Story) -> None:
        self.contest = contest
        self.platform = WatchedPlatform(story.likers, order=story.order, page_max=story.page_max, clock=contest.clock)
        rules = contest.facts.rules
        self.entry = contest.add_entry(published_at=rules.starts_at if story.is_new else None)
        self.rates = [(rules.starts_at, 10)]
        self.was_complete = story.is_new
        self.baseline: set[str] = set()
        contest.assign("hope", 333_333)
        for night in story.nights:
            self.tell(night)

    def tell(self, night: Night) -> None:
        self.contest.clock.forward(seconds=night.pause.total_seconds())
        if night.rate:
            self.change_rate(night.rate)
        self.platform.like_once(*night.likes)
        self.platform.unlike(*night.unlikes)
        self.platform.asked.clear()
        self.platform.before = {page: self.platform.happen(event) for page, event in night.during.items()}
        self.sweep(full=night.full)

    def end(self) -> None:
        """Let a night pass and sweep in peace."""
        self.contest.clock.forward(hours=3)
        self.platform.before.clear()
        assert self.sweep(full=True) == COMPLETE

    def sweep(self, *, full: bool) -> Ending:
        ending = self.contest.sweep(self.entry, self.platform, full=full)
        if not self.was_complete:
            self.baseline |= set(self.platform.first_shown)
        self.was_complete = self.was_complete or ending.outcome is SweepOutcome.COMPLETE
        self.contest.distribute()
        self.check()
        return ending

    def change_rate(self, rate: int) -> None:
        valid_from = self.contest.clock() + timedelta(seconds=1)
        self.contest.change_rate(rate, valid_from)
        self.contest.clock.forward(seconds=1)
        self.rates.append((valid_from, rate))

    @property
    def should_earn(self) -> list[int]:
        """Give what each eligible liker should have earned."""
        shown = {one: at for one, at in self.platform.first_shown.items() if one not in self.baseline}
        return [next(rate for since, rate in reversed(self.rates) if since <= at) for at in shown.values()]

    def check(self) -> None:
        with self.contest.database.reading() as session:
            accounts = balances(session, self.contest.facts.id)
            assert audit_campaign(session, self.contest.slug) == ()
        due, status = sum(self.should_earn), self.contest.status
        assert sum(one.bytes for one in accounts) == 0
        assert (status.likes.credited, status.bytes.credited) == (len(self.should_earn), due)
        assert status.likes.baseline == len(self.baseline)
        pledged, pool = split(due, [333_333, 666_667])
        by_kind = {one.kind: one.bytes for one in accounts if one.bytes}
        assert by_kind.get(AccountKind.PLEDGED, 0) == pledged
        assert by_kind.get(AccountKind.POOL, 0) == pool


@pytest.fixture
def make_beneficiary(make_contest: MakeContest) -> MakeContest:
    """Make contests in a database that knows the association "hope"."""
    make_contest().add_association("hope")
    return make_contest


@bounded
@given(story=stories)
def test_credited_is_the_rate_times_the_distinct_likers_whatever_happens(
    make_beneficiary: MakeContest, story: Story
) -> None:
    telling = Telling(make_beneficiary(), story)
    telling.end()
    assert set(telling.platform.standing) <= set(telling.platform.first_shown)


@bounded
@given(story=stories)
def test_polling_twice_changes_nothing(make_beneficiary: MakeContest, story: Story) -> None:
    telling = Telling(make_beneficiary(), story)
    telling.end()
    before = telling.contest.status
    telling.end()
    after = telling.contest.status
    assert (after.likes, after.bytes, after.beneficiaries, after.checkpoint) == (
        before.likes,
        before.bytes,
        before.beneficiaries,
        before.checkpoint,
    )


@bounded
@given(story=stories)
def test_after_two_sweeps_in_peace_exactly_those_who_still_like_are_held(
    make_beneficiary: MakeContest, story: Story
) -> None:
    telling = Telling(make_beneficiary(), story)
    telling.end()
    telling.end()
    entry = telling.contest.status.entries[0]
    assert (entry.held, entry.gap) == (len(telling.platform.standing), 0)


@bounded
@given(
    likers=st.integers(0, 12),
    page_max=st.integers(1, 5),
    breaks=st.lists(st.tuples(st.integers(1, 13), st.sampled_from(["throttled", "unstable"])), max_size=5),
)
def test_a_sweep_in_pieces_equals_one_in_one_piece(
    make_contest: MakeContest, likers: int, page_max: int, breaks: list[tuple[int, str]]
) -> None:
    crowd = [f"fan-{number}" for number in range(likers)]
    whole, pieces = make_contest(), make_contest()
    one = whole.add_entry()
    whole.sweep(one, FakePlatform(crowd, page_max=page_max))
    platform = WatchedPlatform(crowd, page_max=page_max, clock=pieces.clock)
    platform.before = {at: platform.happen(kind) for at, kind in breaks}
    other = pieces.add_entry()
    while pieces.sweep(other, platform) != COMPLETE:
        pieces.clock.forward(minutes=10)
    assert facts_of(pieces, other) == facts_of(whole, one)


def facts_of(contest: Contest, entry_id: int) -> tuple[Any, ...]:
    (sweep,) = contest.rows(Sweep, entry_id=entry_id)
    status = contest.status
    entry = status.entries[0]
    return (
        status.likes,
        status.bytes,
        status.checkpoint,
        (entry.displayed, entry.held, entry.gap, entry.credited),
        (sweep.pages, sweep.listed, sweep.new, sweep.credited, sweep.outcome, sweep.pass_number),
    )


@bounded
@given(pages=st.lists(st.lists(names, max_size=4), min_size=1, max_size=8))
def test_pages_in_any_shape_credit_whoever_they_name_once(make_contest: MakeContest, pages: list[list[str]]) -> None:
    """A page given twice ends the sweep: then everyone on the pages before it is credited."""
    contest, told = make_contest(), until_a_page_repeats(pages)
    cursors = [f"c{number}" for number in range(1, len(pages))] + [None]
    script = [page_of(*page, cursor=cursor) for page, cursor in zip(pages, cursors, strict=True)]
    ending = contest.sweep(contest.add_entry(), scripted(*script, displayed=HIDDEN))
    assert (ending == COMPLETE) is (told == pages)
    status = contest.status
    assert status.likes.credited == status.entries[0].held == len({name for page in told for name in page})


def until_a_page_repeats(pages: list[list[str]]) -> list[list[str]]:
    for place, page in enumerate(pages):
        if page and page in pages[:place]:
            return pages[:place]
    return pages
