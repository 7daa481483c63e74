"""`harvester campaign settle`, and what a settled contest still lets people do."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from harvester.rehearsal import SimulatedPlatform, SimulatedPost
from harvester.rehearsal.faults import Fail
from tests.cli.conftest import Clock, Run

Refused = Callable[..., str]
Publish = Callable[..., SimulatedPost]
AFTER = datetime(2027, 2, 18, 12, tzinfo=UTC)


@pytest.fixture
def ended(read_contest: Run, clock: Clock) -> Run:
    """The contest, a day after its end."""
    clock.at = AFTER
    return read_contest


def settle(run: Run, *more: str) -> tuple[int, list[str]]:
    said = run("campaign", "settle", "afcon", *more)
    return said.code, said.out.splitlines()


def test_a_settlement_says_what_the_contest_came_to(ended: Run) -> None:
    assert settle(ended) == (0, ["afcon is settled: 210 likes, 2.1 GB", "  nothing more is counted"])


def test_a_program_gets_everything(ended: Run) -> None:
    facts = ended("campaign", "settle", "afcon", "--json").facts
    assert facts == {
        "campaign": "afcon",
        "is_settled": True,
        "outcome": "complete",
        "left_over": [],
        "likes": 210,
        "bytes": 2_100_000_000,
        "reversed_likes": 0,
        "reversed_bytes": 0,
        "floor_bytes": 0,
        "accepted_gap": None,
        "settled_at": "2027-02-18T12:00:00Z",
        "unproven": [],
    }


def test_before_the_end_it_is_refused(read_contest: Run, refused: Refused) -> None:
    line = "campaign 'afcon' ends 2027-02-18 00:00: it can be settled from then on"
    assert refused("campaign", "settle", "afcon") == line


def test_a_second_time_it_says_when_and_what_it_came_to(ended: Run, refused: Refused) -> None:
    settle(ended)
    line = "campaign 'afcon' was settled on 2027-02-18 12:00: 210 likes, 2.1 GB"
    assert refused("campaign", "settle", "afcon") == line


def test_a_gap_needs_a_reason(ended: Run, refused: Refused) -> None:
    assert refused("campaign", "settle", "afcon", "--accept-gap", " ").startswith("a decision needs a reason")


def test_a_post_that_cannot_be_read_blocks_until_it_is_accepted(ended: Run, platform: SimulatedPlatform) -> None:
    posts = ended("status", "afcon", "--json").facts["entries"]
    url = posts[0]["url"]
    platform.faults.inject(Fail(status=403), about=posts[0]["post_id"], times=None)
    code, lines = settle(ended)
    assert (code, lines[0], lines[2].startswith(f"    {url}: ")) == (
        3,
        "afcon is not settled; so far: 210 likes, 2.1 GB",
        True,
    )
    assert lines[-1] == '  harvester campaign settle afcon --accept-gap "why"'
    code, lines = settle(ended, "--accept-gap", "the page was closed")
    assert (code, lines[1]) == (0, "  not read to the end, and accepted (the page was closed):")
    assert lines[2].startswith(f"    {url}: ")


def test_what_no_longer_stands_is_named(home: Run, platform: SimulatedPlatform, publish: Publish, clock: Clock) -> None:
    add = ("--name", "Spring", "--start", "2027-01-21", "--end", "2027-02-18", "--keeps", "standing", "--floor", "1GB")
    assert home("campaign", "add", "afcon", *add).code == 0
    post = publish(20)
    assert home("post", "add", "afcon", platform.url_of(post)).code == 0
    assert home("poll").code == 0
    post.unlike("fan-3")
    clock.at = AFTER
    assert settle(home) == (
        0,
        [
            "afcon is settled: 19 likes, 190 MB; 1 GB with the guarantee",
            "  1 like no longer stood: 10 MB taken back",
            "  810 MB added, up to the guaranteed floor",
            "  nothing more is counted",
        ],
    )


# Afterwards.


@pytest.fixture
def settled(ended: Run) -> Run:
    assert settle(ended)[0] == 0
    return ended


@pytest.mark.parametrize(
    "command",
    [
        ("poll", "afcon"),
        ("post", "add", "afcon", "https://social.example/@amal/1"),
        ("campaign", "rate", "afcon", "20MB"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_nothing_that_counts_can_be_changed(settled: Run, refused: Refused, command: tuple[str, ...]) -> None:
    assert refused(*command) == "campaign 'afcon' was settled on 2027-02-18 12:00: nothing is counted any more"


def test_a_poll_of_everything_leaves_it_out(settled: Run) -> None:
    said = settled("poll")
    assert (said.code, said.words) == (0, "no post to read: add one with 'harvester post add'")


def test_it_is_shown_as_settled(settled: Run) -> None:
    assert settled("status", "afcon", "--json").facts["state"] == "settled"
    shown = settled("campaign", "show", "afcon")
    assert "settled on 2027-02-18 12:00: nothing more is counted" in shown.out
    assert settled("campaign", "show", "afcon", "--json").facts["settled_at"] == "2027-02-18T12:00:00Z"


def test_associations_are_still_named(settled: Run) -> None:
    said = settled("association", "assign", "afcon", "tanger", "--reason", "chosen by the jury")
    assert (said.code, said.out.strip()) == (0, "tanger gets 100% of afcon: 2.1 GB pledged so far")


# The floor.


def test_a_floor_is_a_rule_of_the_contest(home: Run) -> None:
    dates = ("--name", "Spring", "--start", "2027-01-21", "--end", "2027-02-18")
    said = home("campaign", "add", "spring", *dates, "--floor", "1TB", "--cap", "5TB")
    assert (said.code, said.out.splitlines()[-2:]) == (0, ["  at least 1 TB", "  at most 5 TB"])
    assert home("campaign", "show", "spring", "--json").facts["floor_bytes"] == 10**12


def test_a_floor_above_the_cap_is_refused(home: Run, refused: Refused) -> None:
    dates = ("--name", "Spring", "--start", "2027-01-21", "--end", "2027-02-18")
    line = refused("campaign", "add", "spring", *dates, "--floor", "6TB", "--cap", "5TB")
    assert line == "the floor 6 TB is above the cap 5 TB"


def test_a_floor_may_stand_in_the_contests_file(home: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("contest") / "contest.toml"
    rules = 'slug = "spring"\nname = "Spring"\nstart = "2027-01-21"\nend = "2027-02-18"\nfloor = "1TB"\n'
    file.write_text(f"[campaign]\n{rules}")
    assert home("campaign", "load", str(file)).code == 0
    assert home("campaign", "show", "spring", "--json").facts["floor_bytes"] == 10**12
