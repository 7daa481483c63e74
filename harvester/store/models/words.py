"""How an enum is stored."""

from enum import StrEnum
from typing import Any

from sqlalchemy import Enum


def word(kind: type[StrEnum]) -> Any:
    """Store an enum as its word, the same on both databases."""
    return Enum(kind, native_enum=False, length=16, values_callable=lambda words: [word.value for word in words])
