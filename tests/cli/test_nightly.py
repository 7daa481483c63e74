"""The nightly job as cron runs it: it always comes to its end, says what is wrong, and what to do about it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from harvester.rehearsal import DIALECTS, Kind, SimulatedPlatform, SimulatedPost, World
from harvester.rehearsal.faults import Fail, Meanwhile
from harvester.store.database import Database
from tests.cli.conftest import Clock, Run

NAMES = ("mastodon", "facebook_page", "tiktok", "youtube")
TOKENS = {"facebook_page": "TOKEN", "tiktok": "TOKEN", "youtube": "API_KEY"}
LIKERS = 30


@dataclass(frozen=True, kw_only=True)
class Night:
    """A contest on four platforms, two posts on the first, and the job that reads them."""

    run: Run
    clock: Clock
    platforms: dict[str, SimulatedPlatform]
    posts: dict[str, SimulatedPost]
    urls: dict[str, str]

    def json(self, *arguments: str, code: int) -> Any:
        said = self.run("nightly", "--json", *arguments)
        assert (said.code, said.err) == (code, "")
        assert said.out.count("\n") == 1
        return said.facts


@pytest.fixture
def night(contest: Run, world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    monkeypatch.setenv("HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS", "true")
    monkeypatch.setenv("HARVESTER_CONNECTORS__FACEBOOK_PAGE__PAGE_ID", DIALECTS["facebook_page"].page_id("contest"))
    for name, key in TOKENS.items():
        monkeypatch.setenv(f"HARVESTER_CONNECTORS__{name.upper()}__{key}", "simulated-token")
    with ExitStack() as stack:
        platforms = {name: stack.enter_context(SimulatedPlatform(world, DIALECTS[name])) for name in NAMES}
        for name in TOKENS:
            monkeypatch.setenv(f"HARVESTER_CONNECTORS__{name.upper()}__API", platforms[name].origin)
        posts = {name: _publish(world, name) for name in NAMES} | {"dead": _publish(world, "mastodon")}
        urls = {name: platforms["mastodon" if name == "dead" else name].url_of(post) for name, post in posts.items()}
        said = contest("post", "add", "afcon", *urls.values())
        assert (said.code, said.err) == (0, "")
        clock.forward(hours=6)
        yield Night(run=contest, clock=clock, platforms=platforms, posts=posts, urls=urls)


def _publish(world: World, name: str) -> SimulatedPost:
    post = world.publish(DIALECTS[name])
    for number in range(LIKERS):
        post.like(f"fan-{number}")
    return post


def test_what_is_wrong_with_three_leaves_the_others_complete_and_says_what_to_do(night: Night) -> None:
    night.posts["dead"].remove()
    night.platforms["tiktok"].revoke()
    night.platforms["youtube"].faults.inject(Fail(status=503), times=None)

    found = night.json(code=3)

    assert (found["outcome"], found["reason"]) == ("partial", "not read to their end: 3 of 5 posts")
    assert (found["posts"], found["complete"]) == (5, 2)
    assert {one["url"] for one in found["remaining"]} == {night.urls[name] for name in ("dead", "tiktok", "youtube")}
    troubles = {(one["about"], one["cause"]): one for one in found["troubles"]}
    assert set(troubles) == {("mastodon", "missing"), ("tiktok", "grant_lost"), ("youtube", "unstable")}
    assert f"harvester post remove afcon {night.urls['dead']}" in troubles["mastodon", "missing"]["remedy"]
    assert "renew connectors.tiktok.token: get it from" in troubles["tiktok", "grant_lost"]["what"]
    assert troubles["youtube", "unstable"]["remedy"] == "nothing: the next poll goes on"
    assert "simulated-token" not in str(found)


def test_after_recovery_the_next_night_is_complete(night: Night) -> None:
    night.posts["dead"].remove()
    night.platforms["tiktok"].revoke()
    night.platforms["youtube"].faults.inject(Fail(status=503), times=None)
    assert night.run("nightly").code == 3

    night.posts["dead"].restore()
    night.platforms["tiktok"].tokens.accept("simulated-token")
    night.platforms["youtube"].faults.clear()
    night.clock.forward(hours=24)
    found = night.json(code=0)

    assert (found["outcome"], found["reason"], found["troubles"], found["remaining"]) == ("complete", None, [], [])
    assert (found["posts"], found["complete"]) == (5, 5)
    assert night.run("status", "afcon", "--json").facts["likes"]["credited"] == 5 * LIKERS


def test_a_person_reads_whose_post_it_is_and_what_to_do(night: Night) -> None:
    night.posts["dead"].remove()
    said = night.run("nightly")
    assert said.code == 3
    assert "partial: not read to their end: 1 of 5 posts" in said.out
    assert "afcon (running): 4 of 5 posts read to the end, 60 more likes credited" in said.out
    assert f"{night.urls['dead']}\n  what to do: check the link: it is asked for 24 hours and then closed" in said.out


def test_every_campaign_leaves_its_report_and_the_night_its_line(night: Night, folder: Path) -> None:
    first = night.json(code=0)
    night.clock.forward(hours=24)
    second = night.json(code=0)

    reports = folder / "reports"
    assert {file.relative_to(reports).as_posix() for file in reports.rglob("*.*")} == {
        *(f"2027-01-{day}/afcon.{kind}" for day in (22, 23) for kind in ("txt", "json")),
        "nightly.jsonl",
    }
    kept = (reports / "2027-01-23/afcon.json").read_text()
    assert json.loads(kept) == night.run("status", "afcon", "--json").facts
    assert "150 likes credited: 1.5 GB" in (reports / "2027-01-23/afcon.txt").read_text()
    nights = [json.loads(line) for line in (reports / "nightly.jsonl").read_text().splitlines()]
    assert nights == [first, second]


def test_a_folder_that_cannot_be_written_is_a_trouble_and_no_more(night: Night, folder: Path) -> None:
    (folder / "reports").rmdir()
    (folder / "reports").write_text("a file in its place")
    found = night.json(code=3)
    (trouble,) = found["troubles"]
    assert trouble["about"] == "reports"
    assert "schedule.reports_folder" in trouble["what"]
    assert found["complete"] == 5


def test_a_deadline_ends_the_night_and_names_what_remains(night: Night) -> None:
    platform = night.platforms["mastodon"]
    platform.faults.inject(Meanwhile(lambda: night.clock.forward(hours=5)), on=Kind.LIKES)

    found = night.json("--until", "05:30", code=3)

    assert {one["cause"] for one in found["remaining"]} == {"stopped"}
    assert 0 < len(found["remaining"]) == found["posts"] - found["complete"]
    assert night.json(code=0)["complete"] == 5


def test_a_person_is_told_every_post_that_the_deadline_left(night: Night) -> None:
    platform = night.platforms["mastodon"]
    platform.faults.inject(Meanwhile(lambda: night.clock.forward(hours=5)), on=Kind.LIKES, times=None)
    said = night.run("nightly", "--until", "05:30")
    assert said.code == 3
    listed = said.out.partition("not read to the end when the job ended:\n")[2]
    assert night.urls["mastodon"] in listed or night.urls["dead"] in listed


def test_the_books_are_checked_whatever_the_deadline(night: Night, database_of: Database) -> None:
    assert night.run("nightly").code == 0
    _tamper(database_of)
    night.platforms["mastodon"].faults.inject(Meanwhile(lambda: night.clock.forward(hours=5)), on=Kind.POST)
    found = night.json("--until", "05:30", code=1)
    assert found["remaining"]
    assert found["problems"]


@pytest.fixture
def database_of(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder}/harvester.db")
    yield database
    database.engine.dispose()


def _tamper(database: Database) -> None:
    """Give the contest a like that nobody gave, behind the back of the triggers that forbid it."""
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'transfer'"
    with database.writing() as session:
        for trigger in session.connection().execute(text(triggers)).scalars().all():
            session.connection().execute(text(f"DROP TRIGGER {trigger}"))
        session.connection().execute(text("UPDATE transfer SET likes = likes + 1, amount = amount + 10000000"))


def test_an_edited_transfer_fails_the_night(night: Night, database_of: Database) -> None:
    assert night.run("nightly").code == 0
    _tamper(database_of)

    found = night.json(code=1)
    said = night.run("nightly")

    assert (found["outcome"], found["complete"]) == ("failed", 5)
    assert found["reason"].startswith("the books do not recompute")
    assert {one["campaign"] for one in found["problems"]} == {"afcon"}
    assert "integrity: afcon: " in said.out
    assert "call the auditor" in said.out


def test_a_second_job_beside_a_running_one_only_says_so(night: Night, database_of: Database) -> None:
    with database_of.lock("nightly") as is_ours:
        assert is_ours
        said = night.run("nightly")
        quiet = night.run("nightly", "--if-due")
    assert (said.code, said.out.count("\n")) == (3, 1)
    assert "another nightly job is at work; nothing was done" in said.out
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert night.json("--if-due", code=0)["complete"] == 5  # it left no row of its own


def test_an_un_like_is_confirmed_in_one_night(night: Night) -> None:
    night.json(code=0)
    night.posts["mastodon"].unlike("fan-7")
    night.clock.forward(hours=24)

    found = night.json(code=0)

    held = {one["url"]: one["held"] for one in night.run("status", "afcon", "--json").facts["entries"]}
    assert found["confirmed"] == 1
    assert (held[night.urls["mastodon"]], held[night.urls["dead"]]) == (LIKERS - 1, LIKERS)


def test_closing_sweeps_are_counted_once_and_a_settled_contest_is_still_checked(
    night: Night, database_of: Database
) -> None:
    def at(moment: str) -> dict[str, Any]:
        night.clock.at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        found = night.json(code=0)
        return {key: found["campaigns"][0][key] for key in ("state", "closing", "late_closing")}

    assert at("2027-02-17T03:00") == {"state": "running", "closing": 0, "late_closing": 0}
    assert at("2027-02-18T03:00") == {"state": "ended", "closing": 5, "late_closing": 0}
    assert at("2027-02-19T03:00") == {"state": "ended", "closing": 0, "late_closing": 5}
    assert at("2027-02-20T03:00") == {"state": "settled", "closing": 0, "late_closing": 0}
    settled = night.json(code=0)
    assert (settled["posts"], settled["campaigns"]) == (0, [])
    _tamper(database_of)
    assert night.json(code=1)["problems"]


def test_ctrl_c_is_one_line_and_the_night_is_done_again(night: Night) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    night.platforms["mastodon"].faults.inject(Fail(status=503))
    night.clock.sleep = interrupt  # type: ignore[method-assign]
    said = night.run("nightly")
    assert (said.code, said.out) == (3, "")
    assert said.err == "harvester: stopped; what was done is kept, and the next nightly job does it all\n"
    assert night.json("--if-due", code=0)["complete"] == 5


def test_a_night_is_done_once_and_made_up_for(night: Night) -> None:
    def due(moment: str) -> bool:
        night.clock.at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        said = night.run("nightly", "--if-due")
        assert (said.code, said.err) == (0, "")
        return bool(said.out)

    assert [due(f"2027-01-22T{time}") for time in ("03:20", "03:30", "03:40", "23:50")] == [True, True, False, False]
    assert [due(f"2027-01-25T{time}") for time in ("09:00", "09:10")] == [True, False]


@pytest.mark.parametrize("wrong", ["25:30", "soon", "05:30+01:00", "2027-01-01"])
def test_a_deadline_that_is_none_is_refused(contest: Run, refused: Callable[..., str], wrong: str) -> None:
    assert wrong in refused("nightly", "--until", wrong)
