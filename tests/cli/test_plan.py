"""`harvester plan`: what will be known, how often it can be asked, and what must be cleared."""

from datetime import UTC, datetime

import pytest

from harvester.contest.times import clock_changes, find_zone
from harvester.rehearsal import Bluesky, Kind
from harvester.rehearsal.faults import Fail
from tests.cli.conftest import Run


@pytest.fixture
def planned(home: Run) -> Run:
    """A contest across the end of Ramadan 2027 in Morocco."""
    made = home("campaign", "add", "afcon", "--name", "A", "--start", "2027-01-21", "--end", "2027-03-31")
    assert made.code == 0
    return home


def test_a_plan_says_what_is_known_and_how_often_it_can_be_asked(planned: Run, platform, publish) -> None:
    planned("post", "add", "afcon", platform.url_of(publish(200)), platform.url_of(publish(3, dialect=Bluesky())))

    plan = planned("plan", "afcon", "--json")

    assert plan.code == 0
    first, second = plan.facts["posts"]
    assert (first["knows"], first["displayed"], first["requests"]) == ("identities", 200, 5)
    assert first["shortest_interval"] == "PT15S"  # 5 requests of 300 in 15 minutes
    assert (second["connector"], second["requests"]) == ("bluesky", 3)


def test_a_plan_names_the_clock_changes_inside_the_window(planned: Run, platform, publish) -> None:
    planned("post", "add", "afcon", platform.url_of(publish(1)))

    said = planned("plan", "afcon")

    assert "the clocks in Africa/Casablanca go back by 1 h inside the contest, at 2027-02-07 02:00" in said.out
    assert "the clocks in Africa/Casablanca go forward by 1 h inside the contest, at 2027-03-14 03:00" in said.out


def test_a_window_without_a_clock_change_has_none() -> None:
    start, end = datetime(2027, 6, 19, tzinfo=UTC), datetime(2027, 7, 19, tzinfo=UTC)

    assert clock_changes(find_zone("Africa/Casablanca"), start, end) == ()


def test_a_post_that_cannot_be_read_is_planned_as_unknown_with_the_reason(planned: Run, platform, publish) -> None:
    dead, fine = publish(1), publish(1)
    planned("post", "add", "afcon", platform.url_of(dead), platform.url_of(fine))
    platform.faults.inject(Fail(status=403), on=Kind.POST, about=dead.native_id, times=None)

    plan = planned("plan", "afcon", "--json")

    assert plan.code == 3
    assert [post["knows"] for post in plan.facts["posts"]] == ["neither", "identities"]
    assert "refused (HTTP 403)" in plan.facts["posts"][0]["notes"][0]


def test_a_plan_stores_nothing(planned: Run, platform, publish) -> None:
    planned("post", "add", "afcon", platform.url_of(publish(7)))
    before = planned("status", "afcon", "--json").facts

    planned("plan", "afcon")

    assert planned("status", "afcon", "--json").facts == before


def test_a_post_older_than_the_contest_is_warned_of(planned: Run, platform, publish) -> None:
    old = publish(1, at=datetime(2026, 12, 1, tzinfo=UTC))
    planned("post", "add", "afcon", platform.url_of(old))

    assert "what it has before is the baseline" in planned("plan", "afcon").out
