"""What is wrong is told once, and once more when it is over; nobody is flooded, and nothing is lost on the way."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from harvester.config import AlertSettings, Settings
from harvester.connector import Basis, GrantLost, Missing
from harvester.errors import ConfigError
from harvester.run.alerts import AlertsDone, apprise_notify, attend
from harvester.store.installation import Installation
from harvester.store.models import Alert
from tests.factories import Contest, CountingPlatform, FakePlatform

NOTHING = AlertsDone()
LOST = ("harvester: access lost", "fake no longer lets harvester read 1 post: refused.")


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


def test_a_few_alerts_of_a_kind_are_a_message_each(contest: Contest, at, people: People) -> None:
    for number in range(3):
        contest.sweep(contest.add_entry(str(number)), FakePlatform(before={1: Missing("404")}))
    attend(at, people)

    assert [title for title, _ in people.sent] == ["harvester: post missing"] * 3


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

    assert attend(at, refuse) == AlertsDone(raised=5, unsent=5)
    assert len(tried) == 3


def test_without_an_address_nobody_is_told_and_the_alert_is_kept(contest: Contest, at, entry_id: int) -> None:
    break_(contest, entry_id)

    assert attend(at, apprise_notify(AlertSettings())) == AlertsDone(raised=1, unsent=1)
    assert [(row.kind, row.subject, row.sent_at) for row in contest.rows(Alert)] == [("grant_lost", "fake", None)]


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
    urls = (SecretStr("json://localhost"), SecretStr(url))

    with pytest.raises(ConfigError, match=rf"^alerts: {named} is not an address") as error:
        apprise_notify(AlertSettings(urls=urls))

    assert "hunter2" not in str(error.value) + caplog.text
