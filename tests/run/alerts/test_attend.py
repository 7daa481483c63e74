"""What is wrong is told once, and once more when it is over; nobody is flooded, and nothing is lost on the way."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from harvester.config import AlertSettings, Settings
from harvester.connector import Basis, Exhausted, GrantLost, Missing, Unstable
from harvester.run.alerts.addresses import Address, Addresses, open_addresses
from harvester.run.alerts.attend import AlertsDone, attend, count_untold, notify_all
from harvester.run.alerts.messages import messages
from harvester.store.installation import Installation
from harvester.store.kinds import AlertKind, EntryState
from harvester.store.models import Alert, Entry, Settlement
from tests.factories import HIDDEN, Contest, CountingPlatform, FakePlatform

NOTHING = AlertsDone()
LOST = ("harvester: access lost", "fake (here) no longer lets harvester read 1 post: refused.")
DOWN, UP = "harvester: server cannot be read", "harvester: over: server cannot be read"


@dataclass
class People:
    """Whom alerts are told: `sent` are titles and first lines; while `are_deaf`, nothing is delivered."""

    are_deaf: bool = False
    sent: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    def __call__(self, title: str, body: str) -> bool:
        if not self.are_deaf:
            self.sent.append((title, body.splitlines()[0]))
            self.bodies.append(body)
        return not self.are_deaf


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def at(contest: Contest) -> Installation:
    settings = Settings(alerts=AlertSettings(milestone_likes=100))
    return Installation(database=contest.database, settings=settings, master=contest.master, now=contest.clock)


@pytest.fixture
def entry_id(contest: Contest) -> int:
    return contest.add_entry()


def break_(contest: Contest, *entry_ids: int) -> None:
    for entry_id in entry_ids:
        contest.sweep(entry_id, FakePlatform(before={1: GrantLost("refused")}))


def mend(contest: Contest, *entry_ids: int) -> None:
    for entry_id in entry_ids:
        contest.sweep(entry_id, FakePlatform(likers=["a"]))


def test_an_alert_is_sent_once_and_so_is_its_recovery(contest: Contest, at, entry_id: int, people: People) -> None:
    break_(contest, entry_id)
    assert attend(at, people) == AlertsDone(raised=1)
    assert attend(at, people) == NOTHING
    assert people.sent == [LOST]
    assert people.bodies[0].splitlines()[1].startswith("What to do: A person must act: 'harvester doctor'")

    mend(contest, entry_id)
    assert attend(at, people) == AlertsDone(recovered=1)
    assert attend(at, people) == NOTHING
    assert people.sent[1:] == [("harvester: over: access lost", f"Over since 2027-01-21 20:02 UTC. It was: {LOST[1]}")]


def test_the_same_trouble_later_is_a_new_alert(contest: Contest, at, entry_id: int, people: People) -> None:
    for _ in range(2):
        break_(contest, entry_id)
        attend(at, people)
        mend(contest, entry_id)
        attend(at, people)
        contest.clock.forward(hours=2)

    assert [title for title, _ in people.sent] == [LOST[0], "harvester: over: access lost"] * 2
    assert len(contest.rows(Alert)) == 2


def test_what_could_not_be_delivered_is_tried_again(contest: Contest, at, entry_id: int, people: People) -> None:
    break_(contest, entry_id)
    people.are_deaf = True
    assert attend(at, people) == AlertsDone(raised=1, unsent=1)
    assert attend(at, people) == AlertsDone(unsent=1)

    people.are_deaf = False
    assert attend(at, people) == NOTHING
    assert people.sent == [LOST]


def test_a_recovery_that_could_not_be_delivered_is_tried_again(
    contest: Contest, at, entry_id: int, people: People
) -> None:
    break_(contest, entry_id)
    attend(at, people)
    mend(contest, entry_id)
    people.are_deaf = True
    assert attend(at, people) == AlertsDone(recovered=1, unsent=1)

    people.are_deaf = False
    assert attend(at, people) == NOTHING
    assert [title for title, _ in people.sent] == [LOST[0], "harvester: over: access lost"]


def test_an_alert_that_was_over_before_anybody_was_told_is_never_sent(
    contest: Contest, at, entry_id: int, people: People
) -> None:
    people.are_deaf = True
    break_(contest, entry_id)
    attend(at, people)
    mend(contest, entry_id)
    people.are_deaf = False

    assert attend(at, people) == AlertsDone(recovered=1)
    assert people.sent == []


def test_what_comes_and_goes_is_sent_at_most_once_an_hour(contest: Contest, at, entry_id: int, people: People) -> None:
    for _ in range(5):
        break_(contest, entry_id)
        attend(at, people)
        mend(contest, entry_id)
        attend(at, people)
        contest.clock.forward(minutes=5)
    assert [title for title, _ in people.sent] == [LOST[0], "harvester: over: access lost"]

    break_(contest, entry_id)
    assert attend(at, people) == AlertsDone(raised=1)
    contest.clock.forward(minutes=30)
    attend(at, people)
    assert [title for title, _ in people.sent] == [LOST[0], "harvester: over: access lost", LOST[0]]


def test_a_whole_platform_that_is_down_is_one_message(contest: Contest, at, people: People) -> None:
    entries = [contest.add_entry(str(number), basis=Basis.COUNT) for number in range(60)]
    contest.read(entries, CountingPlatform())
    assert attend(at, people) == AlertsDone(raised=60)

    lines = people.bodies[0].splitlines()
    assert people.sent == [("harvester: post missing, 60 times", lines[0])]
    assert [line.partition(" ")[0] for line in lines[:3]] == [f"https://fake.example/{number}" for number in range(3)]
    assert lines[3] == "And 57 more: see 'harvester alerts list'."

    contest.read(entries, CountingPlatform(numbers={str(number): 1 for number in range(60)}))
    assert attend(at, people) == AlertsDone(recovered=60)
    assert [title for title, _ in people.sent[1:]] == ["harvester: over: post missing, 60 times"]


def test_all_alerts_of_a_kind_are_one_message(contest: Contest, at, people: People) -> None:
    for number in range(3):
        contest.sweep(contest.add_entry(str(number)), FakePlatform(before={1: Missing("404")}))
    attend(at, people)

    assert [title for title, _ in people.sent] == ["harvester: post missing, 3 times"]
    assert [line.partition(" ")[0] for line in people.bodies[0].splitlines()] == [
        *(f"https://fake.example/{number}" for number in range(3)),
        "What",
    ]


def test_posts_that_fail_one_after_another_are_two_messages_and_two_when_they_are_over(
    contest: Contest, at, people: People
) -> None:
    """The daemon attends every minute, while one post after the other is found to be missing."""
    entries = [contest.add_entry(str(number)) for number in range(20)]
    gone, back = {"before": {1: Missing("404")}}, {"likers": ["a"]}
    for world in (gone, back):
        for entry_id in entries:
            contest.sweep(entry_id, FakePlatform(**{key: type(one)(one) for key, one in world.items()}))
            attend(at, people)
        contest.clock.forward(minutes=15)
        attend(at, people)

    assert [title for title, _ in people.sent] == [
        "harvester: post missing",
        "harvester: post missing, 15 times",
        "harvester: post missing, 4 times",
        "harvester: over: post missing",
        "harvester: over: post missing, 15 times",
        "harvester: over: post missing, 4 times",
    ]


# A server that is down


def fail(contest: Contest, at: Installation, people: People, *entry_ids: int) -> None:
    """Try posts whose server answers nothing but 503; the daemon attends in the midst of each attempt, and after it."""

    def go_down() -> None:
        attend(at, people)
        raise Unstable("503")

    for entry_id in entry_ids:
        contest.sweep(entry_id, FakePlatform(before={1: go_down}))
        attend(at, people)


def test_a_server_that_is_down_is_told_when_the_second_attempt_has_failed(
    contest: Contest, at, entry_id: int, people: People
) -> None:
    fail(contest, at, people, entry_id)
    assert people.sent == []

    fail(contest, at, people, entry_id)
    assert people.sent == [
        (
            DOWN,
            "fake (here) does not let posts be read to their end: https://fake.example/1 (contest-1), "
            "2 attempts since 2027-01-21 20:00 UTC: 503.",
        )
    ]


def test_a_server_that_is_down_for_hours_is_one_alert_and_its_return_one_recovery(
    contest: Contest, at, entry_id: int, people: People
) -> None:
    for _ in range(20):
        fail(contest, at, people, entry_id)
        contest.clock.forward(minutes=20)
    assert [title for title, _ in people.sent] == [DOWN]

    mend(contest, entry_id)
    attend(at, people)
    assert [title for title, _ in people.sent] == [DOWN, UP]
    assert len(contest.rows(Alert)) == 1


def test_an_attempt_that_we_stop_mends_nothing(contest: Contest, at, entry_id: int, people: People) -> None:
    for _ in range(2):
        fail(contest, at, people, entry_id)

    contest.sweep(entry_id, FakePlatform(likers=["a"]), should_stop=lambda: True)
    attend(at, people)

    assert [title for title, _ in people.sent] == [DOWN]


def test_a_spent_quota_is_not_over_while_it_is_tried_again(contest: Contest, at, entry_id: int, people: People) -> None:
    contest.sweep(entry_id, FakePlatform(before={1: Exhausted(contest.clock())}))
    attend(at, people)

    contest.sweep(entry_id, FakePlatform(likers=["a"], before={1: lambda: attend(at, people) and None}))

    assert [title for title, _ in people.sent] == ["harvester: quota spent"]


def test_many_posts_of_a_server_that_is_down_are_one_message(contest: Contest, at, people: People) -> None:
    entries = [contest.add_entry(str(number)) for number in range(12)]
    for _ in range(2):
        fail(contest, at, people, *entries)

    assert [title for title, _ in people.sent] == [DOWN]
    mend(contest, *entries)
    attend(at, people)
    assert [title for title, _ in people.sent] == [DOWN, UP]


def test_every_server_is_told_by_itself(contest: Contest, at, people: People) -> None:
    one, other = contest.add_entry("1", realm="fake:one"), contest.add_entry("2", realm="fake:other")
    break_(contest, one)
    attend(at, people)
    contest.clock.forward(minutes=15)
    break_(contest, other)
    attend(at, people)

    assert [body.partition(" no longer")[0] for body in people.bodies] == ["fake (one)", "fake (other)"]


# What swings, and what ends without being mended


def test_a_count_that_swings_around_the_threshold_is_one_alert_until_half_of_the_fall_is_made_up(
    contest: Contest, at, people: People
) -> None:
    entry_id = contest.add_entry(basis=Basis.COUNT)
    for likes in (1000, *([950, 951] * 24), HIDDEN, 975, 976):
        contest.read([entry_id], CountingPlatform(numbers={"1": likes}))
        attend(at, people)
        contest.clock.forward(minutes=30)
    titles = [title for title, _ in people.sent if "milestone" not in title]

    assert titles == ["harvester: likes fell", "harvester: over: likes fell"]
    [row] = contest.rows(Alert, kind="count_fell")
    assert row.recovered_at == contest.clock() - timedelta(minutes=30)


def test_a_gap_is_over_when_half_of_it_is_closed(contest: Contest, at, people: People) -> None:
    entry_id = contest.add_entry()
    for held in (80, 81, 90, 91):
        platform = FakePlatform(likers=[f"fan-{number}" for number in range(held)], displayed=100, page_max=100)
        contest.sweep(entry_id, platform, full=True)
        attend(at, people)

    assert [title for title, _ in people.sent] == ["harvester: gap in the likes", "harvester: over: gap in the likes"]
    assert contest.rows(Alert)[0].recovered_at == contest.clock.at


def removed(contest: Contest) -> None:
    with contest.writing() as session:
        session.get_one(Entry, 1).state = EntryState.REMOVED


def settled(contest: Contest) -> None:
    with contest.writing() as session:
        row = Settlement(campaign_id=contest.facts.id, settled_at=contest.clock(), author="test", likes=0, bytes=0)
        session.add(row)


@pytest.mark.parametrize("ends", [removed, settled])
@pytest.mark.parametrize("error", [GrantLost("refused"), Missing("404")])
def test_what_ends_without_being_mended_is_closed_without_a_word(
    contest: Contest, at, people: People, *, ends: Callable[[Contest], None], error: Exception
) -> None:
    contest.sweep(contest.add_entry(), FakePlatform(before={1: error}))
    attend(at, people)

    ends(contest)
    assert attend(at, people) == AlertsDone(recovered=1)
    assert attend(at, people) == NOTHING
    assert len(people.sent) == 1


def test_a_late_settlement_that_is_made_is_good_news(contest: Contest, at, people: People) -> None:
    contest.clock.at = datetime(2027, 3, 21, tzinfo=UTC)
    attend(at, people)
    settled(contest)
    attend(at, people)

    assert "harvester: over: settlement overdue" in [title for title, _ in people.sent]
    assert "harvester: over: nightly job overdue" not in [title for title, _ in people.sent]


def test_a_milestone_is_told_once_for_ever_and_is_never_over(contest: Contest, at, people: People) -> None:
    entry_id = contest.add_entry(basis=Basis.COUNT)
    for likes in (100, 150, 350):
        contest.read([entry_id], CountingPlatform(numbers={"1": likes}))
        attend(at, people)
        contest.clock.forward(hours=2)

    assert people.sent == [
        ("harvester: milestone", "contest-1 reached 100 credited likes."),
        ("harvester: milestone", "contest-1 reached 300 credited likes."),
    ]
    assert all(row.recovered_at == row.raised_at and row.sent_at for row in contest.rows(Alert))


def test_a_milestone_that_could_not_be_told_is_told_later(contest: Contest, at, people: People) -> None:
    contest.read([contest.add_entry(basis=Basis.COUNT)], CountingPlatform(numbers={"1": 100}))
    people.are_deaf = True
    attend(at, people)
    people.are_deaf = False

    assert attend(at, people) == NOTHING
    assert people.sent == [("harvester: milestone", "contest-1 reached 100 credited likes.")]


def test_two_processes_tell_it_once(contest: Contest, at, entry_id: int, people: People) -> None:
    break_(contest, entry_id)

    def tell(title: str, body: str) -> bool:
        assert attend(at, people) == NOTHING
        return people(title, body)

    assert attend(at, tell) == AlertsDone(raised=1)
    assert people.sent == [LOST]


def test_a_process_that_dies_while_it_sends_has_kept_the_alert(
    contest: Contest, at, entry_id: int, people: People
) -> None:
    break_(contest, entry_id)

    def die(title: str, body: str) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attend(at, die)

    assert attend(at, people) == NOTHING
    assert people.sent == [LOST]


def test_after_three_failures_the_rest_waits(contest: Contest, at, people: People) -> None:
    contest.clock.at = datetime(2027, 3, 21, tzinfo=UTC)
    for number in range(3):
        contest.sweep(contest.add_entry(str(number)), FakePlatform(before={1: Missing("404")}))
    tried = []

    def refuse(title: str, body: str) -> bool:
        tried.append(title)
        return False

    break_(contest, contest.add_entry("4"))

    assert attend(at, refuse) == AlertsDone(raised=6, unsent=6)
    assert len(tried) == 3
    with contest.database.reading() as session:
        assert count_untold(session) == 6


def test_without_an_address_nobody_is_told_and_the_alert_is_kept(contest: Contest, at, entry_id: int) -> None:
    break_(contest, entry_id)

    assert attend(at, notify_all(())) == AlertsDone(raised=1, unsent=1)
    assert [(row.kind, row.subject, row.sent_at) for row in contest.rows(Alert)] == [
        ("grant_lost", "fake (here)", None)
    ]


def test_every_alert_is_logged_with_what_to_do(
    contest: Contest, at, entry_id: int, people: People, caplog: pytest.LogCaptureFixture
) -> None:
    break_(contest, entry_id)
    attend(at, people)
    attend(at, people)

    [record] = [one for one in caplog.records if one.levelno >= logging.WARNING]
    assert record.getMessage() == " ".join(people.bodies[0].splitlines()).replace("What to do: ", "")
    assert record.__dict__["kind"] == "grant_lost"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("nosuch://hunter2@x", r"address 2 \(nosuch://…\)"),
        ("hunter2", "address 2"),
        ("json://", r"address 2 \(json://…\)"),
        ("mailto://hunter2", r"address 2 \(mailto://…\)"),
    ],
)
def test_what_is_no_address_is_one_line_that_does_not_show_it(
    url: str, named: str, caplog: pytest.LogCaptureFixture
) -> None:
    [refused] = opened("json://localhost", url).refused

    assert re.match(rf"alerts: {named} is not an address that Apprise understands", refused)
    assert "hunter2" not in refused + caplog.text


def opened(*urls: str) -> Addresses:
    return open_addresses(AlertSettings(urls=tuple(SecretStr(url) for url in urls)))


def test_an_address_that_is_wrong_does_not_silence_the_others() -> None:
    addresses = opened("json://localhost", "nosuch://x", "json://other")

    assert [one.name for one in addresses.understood] == ["address 1 (json://…)", "address 3 (json://…)"]
    assert len(addresses.refused) == 1


@pytest.mark.parametrize("between", [" ", ", ", ";", "\t"])
def test_two_addresses_on_one_line_are_refused(between: str) -> None:
    addresses = opened(f"json://one.example{between}json://two.example")

    assert addresses == Addresses(
        understood=[], refused=["alerts: address 1 (json://…) is more than one address: write one a line"]
    )


def test_an_address_may_hold_another_one() -> None:
    assert opened("json://one.example/?image=https://two.example/a.png").refused == []


class Deaf:
    """A place that takes no message until it is told to."""

    takes = False

    def notify(self, *_: Any, **__: Any) -> bool:
        return self.takes


def test_an_address_that_takes_nothing_is_logged_when_that_begins_and_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="harvester")
    deaf: Any = Deaf()
    notify = notify_all([Address("address 1 (json://…)", deaf)])
    for deaf.takes in (False, False, True, True, False):
        assert notify("title", "body") is deaf.takes

    assert [record.getMessage() for record in caplog.records] == [
        "an alert could not be delivered to address 1 (json://…)",
        "alerts are delivered to address 1 (json://…) again",
        "an alert could not be delivered to address 1 (json://…)",
    ]


def test_every_kind_has_a_headline_and_a_line_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operate.md").read_text(encoding="utf-8")
    now = datetime(2027, 1, 21, tzinfo=UTC)
    every = [Alert(id=1, kind=kind, subject="x", message="x", raised_at=now) for kind in AlertKind]

    assert len({one.title for one in messages(every, is_recovery=False)}) == len(AlertKind)
    assert [kind for kind in AlertKind if f"| `{kind}` |" not in page] == []
