"""What the daemon answers about itself: over real HTTP on loopback, from both databases."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from harvester.books.ledger import reverse
from harvester.config import Settings
from harvester.connector import Refused
from harvester.run.daemon.health import serve_health
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
from harvester.store.kinds import EntryState, SweepOutcome
from harvester.store.models import Alert, Entry, Night, Settlement, Sweep, Transfer
from tests.factories import HIDDEN, Clock, Contest, FakePlatform

NOWHERE = "127.0.0.1:0"
LABELS = ("campaign", "connector", "realm", "post", "kind", "outcome")


@dataclass(kw_only=True)
class Watched:
    """A daemon's answers, asked as a monitor does."""

    url: str
    pulse: datetime

    def get(self, path: str, method: str = "GET") -> httpx.Response:
        with httpx.Client(trust_env=False) as client:
            return client.request(method, self.url + path)

    def health(self) -> tuple[int, Any]:
        response = self.get("/health")
        return response.status_code, response.json()

    def numbers(self, name: str) -> dict[tuple[str, ...], float]:
        """Give the samples of a metric, by their labels' values in the order of LABELS."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = (one for family in families for one in family.samples if one.name == name)
        return {tuple(one.labels[label] for label in LABELS if label in one.labels): one.value for one in samples}


@pytest.fixture
def at(database: Database, clock: Clock) -> Installation:
    master = MasterKey(Fernet.generate_key().decode(), "the test")
    return Installation(database=database, settings=Settings(), master=master, now=clock)


@pytest.fixture
def watch(clock: Clock) -> Iterator[Callable[..., Watched]]:
    with ExitStack() as stack:

        def start(at: Installation, address: str = NOWHERE) -> Watched:
            watched = Watched(url="", pulse=clock())
            served = stack.enter_context(
                serve_health(at, address, pulse=lambda: watched.pulse, metrics_kept=timedelta(0))
            )
            watched.url = f"http://{served}"
            return watched

        yield start


@pytest.fixture
def watched(at: Installation, watch: Callable[..., Watched]) -> Watched:
    return watch(at)


def add(database: Database, *rows: Any) -> None:
    with database.writing() as session:
        session.add_all(rows)


# Health


def test_a_daemon_that_turns_is_well(watched: Watched) -> None:
    assert watched.health() == (
        200,
        {
            "status": "ok",
            "last_pulse": "2027-01-21T20:00:00Z",
            "open_alerts": 0,
            "unsent_alerts": 0,
            "last_night": None,
        },
    )


def test_health_tells_the_last_night_and_the_open_alerts(watched: Watched, database: Database, clock: Clock) -> None:
    was = clock() - timedelta(hours=17)
    for hours, outcome in ((0, SweepOutcome.FAILED), (1, SweepOutcome.PARTIAL)):
        night = {"started_at": was + timedelta(hours=hours), "ended_at": was + timedelta(hours=hours, minutes=9)}
        add(database, Night(outcome=outcome, summary="{}", **night))
    add(database, Alert(kind="gap", subject="1", message="", raised_at=was))
    add(database, Alert(kind="gap", subject="2", message="", raised_at=was, recovered_at=clock()))
    add(database, Alert(kind="gap", subject="3", message="", raised_at=was, sent_at=clock()))
    add(database, Alert(kind="hole", subject="4", message="", raised_at=was, recovered_at=was))

    _, facts = watched.health()

    assert (facts["open_alerts"], facts["unsent_alerts"]) == (2, 2)
    assert watched.numbers("harvester_alerts_unsent") == {(): 2}
    assert facts["last_night"] == {
        "started_at": "2027-01-21T04:00:00Z",
        "ended_at": "2027-01-21T04:09:00Z",
        "outcome": "partial",
    }


@pytest.mark.parametrize(("seconds", "code"), [(60, 200), (61, 503)])
def test_a_scheduler_that_stands_still_is_not_well(watched: Watched, clock: Clock, seconds: int, code: int) -> None:
    clock.forward(seconds=seconds)

    ended, facts = watched.health()

    assert (ended, facts["last_pulse"]) == (code, "2027-01-21T20:00:00Z")
    assert facts["status"] == ("ok" if code == 200 else "the scheduler stands still")


@pytest.mark.parametrize("url", ["postgresql+psycopg://harvester:hunter2@127.0.0.1:1/harvester", "sqlite:///{}/no/db"])
def test_a_database_that_does_not_answer_is_not_well(
    at: Installation, watch: Callable[..., Watched], tmp_path: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    watched = watch(replace(at, database=Database(url.format(tmp_path))))

    for path in ("/health", "/metrics"):
        response = watched.get(path)
        assert (response.status_code, response.json()) == (503, {"status": "the database does not answer"})
    assert "the daemon's own state cannot be read" in caplog.text
    assert "hunter2" not in caplog.text


def test_only_what_there_is_is_answered(watched: Watched) -> None:
    assert [watched.get(path).status_code for path in ("/", "/health/", "/metrics/x", "/%2e%2e/etc/passwd")] == [
        404
    ] * 4
    assert [watched.get(path, "POST").status_code for path in ("/health", "/metrics")] == [405, 405]
    assert watched.get("/health?x=1").status_code == 200


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_who_only_asks_for_the_head_gets_the_head(watched: Watched, path: str) -> None:
    whole, head = watched.get(path), watched.get(path, "HEAD")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]


def test_somebody_who_never_finishes_a_question_keeps_nobody_waiting(watched: Watched) -> None:
    host, _, port = watched.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(b"GET /health HT")

        assert watched.health()[0] == 200


# The address


def test_no_address_serves_nothing(at: Installation, clock: Clock) -> None:
    with serve_health(at, "", pulse=clock) as served:
        assert served == ""


def test_the_address_of_version_six_is_served(at: Installation, watch: Callable[..., Watched]) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")

    assert watch(at, "[::1]:0").health()[0] == 200


def test_a_busy_port_is_logged_and_stops_nothing(
    at: Installation, watched: Watched, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    address = watched.url.removeprefix("http://")

    with serve_health(at, address, pulse=clock) as served:
        assert served == ""

    assert [record.getMessage() for record in caplog.records] == [
        f"daemon.listen: {address} cannot be listened on, so health and metrics are not served: address already in use"
    ]


@pytest.mark.parametrize("address", ["203.0.113.1:9464", "no-such-host.invalid:9464"])
def test_an_address_that_this_machine_does_not_have_yet_stops_nothing(
    at: Installation, clock: Clock, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_health(at, address, pulse=clock) as served:
        assert served == ""

    assert f"daemon.listen: {address} cannot be listened on" in caplog.text


def test_the_port_is_free_again_afterwards(at: Installation, clock: Clock) -> None:
    with serve_health(at, NOWHERE, pulse=clock) as served:
        pass
    with serve_health(at, served, pulse=clock) as again:
        assert again == served


# Metrics


def test_numbers_are_read_anew_after_ten_seconds_but_the_pulse_at_once(
    at: Installation, contest: Contest, clock: Clock
) -> None:
    pulse = clock()
    with serve_health(at, NOWHERE, pulse=lambda: pulse) as served:
        watched, known = Watched(url=f"http://{served}", pulse=pulse), {}
        for seconds in (0, 9, 10):
            clock.at = pulse + timedelta(seconds=seconds)
            known[seconds] = (
                len(watched.numbers("harvester_credited_likes_total")),
                watched.numbers("harvester_requests_total"),
                watched.numbers("harvester_pulse_age_seconds"),
            )
            add(at.database, Sweep(entry_id=contest.add_entry(str(seconds)), requests=1, **_times(clock)))

    assert known == {
        0: (1, {}, {(): 0}),
        9: (1, {}, {(): 9}),
        10: (1, {("fake",): 2}, {(): 10}),
    }


def _times(clock: Clock) -> dict[str, Any]:
    return {"is_full": True, "started_at": clock(), "touched_at": clock()}


def test_credits_are_counted_by_campaign_and_reversals_apart(
    watched: Watched, make_contest: Callable[..., Contest], database: Database
) -> None:
    one, other = make_contest(rate=10), make_contest(rate=7)
    one.sweep(one.add_entry("1"), FakePlatform(["ann", "bob", "cid"], page_max=1))
    other.sweep(other.add_entry("1"), FakePlatform(["ann"]))
    first = one.rows(Transfer)[0].key
    with one.writing() as session:
        reverse(session, first, reason="bought", author="test", at=one.clock())

    assert watched.numbers("harvester_credited_likes_total") == {(one.slug,): 3, (other.slug,): 1}
    assert watched.numbers("harvester_credited_bytes_total") == {(one.slug,): 30, (other.slug,): 7}
    assert watched.numbers("harvester_reversed_likes_total") == {(one.slug,): 1, (other.slug,): 0}
    assert watched.numbers("harvester_reversed_bytes_total") == {(one.slug,): 10, (other.slug,): 0}


def test_a_post_shows_displayed_held_and_gap_side_by_side(watched: Watched, contest: Contest) -> None:
    contest.sweep(contest.add_entry("11"), FakePlatform(["ann", "bob"], displayed=5))
    post = (contest.slug, "fake", "fake:here", "11")

    assert watched.numbers("harvester_post_displayed_likes") == {post: 5}
    assert watched.numbers("harvester_post_held_likes") == {post: 2}
    assert watched.numbers("harvester_post_gap_likes") == {post: 3}


def test_what_is_not_known_is_left_out(watched: Watched, contest: Contest) -> None:
    contest.sweep(contest.add_entry("1"), FakePlatform(["ann"], displayed=HIDDEN))
    contest.add_entry("2")

    assert list(watched.numbers("harvester_post_held_likes")) == [(contest.slug, "fake", "fake:here", "1")]
    for name in ("displayed", "gap"):
        assert watched.numbers(f"harvester_post_{name}_likes") == {}


def test_the_metrics_and_the_status_know_the_same_gap(watched: Watched, contest: Contest) -> None:
    entry, platform = contest.add_entry("1"), FakePlatform(["ann", "bob", "cid"], displayed=5)
    contest.sweep(entry, platform, full=True)
    platform.like("dan")
    contest.sweep(entry, platform)  # it asks for no count: what is displayed is older than what is held
    assert (contest.entry(entry).gap, watched.numbers("harvester_post_gap_likes")) == (None, {})

    contest.sweep(entry, platform, full=True)
    assert contest.entry(entry).gap == 1
    assert list(watched.numbers("harvester_post_gap_likes").values()) == [1]


def test_a_post_tells_how_it_was_read_last_and_how_long_ago_to_the_end(
    watched: Watched, contest: Contest, clock: Clock
) -> None:
    entry = contest.add_entry("1")
    contest.sweep(entry, FakePlatform(["ann"]))
    clock.forward(minutes=9)
    contest.sweep(entry, FakePlatform(["ann"], before={1: Refused("no")}))
    clock.forward(minutes=4)

    post = (contest.slug, "fake", "fake:here", "1")
    assert watched.numbers("harvester_post_complete_sweep_age_seconds") == {post: 15 * 60}
    assert watched.numbers("harvester_post_last_outcome") == {
        (*post, "complete"): 0,
        (*post, "partial"): 0,
        (*post, "failed"): 1,
    }


def test_a_post_that_is_read_no_more_is_not_followed(
    watched: Watched, contest: Contest, database: Database, clock: Clock
) -> None:
    removed, kept = contest.add_entry("1"), contest.add_entry("2")
    for entry in (removed, kept):
        contest.sweep(entry, FakePlatform(["ann"]))
    with contest.writing() as session:
        session.get_one(Entry, removed).state = EntryState.REMOVED
    assert [post[-1] for post in watched.numbers("harvester_post_held_likes")] == ["2"]

    add(
        database,
        Settlement(campaign_id=contest.facts.id, settled_at=clock(), author="test", likes=2, bytes=20),
    )
    assert watched.numbers("harvester_post_held_likes") == {}
    assert watched.numbers("harvester_credited_likes_total") == {(contest.slug,): 2}


def test_requests_are_counted_by_connector(
    watched: Watched, contest: Contest, database: Database, clock: Clock
) -> None:
    entries = [contest.add_entry(number) for number in ("1", "2", "3")]
    with contest.writing() as session:
        session.get_one(Entry, entries[1]).connector = "other"
    times = {"is_full": True, "started_at": clock(), "touched_at": clock()}
    add(database, *(Sweep(entry_id=entry, requests=3 + number, **times) for number, entry in enumerate(entries)))

    assert watched.numbers("harvester_requests_total") == {("fake",): 8, ("other",): 4}


def test_alerts_are_counted_by_kind_and_fall_to_zero(watched: Watched, database: Database, clock: Clock) -> None:
    assert watched.numbers("harvester_open_alerts") == {}
    add(database, *(Alert(kind="gap", subject=str(number), message="", raised_at=clock()) for number in range(2)))
    add(database, Alert(kind="grant", subject="x", message="", raised_at=clock(), recovered_at=clock()))

    assert watched.numbers("harvester_open_alerts") == {("gap",): 2, ("grant",): 0}


def test_the_last_night_and_the_pulse_have_an_age(watched: Watched, database: Database, clock: Clock) -> None:
    assert watched.numbers("harvester_night_age_seconds") == {}
    add(database, Night(started_at=clock(), ended_at=clock(), outcome=SweepOutcome.COMPLETE, summary="{}"))
    clock.forward(hours=2)

    assert watched.numbers("harvester_night_age_seconds") == {(): 7200}
    assert watched.numbers("harvester_night_outcome") == {("complete",): 1, ("partial",): 0, ("failed",): 0}
    assert watched.numbers("harvester_pulse_age_seconds") == {(): 7200}


def test_no_name_and_no_link_is_in_the_metrics(watched: Watched, contest: Contest) -> None:
    contest.sweep(contest.add_entry("1"), FakePlatform(["ann"], handle_retention=timedelta(days=30)))

    text = watched.get("/metrics").text

    assert (
        f'harvester_post_held_likes{{campaign="{contest.slug}",connector="fake",post="1",realm="fake:here"}} 1.0'
        in text
    )
    assert "ann" not in text
    assert "https://" not in text


def test_the_numbers_stay_a_handful_of_statements_however_many_posts(
    watched: Watched, contest: Contest, database: Database
) -> None:
    def statements() -> int:
        asked: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, *rest: Any) -> None:
            asked.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        watched.get("/metrics")
        event.remove(database.engine, "before_cursor_execute", note)
        return len(asked)

    contest.sweep(contest.add_entry("1"), FakePlatform(["ann"]))
    few = statements()
    for number in range(2, 9):
        contest.sweep(contest.add_entry(str(number)), FakePlatform(["ann"]))

    assert statements() == few
    assert few <= 15


def test_the_table_of_the_documentation_names_every_metric(watched: Watched) -> None:
    page = (Path(__file__).parents[3] / "docs" / "operate.md").read_text(encoding="utf-8")
    names = {family.name for family in text_string_to_metric_families(watched.get("/metrics").text)}
    written = {
        line.split("`")[1].removesuffix("_total") for line in page.splitlines() if line.startswith("| `harvester_")
    }

    assert written == names
