"""What people read: exactly the words that were written, unknown told apart from zero, nothing hinted only."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from harvester.cli.runtime import show
from harvester.clock import time_zone
from harvester.connector import Basis
from harvester.report.status import status_text
from harvester.report.text import moment, number, outcome_text, table
from harvester.report.views import (
    Beneficiary,
    Bytes,
    Checkpoint,
    EntryView,
    LastSweep,
    Likes,
    SettlementView,
    StatusView,
    Window,
)
from harvester.store.kinds import EntryState, SweepOutcome

AT = datetime(2027, 1, 21, 20, tzinfo=UTC)
URL = "https://social.example/@a/109294719267373593"
NAME = "somewhere …3593"


def written(content: RenderableType) -> str:
    console = Console(file=StringIO(), width=220)
    console.print(content)
    return " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]


@pytest.fixture
def make_entry() -> Callable[..., EntryView]:
    def make(**wanted: object) -> EntryView:
        facts: dict[str, object] = {
            "url": URL,
            "connector": "somewhere",
            "post_id": "1",
            "entrant": "Yasmine",
            "basis": Basis.IDENTITY,
            "displayed": 1_005,
            "displayed_at": AT,
            "held": 1_000,
            "gap": 5,
            "credited": 1_000,
            "state": EntryState.OPEN,
            "last_sweep": LastSweep(at=AT, outcome=SweepOutcome.COMPLETE, reason=None, pages=1, requests=1, new=1),
            "next_poll_at": None,
            "next_poll_reason": None,
        }
        return EntryView(**facts | wanted)  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_status(make_entry: Callable[..., EntryView]) -> Callable[..., StatusView]:
    def make(
        *entries: EntryView, likes: Likes | None = None, beneficiaries: tuple[Beneficiary, ...] = ()
    ) -> StatusView:
        return StatusView(
            at=AT + timedelta(minutes=20),
            campaign="afcon",
            state="running",
            window=Window(start=AT, end=AT, timezone="Africa/Lagos"),
            rate_bytes=10_000_000,
            likes=likes or Likes(credited=1_000, uncertain=0, quarantined=0, reversed=0, over_cap=0, baseline=0),
            bytes=Bytes(credited=10_000_000_000, pool=4_000_000_000, pledged=6_000_000_000, committed=0, delivered=0),
            beneficiaries=beneficiaries,
            entries=entries or (make_entry(),),
            checkpoint=Checkpoint(size=1, root=None),
        )

    return make


def test_unknown_is_a_dash_and_zero_is_a_zero() -> None:
    assert (number(None), number(0), number(1_234_567)) == ("–", "0", "1,234,567")


def test_a_status_shows_everything_side_by_side_on_the_campaigns_clocks(make_status) -> None:
    shown = written(
        status_text(make_status(beneficiaries=(Beneficiary(association="t", share=0.6, pledged_bytes=6_000_000_000),)))
    )

    assert "afcon running 2027-01-21 21:00 to 2027-01-21 21:00 Africa/Lagos now 2027-01-21 21:20" in shown
    assert "Yasmine 1,005 1,000 5 1,000 21:00 complete" in shown
    assert "1,000 likes credited: 10 GB (a like is 10 MB now)" in shown
    assert "t: 6 GB (60%)" in shown
    assert "waiting for an association: 4 GB" in shown


def test_an_entry_that_was_never_read_has_no_numbers(make_status, make_entry) -> None:
    entry = make_entry(entrant=None, displayed=None, held=None, gap=None, credited=0, last_sweep=None)

    assert " – – – – 0 never –" in written(status_text(make_status(entry)))


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (5, "the platform shows more likes than it names (5); only named likers are credited"),
        (-5, "5 held are not among those it shows now"),
    ],
)
def test_a_gap_is_said_in_words(make_status, make_entry, gap: int, words: str) -> None:
    assert words in written(status_text(make_status(make_entry(gap=gap))))


def test_why_a_sweep_was_not_complete_is_said(make_status, make_entry) -> None:
    sweep = LastSweep(at=AT, outcome=SweepOutcome.PARTIAL, reason="asked for a pause", pages=1, requests=1, new=1)

    shown = written(status_text(make_status(make_entry(last_sweep=sweep))))

    assert "partial" in shown
    assert f"{NAME}: asked for a pause" in shown


def test_when_a_paused_sweep_goes_on_is_said_on_the_campaigns_clocks(make_status, make_entry) -> None:
    sweep = LastSweep(at=AT, outcome=SweepOutcome.PARTIAL, reason="asked for a pause", pages=1, requests=1, new=1)

    entry = make_entry(last_sweep=sweep, next_poll_at=AT + timedelta(hours=2), next_poll_reason="asked to wait")

    shown = written(status_text(make_status(entry)))

    assert f"{NAME}: asked for a pause; goes on after 23:00" in shown
    assert "asked to wait" not in shown


@pytest.mark.parametrize(
    ("outcome", "hours"), [(SweepOutcome.FAILED, 2), (SweepOutcome.COMPLETE, 2), (SweepOutcome.PARTIAL, -2)]
)
def test_what_does_not_go_on_by_itself_is_not_said_to(make_status, make_entry, outcome, hours: int) -> None:
    sweep = LastSweep(at=AT, outcome=outcome, reason="a grant is lost", pages=1, requests=1, new=1)
    entry = make_entry(last_sweep=sweep, next_poll_at=AT + timedelta(hours=hours))
    assert "goes on" not in written(status_text(make_status(entry)))


def test_when_posts_are_read_next_and_why_is_said_in_one_line_once_that_is_planned(make_status, make_entry) -> None:
    plan = {"next_poll_at": AT + timedelta(hours=1), "next_poll_reason": "the budget allows no sooner"}
    planned = (make_entry(gap=0, **plan), make_entry(gap=0, url="https://social.example/@a/42", **plan))
    said = f"{NAME}, somewhere …a/42: next 22:00, the budget allows no sooner"
    assert said in written(status_text(make_status(*planned)))
    assert "next" not in written(status_text(make_status(make_entry())))


@pytest.mark.parametrize(
    ("late", "words"),
    [(timedelta(minutes=10), "next 21:10, soon"), (timedelta(hours=3), "overdue since 18:20 (nobody is at work)")],
)
def test_a_planned_time_that_is_over_is_called_overdue(make_status, make_entry, late: timedelta, words: str) -> None:
    entry = make_entry(next_poll_at=make_status().at - late, next_poll_reason="soon")
    assert f"{NAME}: {words}" in written(status_text(make_status(entry)))


def test_why_a_post_cannot_be_planned_is_shown(make_status, make_entry) -> None:
    entry = make_entry(next_poll_reason="connectors.x: a token is missing")
    assert f"{NAME}: no next poll, connectors.x: a token is missing" in written(status_text(make_status(entry)))


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        (datetime(2027, 1, 20, 23, tzinfo=UTC), "00:00"),
        (datetime(2027, 1, 20, 22, 59, tzinfo=UTC), "01-20 23:59"),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), "2026-12-31 13:00"),
    ],
)
def test_a_date_is_given_only_when_it_is_not_todays(instant: datetime, words: str) -> None:
    assert moment(instant, AT, time_zone("Africa/Lagos")) == words


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_status_fits_every_usual_screen_with_each_number_whole(make_status, make_entry, width: int) -> None:
    planned = make_entry(next_poll_at=AT + timedelta(hours=1), next_poll_reason="the budget allows no sooner")
    console = Console(file=StringIO(), width=width)

    console.print(status_text(make_status(planned)))

    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    [row] = [line.split() for line in lines if "1,005" in line]
    assert row[-6:] == ["1,005", "1,000", "5", "1,000", "21:00", "complete"]
    assert max(map(len, lines)) <= width
    assert next(place for place, line in enumerate(lines) if "likes credited" in line) < lines.index("")


@pytest.mark.parametrize(("unseen", "words"), [(7, "7 passed unseen at least"), (0, "some may have passed unseen")])
def test_likers_who_passed_unseen_are_said_beside_whatever_else(
    make_status, make_entry, unseen: int, words: str
) -> None:
    shown = written(status_text(make_status(make_entry(holes=2, unseen=unseen))))
    assert f"{NAME}: the list showed only its newest likers, and none that we knew: {words}" in shown
    assert "the platform shows more likes than it names (5)" in shown


def test_a_settled_campaign_says_what_its_count_came_to(make_status) -> None:
    end = SettlementView(
        settled_at=AT,
        author="Amal",
        likes=1_000,
        bytes=12_000_000_000,
        reversed_likes=3,
        reversed_bytes=30_000_000,
        floor_bytes=2_000_000_000,
        accepted_gap="the platform closed",
    )
    shown = written(status_text(replace(make_status(), settlement=end)))
    assert "1,000 likes credited: 8 GB; 10 GB with the guarantee (a like is 10 MB now)" in shown
    assert (
        "settled on 2027-01-21 21:00 by Amal: 1,000 likes, 10 GB; 12 GB with the guarantee; "
        "nothing is counted any more" in shown
    )
    assert "3 likes no longer stood: 30 MB taken back" in shown
    assert "2 GB added to reach what was guaranteed" in shown
    assert "accepted with posts that could not be read to their end: the platform closed" in shown


@pytest.mark.parametrize("state", [EntryState.GONE, EntryState.REMOVED])
def test_a_post_that_is_read_no_more_says_so(make_status, make_entry, state: EntryState) -> None:
    assert re.search(rf"21:00 {state}\b", written(status_text(make_status(make_entry(state=state)))))


def test_likes_that_do_not_simply_count_are_shown_apart(make_status) -> None:
    likes = Likes(credited=9, uncertain=1, quarantined=2, reversed=3, over_cap=4, baseline=5)

    shown = written(status_text(make_status(likes=likes)))

    assert "1 seen across the end, counted" in shown
    assert "2 in quarantine" in shown
    assert "3 reversed" in shown
    assert "4 over the cap, worth nothing" in shown
    assert "5 before the contest, not counted" in shown


@pytest.mark.parametrize(("named", "coverage"), [(0, 0), (1, 50), (2, 66), (999, 99)])
def test_how_much_rests_on_named_likers_is_said_where_posts_are_only_counted(
    make_status, make_entry, named: int, coverage: int
) -> None:
    counted = make_entry(basis=Basis.COUNT, held=None, gap=None, displayed=3, credited=1)

    shown = written(status_text(make_status(make_entry(credited=named), counted)))

    assert f"{named} of them by named likers (coverage {coverage}%), the others only counted" in shown
    assert "3 counted – 1 21:00 complete" in shown


@pytest.mark.parametrize("credited", [0, 7])
def test_no_coverage_is_said_where_every_credited_liker_is_named(make_status, make_entry, credited: int) -> None:
    nothing_yet = make_entry(basis=Basis.COUNT, held=None, gap=None, credited=0)

    assert "coverage" not in written(status_text(make_status(make_entry(credited=credited), nothing_yet)))


def test_a_sweep_that_runs_is_called_unfinished() -> None:
    assert (outcome_text(None).plain, outcome_text("complete").plain) == ("unfinished", "complete")


@pytest.mark.parametrize("name", ["Amal [finalist]", "[/b]", "[bold]Amal", ":star: Amal", "أمل"])
def test_a_name_is_shown_as_it_was_written(
    make_status, make_entry, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """Square brackets and colons are letters here, not the markup of a library."""
    rows = table("contestant")
    rows.add_row(name)

    show(rows)
    show(status_text(make_status(make_entry(entrant=name))))

    in_a_list, in_a_status = capsys.readouterr().out.split("afcon", 1)
    assert name in " ".join(in_a_list.split())
    assert all(word in in_a_status for word in name.split())


def test_the_host_of_an_ipv6_url_does_not_vanish(make_status, make_entry, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = LastSweep(at=AT, outcome=SweepOutcome.FAILED, reason="[fd00::1] is gone", pages=1, requests=1, new=1)

    show(status_text(make_status(make_entry(last_sweep=sweep))))

    assert f"{NAME}: [fd00::1] is gone\n" in capsys.readouterr().out
