"""Posts read together: one that spoils the batch is found and fails alone, and two who read at once credit once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import httpx
import pytest

from harvester.books.ledger import balances
from harvester.collect.http import PoliteClient
from harvester.collect.progress import Ending
from harvester.collect.readings import read_entries
from harvester.collect.registry import Platform
from harvester.config import HttpSettings
from harvester.connector import (
    Basis,
    ContractBroken,
    Count,
    Exhausted,
    GrantLost,
    Http,
    Missing,
    Order,
    Outcome,
    Post,
    Refused,
    Throttled,
    Unstable,
)
from harvester.store.kinds import Cause, EntryState, SweepOutcome
from harvester.store.models import Entry, Reading, Sweep
from tests.factories import COMPLETE, HIDDEN, KICK_OFF, Contest, CountingPlatform, FakePlatform

EIGHT = {str(number): 10 * number for number in range(1, 9)}
"""Eight posts and their numbers: 360 likes."""


@pytest.fixture
def entries(contest: Contest) -> dict[str, int]:
    """Give the entries of eight posts that are only counted, by native id."""
    return {native_id: contest.add_entry(native_id, basis=Basis.COUNT) for native_id in EIGHT}


def earned(contest: Contest) -> int:
    """Give the credited likes, once it is sure that no byte was made or lost."""
    with contest.database.reading() as session:
        assert sum(one.bytes for one in balances(session, contest.facts.id)) == 0
    status = contest.status
    assert status.bytes.credited == status.likes.credited * 10
    return status.likes.credited


def outcomes(endings: dict[int, Ending], entries: dict[str, int]) -> dict[str, SweepOutcome]:
    """Say by native id how the posts ended that were not complete."""
    ended = {native_id: endings[entry].outcome for native_id, entry in entries.items()}
    return {native_id: outcome for native_id, outcome in ended.items() if outcome is not SweepOutcome.COMPLETE}


# A batch.


def test_posts_are_read_in_one_request(contest: Contest, entries: dict[str, int]) -> None:
    platform = CountingPlatform(EIGHT)
    endings = contest.read([*entries.values()], platform)
    assert (endings, platform.asked) == (dict.fromkeys(entries.values(), COMPLETE), [tuple(EIGHT)])
    assert (earned(contest), [one.credited for one in contest.status.entries]) == (360, [*EIGHT.values()])


@pytest.mark.parametrize(
    ("spoilt", "error"),
    [
        (("1",), Missing("gone")),
        (("8",), Refused("private")),
        (("3", "4"), ContractBroken("not a number")),
        (("2", "7"), Missing("gone")),
        (tuple(EIGHT), Refused("private")),
    ],
)
def test_what_spoils_a_batch_is_narrowed_down_to_its_posts(
    contest: Contest, entries: dict[str, int], spoilt: tuple[str, ...], error: Outcome
) -> None:
    platform = CountingPlatform(EIGHT, spoilt=dict.fromkeys(spoilt, error))
    endings = contest.read([*entries.values()], platform)
    assert outcomes(dict(endings), entries) == dict.fromkeys(spoilt, SweepOutcome.FAILED)
    assert all(str(error) in str(endings[entries[native_id]].reason) for native_id in spoilt)
    assert earned(contest) == 360 - sum(EIGHT[native_id] for native_id in spoilt)


@pytest.mark.parametrize(
    ("error", "outcome", "cause"),
    [
        (Unstable("broke off"), SweepOutcome.PARTIAL, Cause.UNSTABLE),
        (GrantLost("wants a valid credential"), SweepOutcome.FAILED, Cause.GRANT_LOST),
    ],
)
def test_what_concerns_the_whole_platform_is_asked_once(
    contest: Contest, entries: dict[str, int], error: Outcome, outcome: SweepOutcome, cause: Cause
) -> None:
    platform = CountingPlatform(EIGHT, before={1: error})
    ending = Ending(outcome=outcome, reason=str(error), cause=cause)
    assert contest.read([*entries.values()], platform) == dict.fromkeys(entries.values(), ending)
    assert (len(platform.asked), earned(contest)) == (1, 0)
    assert {one.state for one in contest.status.entries} == {EntryState.OPEN}


@pytest.mark.parametrize(("kind", "cause"), [(Throttled, Cause.THROTTLED), (Exhausted, Cause.EXHAUSTED)])
def test_a_throttled_batch_is_not_asked_again_before_its_time(
    contest: Contest, entries: dict[str, int], kind: type[Throttled], cause: Cause
) -> None:
    until = KICK_OFF + timedelta(minutes=30)
    platform = CountingPlatform(EIGHT, before={1: kind(until, "asked for a pause")})
    paused = Ending(outcome=SweepOutcome.PARTIAL, reason="asked for a pause", cause=cause, resume_at=until)
    for _ in range(2):
        assert contest.read([*entries.values()], platform) == dict.fromkeys(entries.values(), paused)
    assert (len(platform.asked), {one.next_poll_at for one in contest.status.entries}) == (1, {until})
    contest.clock.at = until
    assert contest.read([*entries.values()], platform) == dict.fromkeys(entries.values(), COMPLETE)
    assert earned(contest) == 360


def test_only_the_posts_that_are_not_paused_are_asked_for(contest: Contest, entries: dict[str, int]) -> None:
    pause = Throttled(KICK_OFF + timedelta(minutes=30), "asked for a pause")
    contest.read([entries["2"], entries["3"]], CountingPlatform(EIGHT, before={1: pause}))
    platform = CountingPlatform(EIGHT)
    endings = contest.read([*entries.values()], platform)
    assert platform.asked == [("1", "4", "5", "6", "7", "8")]
    assert outcomes(dict(endings), entries) == dict.fromkeys(("2", "3"), SweepOutcome.PARTIAL)


def test_a_pause_asked_for_while_narrowing_down_leaves_what_was_read(contest: Contest, entries: dict[str, int]) -> None:
    platform = CountingPlatform(EIGHT, before={1: Refused("private"), 3: Throttled(KICK_OFF, "asked for a pause")})
    endings = contest.read([*entries.values()], platform)
    assert outcomes(dict(endings), entries) == dict.fromkeys(("5", "6", "7", "8"), SweepOutcome.PARTIAL)
    assert earned(contest) == 100


def test_a_post_of_two_contests_is_asked_for_once(make_contest: Callable[..., Contest]) -> None:
    one, other = make_contest(), make_contest()
    jobs = [contest.job(contest.add_entry(basis=Basis.COUNT), CountingPlatform()) for contest in (one, other)]
    platform = CountingPlatform({"1": 7})
    read_entries([replace(job, platform=replace(job.platform, connector=platform)) for job in jobs])
    assert (platform.asked, earned(one), earned(other)) == ([("1",)], 7, 7)


# A post that is not there.


def test_a_post_left_out_is_missing_and_after_a_day_gone_and_its_credits_stay(
    contest: Contest, entries: dict[str, int]
) -> None:
    contest.read([*entries.values()], CountingPlatform(EIGHT))
    platform = CountingPlatform({native_id: likes + 1 for native_id, likes in EIGHT.items() if native_id != "3"})
    states = []
    for hours in (0, 23, 1):
        contest.clock.forward(hours=hours)
        endings = contest.read([*entries.values()], platform)
        assert outcomes(dict(endings), entries) == {"3": SweepOutcome.FAILED}
        states.append(contest.entry(entries["3"]).state)
    assert states == [EntryState.MISSING, EntryState.MISSING, EntryState.GONE]
    assert (contest.entry(entries["3"]).credited, earned(contest)) == (30, 367)


def test_a_post_that_is_shown_again_is_open_again(contest: Contest, entries: dict[str, int]) -> None:
    contest.read([entries["3"]], CountingPlatform())
    assert contest.entry(entries["3"]).state is EntryState.MISSING
    contest.read([entries["3"]], CountingPlatform(EIGHT))
    assert (contest.entry(entries["3"]).state, earned(contest)) == (EntryState.OPEN, 30)


def test_a_hidden_number_is_no_absence(contest: Contest, entries: dict[str, int]) -> None:
    contest.read([entries["3"]], CountingPlatform({"3": HIDDEN}))
    assert (contest.entry(entries["3"]).state, contest.rows(Reading)[0].likes) == (EntryState.OPEN, None)


# What was asked, and when.


class AskingPlatform(CountingPlatform):
    """Makes a real request for every batch."""

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        http.get(posts[0].url)
        return super().fetch_counts(http, posts)


def test_the_requests_of_a_batch_add_up_however_often_it_was_halved(contest: Contest, entries: dict[str, int]) -> None:
    platform = AskingPlatform(EIGHT, spoilt={"3": Refused("private")})
    answers = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
    client = PoliteClient(HttpSettings(), now=contest.clock, transport=answers)
    read_entries(
        [replace(contest.job(entry, platform), platform=Platform(platform, client)) for entry in entries.values()]
    )
    assert sum(one.requests for one in contest.rows(Sweep)) == len(platform.asked) == 7


def test_a_number_counts_from_when_it_was_read_not_from_when_it_was_booked(
    contest: Contest, entries: dict[str, int]
) -> None:
    """The books may have to wait for others, while the rate changes or the contest ends."""

    class SlowDatabase:
        def __getattr__(self, name: str) -> object:
            return getattr(contest.database, name)

        def writing(self) -> object:
            contest.clock.forward(minutes=1)
            return contest.database.writing()

    contest.read([entries["1"]], CountingPlatform(EIGHT), database=SlowDatabase())
    assert contest.rows(Reading)[0].read_at == KICK_OFF


# Entries with named likers keep the numbers, too.


def test_every_number_that_an_identity_sweep_reads_is_kept_and_earns_nothing(contest: Contest) -> None:
    entry, platform = contest.add_entry(), FakePlatform(["a", "b"], displayed=7)
    contest.sweep(entry, platform)
    platform.displayed = HIDDEN
    contest.sweep(entry, platform, full=True)
    assert [one.likes for one in contest.rows(Reading)] == [7, 7, 7, 7, None, None]
    assert (contest.rows(Entry)[0].high_water, earned(contest)) == (None, 2)


def test_a_list_that_is_never_longer_is_capped_and_not_walked_again(contest: Contest) -> None:
    entry = contest.add_entry()
    platform = FakePlatform([f"fan-{number}" for number in range(4)], depth_limit=4, displayed=9)
    ending = contest.sweep(entry, platform)
    assert (ending.outcome, len(platform.asked), contest.entry(entry).gap) == (SweepOutcome.COMPLETE, 2, 5)
    assert str(ending.reason).startswith("capped")


@pytest.mark.parametrize("more", [0, 1], ids=["beside a stale count", "beside a true count"])
def test_nobody_took_back_a_like_by_falling_out_of_a_capped_list(contest: Contest, more: int) -> None:
    """Newer likers push older ones out."""
    entry = contest.add_entry()
    platform = FakePlatform(["a", "b", "c"], depth_limit=3, displayed=3, order=Order.UNDEFINED)
    contest.sweep(entry, platform)
    for newer in ("d", "e", "f"):
        platform.like(newer)
        platform.unlike(platform.standing[-1])
        platform.displayed = int(str(platform.displayed)) + more
        contest.sweep(entry, platform, full=True)
    assert (earned(contest), contest.entry(entry).held) == (6, 6)


# Two at once.


def test_two_who_read_a_post_at_once_credit_it_once(contest: Contest, entries: dict[str, int]) -> None:
    together = Barrier(2, timeout=30)
    for number in range(10, 60, 10):
        jobs = [
            contest.job(entries["1"], CountingPlatform({"1": number + more}, before={1: together.wait}))
            for more in (0, 1)
        ]
        with ThreadPoolExecutor(2) as threads:
            endings = list(threads.map(read_entries, ([job] for job in jobs)))
        assert endings == [{entries["1"]: COMPLETE}] * 2
        contest.clock.forward(minutes=1)
        assert (earned(contest), contest.rows(Entry)[0].high_water) == (number + 1, number + 1)
    assert len(contest.rows(Reading)) == 10


def test_two_batches_in_opposite_order_do_not_wait_for_each_other(contest: Contest, entries: dict[str, int]) -> None:
    together = Barrier(2, timeout=30)
    orders = [[*entries.values()], [*reversed(entries.values())]]
    platforms = [CountingPlatform(EIGHT, before={1: together.wait}) for _ in orders]
    batches = [
        [contest.job(entry, platform) for entry in order] for order, platform in zip(orders, platforms, strict=True)
    ]
    with ThreadPoolExecutor(2) as threads:
        endings = list(threads.map(read_entries, batches))
    assert endings == [dict.fromkeys(entries.values(), COMPLETE)] * 2
    assert (earned(contest), len(contest.rows(Reading))) == (360, 16)
