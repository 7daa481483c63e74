"""Volumes: whole bytes in decimal units, never a float, never MiB; and their division to the byte."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harvester.errors import UsageError
from harvester.volume import MOST_BYTES, Volume, split

UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("10MB", 10_000_000),
        ("10 MB", 10_000_000),
        (" 10mb ", 10_000_000),
        ("10_000_000 B", 10_000_000),
        ("1.5GB", 1_500_000_000),
        ("0.000001MB", 1),
        ("20 B", 20),
        ("0B", 0),
        ("9223.372036854775807PB", MOST_BYTES),
    ],
)
def test_a_volume_is_read_as_people_write_it(text: str, size: int) -> None:
    assert Volume.parse(text) == Volume(size)


@pytest.mark.parametrize(
    "text",
    [
        *("10MiB", "10 MIB", "10Mi", "10GiB", "10KiB", "10mebibytes"),
        *("", "MB", "ten", "-1MB", "+1MB", "1e7", "1e7MB", "nan", "inf", "1,5GB", "10 MB/s", "10MB 5kB", "٣MB", "10EB"),
        *("1.5B", "0.5B", "1.0000001MB", ".5MB", "5.MB", "10 M B", "10MB\n5"),
        *("9223372036854775808B", "9223.372036854775808PB", "99999999999999999999999999999999999PB"),
    ],
)
def test_what_is_no_volume_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Volume.parse(text)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["20", "0", "1.5", "10000000"])
def test_a_number_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"'{text}' has no unit: write B, kB, MB, GB or TB after the number"):
        Volume.parse(text)


@given(size=st.integers(0, MOST_BYTES), unit=st.sampled_from(sorted(UNITS)))
def test_a_size_written_exactly_in_any_unit_is_read_back(size: int, unit: str) -> None:
    whole, rest = divmod(size, UNITS[unit])
    digits = f"{rest:0{len(str(UNITS[unit])) - 1}d}".rstrip("0") if rest else ""

    assert Volume.parse(f"{whole}.{digits}{unit}" if digits else f"{whole}{unit}") == Volume(size)


@given(
    whole=st.integers(0, 10**6),
    digits=st.text("0123456789", min_size=1, max_size=40),
    unit=st.sampled_from(sorted(UNITS)),
)
def test_a_fraction_of_a_byte_is_refused_never_rounded(whole: int, digits: str, unit: str) -> None:
    exact = Fraction(f"{whole}.{digits}") * UNITS[unit]
    assume(exact <= MOST_BYTES)
    try:
        assert Volume.parse(f"{whole}.{digits}{unit}").bytes == exact
    except UsageError:
        assert exact.denominator != 1


def test_a_very_small_fraction_of_a_byte_is_not_lost_on_the_way() -> None:
    with pytest.raises(UsageError, match="not a whole number of bytes"):
        Volume.parse(f"10.{'0' * 40}1MB")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (10_000_000, "10 MB"),
        (1_500_000_000, "1.5 GB"),
        (1_234_567_890, "1.23 GB"),
        (400_000_000_000_000, "400 TB"),
        (MOST_BYTES, "9,223.37 PB"),
    ],
)
def test_a_volume_is_written_for_people(size: int, text: str) -> None:
    assert str(Volume(size)) == text


@given(size=st.integers(1, 999), unit=st.sampled_from(sorted(UNITS)))
def test_what_is_written_for_people_is_read_back_where_it_is_exact(size: int, unit: str) -> None:
    volume = Volume(size * UNITS[unit])

    assert Volume.parse(str(volume)) == volume


@pytest.mark.parametrize("size", [-1, MOST_BYTES + 1])
def test_what_no_column_can_hold_is_no_volume(size: int) -> None:
    with pytest.raises(UsageError, match="a volume holds 0 to"):
        Volume(size)


@given(size=st.integers(0, MOST_BYTES), times=st.integers(0, 10**9), other=st.integers(0, MOST_BYTES))
def test_arithmetic_is_exact_or_refused(size: int, times: int, other: int) -> None:
    for wanted, compute in (
        (size * times, lambda: Volume(size) * times),
        (size + other, lambda: Volume(size) + Volume(other)),
    ):
        if wanted <= MOST_BYTES:
            assert compute().bytes == wanted
        else:
            with pytest.raises(UsageError):
                compute()


@pytest.mark.parametrize("wrong", [1.5, 10_000_000.0, float("nan"), float("inf"), "10", None])
def test_only_whole_numbers_make_a_volume(wrong: Any) -> None:
    with pytest.raises((TypeError, UsageError)):
        Volume(wrong)


@pytest.mark.parametrize("wrong", [0.5, 2.0])
def test_a_volume_is_never_multiplied_by_a_float(wrong: Any) -> None:
    with pytest.raises((TypeError, UsageError)):
        Volume(10_000_000) * wrong


weights = st.lists(st.integers(0, 1_000_000), min_size=1, max_size=12).filter(any)


@given(total=st.integers(0, MOST_BYTES), weights=weights)
def test_a_division_loses_no_byte_and_is_fair_to_the_byte(total: int, weights: list[int]) -> None:
    parts = split(total, weights)

    assert sum(parts) == total
    assert all(
        abs(part - Fraction(total * weight, sum(weights))) < 1 for part, weight in zip(parts, weights, strict=True)
    )


@given(total=st.integers(0, MOST_BYTES), weights=weights)
def test_nobody_without_a_share_gets_a_byte(total: int, weights: list[int]) -> None:
    assert all(part == 0 for part, weight in zip(split(total, weights), weights, strict=True) if weight == 0)


@given(total=st.integers(0, MOST_BYTES), weights=weights)
def test_a_larger_share_never_gets_less(total: int, weights: list[int]) -> None:
    by_weight = sorted(zip(weights, split(total, weights), strict=True))

    assert [part for _, part in by_weight] == sorted(part for _, part in by_weight)


def test_a_tie_goes_to_the_first() -> None:
    assert split(10, [1, 1, 1]) == [4, 3, 3]
