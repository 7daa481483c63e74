"""`harvester plan`: what will be known, how often it can be asked, and what must be cleared."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from harvester.contest.times import clock_changes, find_zone
from harvester.rehearsal import Bluesky, Kind
from harvester.rehearsal.faults import Fail
from tests.cli.conftest import Run


@pytest.fixture
def planned(home: Run) -> Run:
    """A contest in a zone whose clocks change twice inside it."""
    days = ("--start", "2027-01-21", "--end", "2027-11-30", "--tz", "Europe/Paris")
    made = home("campaign", "add", "afcon", "--name", "A", *days)
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

    assert "the clocks in Europe/Paris go forward by 1 h inside the contest, at 2027-03-28 03:00" in said.out
    assert "the clocks in Europe/Paris go back by 1 h inside the contest, at 2027-10-31 02:00" in said.out


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


class _CappedPlatform(BaseHTTPRequestHandler):
    """Answers as X does: a count of 350, and a list that ends at a hundred."""

    def do_GET(self) -> None:
        likers = [{"id": str(number), "username": f"fan{number}"} for number in range(1, 101)]
        shown = {"id": "1234567890123456789", "created_at": "2027-01-21T20:00:00.000Z"}
        count = [shown | {"public_metrics": {"like_count": 350}}]
        body = json.dumps(
            {"data": likers if "liking_users" in self.path else count, "meta": {"result_count": 100}}
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def capped(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A platform that names a hundred likers at most, and the link of a post on it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _CappedPlatform) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        monkeypatch.setenv("HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS", "true")
        monkeypatch.setenv("HARVESTER_CONNECTORS__X__API", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("HARVESTER_CONNECTORS__X__TOKEN", "a-token")
        yield "https://x.com/khatwatkhir/status/1234567890123456789"
        server.shutdown()
        thread.join()


def test_a_capped_list_is_planned_with_the_rate_at_which_a_liker_is_lost(planned: Run, capped: str) -> None:
    assert planned("post", "add", "afcon", capped, "--basis", "identity").code == 0

    (post,) = planned("plan", "afcon", "--json").facts["posts"]
    safe = post["likes_an_hour_at_most"]
    busy, quiet = (
        planned("plan", "afcon", "--likes-per-hour", str(safe + 1)),
        planned("plan", "afcon", "--likes-per-hour", str(safe)),
    )

    assert (post["basis"], post["knows"], post["displayed"]) == ("identity", "identities", 350)
    assert f"above {safe:,} likes an hour a liker can pass unseen" in post["notes"][0]
    assert f"likers pass unseen (safe up to {safe:,})" in busy.out
    assert "unseen" not in quiet.out
    assert "have a lawyer clear, x: " in quiet.out


def test_a_post_there_is_counted_unless_a_person_wants_names(planned: Run, capped: str) -> None:
    said = planned("post", "add", "afcon", capped)

    assert (said.code, "credited by that number: the likers stay unknown" in said.out) == (0, True)
