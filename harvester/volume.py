"""Volumes of mobile data: whole bytes, decimal units as operators sell them, never a float.

10 MB is 10,000,000 bytes. MiB and its family are refused rather than guessed at.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import total_ordering
from typing import Self

from harvester.errors import UsageError

MOST_BYTES = 2**63 - 1
"""What a signed 64-bit column holds."""

_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}
_WRITTEN = re.compile(r"(?P<number>[0-9][0-9_]*(?:\.[0-9]+)?)\s*(?P<unit>[A-Za-z]*)")


@total_ordering
@dataclass(frozen=True, slots=True)
class Volume:
    """A number of bytes, from 0 to 2**63 - 1."""

    bytes: int

    def __post_init__(self) -> None:
        if type(self.bytes) is not int:
            raise TypeError(f"a volume is whole bytes, not {self.bytes!r}")
        if not 0 <= self.bytes <= MOST_BYTES:
            raise UsageError(f"a volume holds 0 to {MOST_BYTES:,} bytes, not {self.bytes:,}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read '10MB', '1.5 GB' or '20 B'; a number alone is refused: nobody means 20 bytes by 20."""
        written = _WRITTEN.fullmatch(text.strip())
        if written and not written["unit"]:
            raise UsageError(f"{text!r} has no unit: write B, kB, MB, GB or TB after the number, such as 10MB or 20GB")
        factor = _UNITS.get(written["unit"].upper()) if written else None
        if written is None or factor is None:
            raise UsageError(f"{text!r} is not a volume: write a number and B, kB, MB, GB or TB, such as 10MB")
        size = Fraction(written["number"].replace("_", "")) * factor
        if size.denominator != 1:
            raise UsageError(f"{text!r} is not a whole number of bytes")
        return cls(int(size))

    def __add__(self, other: "Volume") -> "Volume":
        return Volume(self.bytes + other.bytes)

    def __mul__(self, times: int) -> "Volume":
        return Volume(self.bytes * times)

    def __lt__(self, other: "Volume") -> bool:
        return self.bytes < other.bytes

    def __str__(self) -> str:
        """Write it for people: the largest unit that leaves a number of at least one, two decimals at most."""
        unit, factor = max((item for item in _UNITS.items() if item[1] <= max(self.bytes, 1)), key=lambda item: item[1])
        number = f"{Decimal(self.bytes) / factor:,.2f}".rstrip("0").rstrip(".")
        return f"{number} {unit.replace('KB', 'kB')}"


def split(total: int, weights: Sequence[int]) -> list[int]:
    """Divide `total` bytes in proportion to `weights`, to the byte, by the largest remainder; ties go to the first.

    The parts sum to `total`, and each is within one byte of its exact share.
    """
    whole = sum(weights)
    exact = [divmod(total * weight, whole) for weight in weights]
    parts = [quotient for quotient, _ in exact]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-exact[place][1], place))
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts
