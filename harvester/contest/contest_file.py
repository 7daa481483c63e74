"""The file that holds a whole contest, and what is wrong with one, in the words of whoever writes it.

A key that is not known is an error, not a typo without effect.
"""

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from harvester.connector import Basis
from harvester.contest.campaigns import DEFAULT_RATE, DEFAULT_ZONE
from harvester.errors import UsageError
from harvester.store.kinds import Keeps, UniquePer


class CampaignTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The rules."""

    slug: str
    name: str
    start: str
    end: str
    timezone: str = DEFAULT_ZONE
    rate: str = str(DEFAULT_RATE)
    cap: str | None = None
    floor: str | None = None
    keeps: Keeps = Keeps.EVER
    unique_per: UniquePer = UniquePer.POST


class AssociationTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A beneficiary, and its share where that is decided beforehand."""

    slug: str
    name: str
    city: str
    region: str
    name_ar: str | None = None
    name_fr: str | None = None
    share: str | None = None


class PostTable(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A post; `credit_existing` is the reason for crediting likes from before the contest."""

    url: str
    entrant: str | None = None
    basis: Basis | None = None
    published: str | None = None
    credit_existing: str | None = None


class ContestFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The file: one [campaign], any number of [[association]], entrants and [[post]]."""

    campaign: CampaignTable
    association: tuple[AssociationTable, ...] = ()
    entrants: tuple[str, ...] = ()
    post: tuple[PostTable, ...] = ()


def read_contest(path: Path) -> ContestFile:
    """Read and check a contest file before anything is changed."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(written, ContestFile)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from error
    except msgspec.ValidationError as error:
        raise UsageError(f"{path}: {_in_words(str(error))}") from error


_TABLES: Mapping[str, type[msgspec.Struct]] = {
    "": ContestFile,
    "campaign": CampaignTable,
    "association": AssociationTable,
    "post": PostTable,
}
_CHOICES: Mapping[str, type[StrEnum]] = {"keeps": Keeps, "unique_per": UniquePer, "basis": Basis}
_EXAMPLES = {
    "slug": "afcon-2027",
    "name": "AFCON 2027",
    "start": "2027-06-19",
    "end": "2027-07-19",
    "timezone": DEFAULT_ZONE,
    "rate": "10MB",
    "cap": "5TB",
    "floor": "20GB",
    "share": "60%",
    "published": "2027-06-19T08:00",
    "entrants": "Yasmine",
}
_SHAPES = {
    "campaign": "write [campaign], once, with single brackets, and its keys below it",
    "association": "write [[association]], with double brackets, above the keys of each",
    "post": "write [[post]], with double brackets, above the keys of each",
    "entrants": 'write a list in brackets, such as ["Yasmine", "Amine"]',
}
_WRONG = re.compile(
    r"(?P<what>.*?)(?: - at `\$\.(?P<table>\w+)(?:\[(?P<number>\d+)\])?(?:\.(?P<key>\w+))?`)?", re.DOTALL
)


def _in_words(found: str) -> str:
    """Say what msgspec found for somebody who knows neither its types nor its paths."""
    wrong = _WRONG.fullmatch(found)
    assert wrong is not None
    place, what = _place(wrong["table"], wrong["number"], wrong["key"]), _what(wrong)
    return f"{place}: {what}" if place else what


def _place(table: str | None, number: str | None, key: str | None) -> str:
    if number is None:
        return ".".join(filter(None, (table, key)))
    numbered = f"{table} number {int(number) + 1}"
    return f"{key} of {numbered}" if key else numbered


def _what(wrong: re.Match[str]) -> str:
    what, table, key = wrong["what"], wrong["table"] or "", wrong["key"] or wrong["table"]
    word = re.sub("[^`']*[`'](.*?)[`'].*", r"\1", what)
    if "unknown field" in what:
        return f"{word!r} is not known (known here: {', '.join(_TABLES[table].__struct_fields__)})"
    if "missing required" in what:
        return f"{word} is missing"
    if "enum value" in what:
        return f"{word!r} is not known (known here: {', '.join(_CHOICES[key])})"
    if what.startswith("Expected `str"):
        example = f', such as "{_EXAMPLES[key]}"' if key in _EXAMPLES else ""
        return f"write it in quotes{example}"
    return _SHAPES[table]
