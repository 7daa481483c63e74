"""Times as people write them: midnight in the campaign's zone, and nothing guessed where the clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.contest.times import find_zone, read_time, write_time
from harvester.errors import UsageError

CASABLANCA = ZoneInfo("Africa/Casablanca")
CAIRO = ZoneInfo("Africa/Cairo")
FIRST, LAST = (datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (2020, 2037))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2027-01-21", datetime(2027, 1, 20, 23, tzinfo=UTC)),
        ("2027-02-08", datetime(2027, 2, 8, tzinfo=UTC)),
        ("2027-02-08T20:00", datetime(2027, 2, 8, 20, tzinfo=UTC)),
        ("2027-06-19 20:00", datetime(2027, 6, 19, 19, tzinfo=UTC)),
        (" 2027-06-19T20:00:30 ", datetime(2027, 6, 19, 19, 0, 30, tzinfo=UTC)),
        ("2027-06-19T20:00Z", datetime(2027, 6, 19, 20, tzinfo=UTC)),
        ("2027-06-19T20:00+03:00", datetime(2027, 6, 19, 17, tzinfo=UTC)),
    ],
)
def test_a_time_without_offset_is_on_the_campaigns_clocks(text: str, instant: datetime) -> None:
    """Morocco is at UTC+1, and at UTC in Ramadan (7 February to 14 March 2027)."""
    assert read_time(text, CASABLANCA) == instant


@pytest.mark.parametrize("text", ["2026-03-22T02:00", "2026-03-22T02:59:59", "2027-03-14T02:30"])
def test_a_time_the_clocks_skip_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"Africa/Casablanca does not exist: the clocks go forward over it"):
        read_time(text, CASABLANCA)


@pytest.mark.parametrize("text", ["2026-02-15T02:00", "2026-02-15T02:59:59", "2027-02-07T02:30"])
def test_a_time_that_happens_twice_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"Africa/Casablanca happens twice: the clocks go back"):
        read_time(text, CASABLANCA)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2027-03-14T01:59", datetime(2027, 3, 14, 1, 59, tzinfo=UTC)),
        ("2027-03-14T03:00", datetime(2027, 3, 14, 2, tzinfo=UTC)),
        ("2027-02-07T01:59", datetime(2027, 2, 7, 0, 59, tzinfo=UTC)),
        ("2027-02-07T03:00", datetime(2027, 2, 7, 3, tzinfo=UTC)),
    ],
)
def test_the_edges_of_a_change_are_ordinary_times(text: str, instant: datetime) -> None:
    assert read_time(text, CASABLANCA) == instant


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("2026-03-22T02:30", CASABLANCA),
        ("2027-02-07T02:30", CASABLANCA),
        ("2027-02-07 02:30", CASABLANCA),
        ("2027-02-07T02:30 ", CASABLANCA),
        ("2027-04-30", CAIRO),  # Egypt's summer begins at midnight: the day has none
        ("2027-04-30T00:30", CAIRO),
    ],
)
def test_the_hint_beside_a_refused_time_can_be_typed_as_it_is(text: str, zone: ZoneInfo) -> None:
    with pytest.raises(UsageError, match="write the offset, such as ") as refused:
        read_time(text, zone)

    hint = str(refused.value).rpartition("such as ")[2]
    assert abs(read_time(hint, zone) - read_time(f"{text.strip()[:10]}T12:00", zone)) < timedelta(hours=24)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "19/06/2027", "2027-06-19T25:00", "2027-02-30", "20:00", "1800561600", "٢٠٢٧-٠٦-١٩"]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a time: expected ISO 8601, such as 2027-02-08 or"):
        read_time(text, CASABLANCA)


@pytest.mark.parametrize("text", ["2027-06-19+02:00", "2027-06-19-02:00", "2027-06-19Z", "2027-06-19x02:00"])
def test_a_date_with_an_offset_or_another_separator_is_not_taken_for_a_time_of_day(text: str) -> None:
    with pytest.raises(UsageError, match="is not a time"):
        read_time(text, CASABLANCA)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"])
def test_a_time_before_or_after_all_calendars_is_refused_not_a_crash(text: str) -> None:
    with pytest.raises(UsageError):
        read_time(text, CASABLANCA)


@given(instant=st.datetimes(FIRST, LAST, timezones=st.just(UTC)))
def test_a_time_with_its_offset_is_read_exactly(instant: datetime) -> None:
    assert read_time(instant.astimezone(CASABLANCA).isoformat(), CAIRO) == instant


@given(written=st.datetimes(FIRST, LAST))
def test_a_time_is_what_the_clocks_show_or_refused(written: datetime) -> None:
    try:
        instant = read_time(written.isoformat(), CASABLANCA)
    except UsageError:
        return
    assert instant.astimezone(CASABLANCA).replace(tzinfo=None) == written


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("Africa/Casablnca", "Africa/Casablanca"),
        ("africa/casablanca", "Africa/Casablanca"),
        ("Casablanca", "Africa/Casablanca"),
    ],
)
def test_an_unknown_zone_is_refused_with_a_suggestion(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"'{typed}' is not an IANA time zone: did you mean {meant}\?"):
        find_zone(typed)


@pytest.mark.parametrize("typed", ["", "UTC+1", "../etc/passwd", "Morocco time"])
def test_what_is_no_zone_is_refused_in_one_line(typed: str) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]*is not an IANA time zone[^\n]*$"):
        find_zone(typed)


def test_a_known_zone_is_given() -> None:
    assert find_zone("Africa/Casablanca").key == "Africa/Casablanca"


def test_an_instant_is_written_on_the_campaigns_clocks() -> None:
    assert write_time(datetime(2027, 6, 19, 23, tzinfo=UTC), CASABLANCA) == "2027-06-20 00:00"
