"""Likes from CSV files: for platforms without an API, and for partners who export what they know.

A post is `csv://SOURCE/POST`: the rows of POST in SOURCE.csv and SOURCE/*.csv in the import folder. A header names the
columns, in any order: `post`; `liker` (a person's stable id) or `count`; where known `time`, `published`, `handle`.
Nothing is guessed: what cannot be read is one error that names file, row and column. Files may grow while they are
read. A page holds likers, not rows: in a file of many posts those would be page after empty page.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, ClassVar

import msgspec

from harvester.connector import (
    ContractBroken,
    Count,
    Http,
    Like,
    LikeTime,
    Page,
    Post,
    Provenance,
    Refused,
    Traits,
    parse_instant,
)

_POST = re.compile(r"csv://(?P<source>[a-z0-9][a-z0-9_-]{0,63})/(?P<post>[^\s/]{1,500})")
_LONGEST_LINE = 65_536
_LONGEST_FIELD = 500
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class CsvSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`import_folder` is where the files lie."""

    import_folder: str = "imports"


@dataclass(frozen=True, slots=True)
class _Row:
    """One row: its number as a spreadsheet counts, and the byte at which the next one begins."""

    file: str
    number: int
    end: int
    fields: dict[str, str]

    def text(self, column: str) -> str:
        value = self.fields.get(column, "").strip()
        if len(value) > _LONGEST_FIELD or not value.isprintable():
            raise self._broken(column, f"at most {_LONGEST_FIELD} printable characters")
        return value

    def instant(self, column: str) -> datetime | None:
        text = self.text(column)
        try:
            return parse_instant(text) if text else None
        except ContractBroken as error:
            raise self._broken(column, "a time with its offset, such as 2026-11-23T12:00:00+01:00") from error

    def count(self) -> int | None:
        text = self.text("count")
        if text and not re.fullmatch("[0-9]{1,18}", text):
            raise self._broken("count", "a whole number, not negative")
        return int(text) if text else None

    def like(self) -> Like | None:
        """Give the liker, or None in a row that only counts."""
        at, handle, liker = self.instant("time"), self.text("handle") or None, self.text("liker")
        if not liker and self.count() is None:
            raise self._broken("liker" if "liker" in self.fields else "count", "a value")
        return Like(actor=liker, handle=handle, at=at) if liker else None

    def _broken(self, column: str, expected: str) -> ContractBroken:
        return _broken(
            self.file, self.number, f"column {column}: expected {expected}, got {self.fields[column][:40]!r}"
        )


@dataclass(slots=True)
class _Tally:
    """What the rows of one post say: the newest count, or where none is given how many people."""

    likers: set[int] = field(default_factory=set)  # hashes, since a million ids would fill the memory
    count: int | None = None
    counted_at: datetime = _LONG_AGO
    published_at: datetime | None = None

    def add(self, row: _Row) -> None:
        like, count, at = row.like(), row.count(), row.instant("time")
        if like:
            self.likers.add(hash(like.actor))
        if count is not None and (at is None or at >= self.counted_at):
            self.count, self.counted_at = count, at or self.counted_at
        self.published_at = row.instant("published") or self.published_at


class CsvImport:
    name: ClassVar[str] = "csv"
    traits: ClassVar[Traits] = Traits(
        time=LikeTime.PLATFORM,
        page_max=1000,
        batch_max=100,
        handle_retention=timedelta(days=365),
        proven_by=(Provenance.HANDWRITTEN,),
    )
    hosts: ClassVar[tuple[str, ...]] = ()
    url_forms: ClassVar[tuple[str, ...]] = ("csv://partner/post-1",)
    settings_type: ClassVar[type[msgspec.Struct]] = CsvSettings

    def __init__(self, settings: CsvSettings) -> None:
        self._folder = Path(settings.import_folder)
        self.origins: tuple[str, ...] = ()

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        url = url.strip()
        match = _POST.fullmatch(url) if url.isprintable() else None
        if match is None:
            return None
        native_id, realm = f"{match['source']}/{match['post']}", f"{cls.name}:{match['source']}"
        return Post(platform=cls.name, native_id=native_id, realm=realm, url=url)

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        """Read each source once, for all its posts."""
        asked, tallies = {post.native_id for post in posts}, defaultdict[str, _Tally](_Tally)
        for source in sorted({_source(post) for post in posts}):
            for row in self._rows(source):
                if (native_id := f"{source}/{row.fields['post']}") in asked:
                    tallies[native_id].add(row)
        return tuple(_count(post, tallies[post.native_id]) for post in posts if post.native_id in tallies)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        source, _, wanted = post.native_id.partition("/")
        files = self._files(source)
        if not any("liker" in _columns(name, path) for name, path in files.items()):
            raise Refused(f"{', '.join(files)} has no column liker: add the post with --basis count")
        likes: dict[str, Like] = {}
        for row in self._rows(source, cursor):
            like = row.like() if row.fields["post"] == wanted else None
            if like:
                likes.setdefault(like.actor, like)
            if len(likes) == http.page_size:
                following = f"{row.file}:{row.end}:{row.number}"
                return Page(likes=tuple(likes.values()), cursor=following, part=cursor or "")
        return Page(likes=tuple(likes.values()), cursor=None, part=cursor or "")

    def _rows(self, source: str, cursor: str | None = None) -> Iterator[_Row]:
        """Read a source's files one after the other, from a cursor on."""
        files = self._files(source)
        names = list(files)
        first, start, number = cursor.rsplit(":", 2) if cursor else (names[0], "0", "1")
        if first not in files:
            raise ContractBroken(f"{first} was taken away while it was read")
        yield from _rows(first, files[first], int(start), int(number))
        for name in names[names.index(first) + 1 :]:
            yield from _rows(name, files[name])

    def _files(self, source: str) -> dict[str, Path]:
        """Find a source's files in the order in which they are read; a link must not lead out of the folder."""
        found = [self._folder / f"{source}.csv", *sorted((self._folder / source).glob("*.csv"))]
        files = {path.relative_to(self._folder).as_posix(): path for path in found if path.is_file()}
        if not files:
            raise Refused(f"there is no {source}.csv and no {source}/ with .csv files in {self._folder}")
        for name, path in files.items():
            if not path.resolve().is_relative_to(self._folder.resolve()):
                raise Refused(f"{name} is a link that leads out of {self._folder}")
        return files


def _rows(name: str, path: Path, start: int = 0, number: int = 1) -> Iterator[_Row]:
    """Read the rows that begin at a byte, `number` rows being before it; nothing but the row at hand is kept."""
    try:
        with _opened(name, path) as file:
            columns, separator = _header(name, file)
            if start:
                _go_to(start, name, file)
            for values in csv.reader(_lines(file), delimiter=separator, strict=True):
                number += 1
                if values and len(values) != len(columns):
                    raise _broken(name, number, f"expected {len(columns)} columns, got {len(values)}")
                if values:
                    fields = dict(zip(columns, values, strict=True))
                    fields["post"] = fields["post"].strip()
                    yield _Row(name, number, file.tell(), fields)
    except (csv.Error, UnicodeDecodeError) as error:
        raise _broken(name, number + 1, f"expected CSV in UTF-8: {error}") from error


def _opened(name: str, path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise Refused(f"{name} cannot be read: {error.strerror}") from error


def _columns(name: str, path: Path) -> list[str]:
    with _opened(name, path) as file:
        return _header(name, file)[0]


def _header(name: str, file: BinaryIO) -> tuple[list[str], str]:
    """Read the names of the columns, and by what they are separated."""
    try:
        line = next(_lines(file), "").removeprefix("\ufeff")
        separator = max(",;\t", key=line.count)
        columns = [column.strip().lower() for column in next(csv.reader([line], delimiter=separator, strict=True), [])]
    except (csv.Error, UnicodeDecodeError) as error:
        raise _broken(name, 1, f"expected CSV in UTF-8: {error}") from error
    if "post" not in columns or not {"liker", "count"} & set(columns):
        raise _broken(name, 1, "expected a column post, and a column liker or count")
    for column in columns:
        if columns.count(column) > 1:
            raise _broken(name, 1, f"column {column}: expected once")
    return columns, separator


def _lines(file: BinaryIO) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise csv.Error(f"a line of more than {_LONGEST_LINE:,} bytes")
        if b"\0" in line:
            raise csv.Error("a NUL byte")
        yield line.decode("utf-8")


def _go_to(start: int, name: str, file: BinaryIO) -> None:
    """Go to where a row begins: at the end, or beside a line's end; in a file that was replaced it may be anywhere."""
    size = file.seek(0, 2)
    file.seek(start - 1)
    beside = file.read(2)
    if start > size or (start < size and b"\n" not in beside and b"\r" not in beside):
        raise ContractBroken(f"{name} was replaced while it was read")
    file.seek(start)


def _count(post: Post, tally: _Tally) -> Count:
    likes = len(tally.likers) if tally.count is None else tally.count
    return Count(native_id=post.native_id, likes=likes, published_at=tally.published_at)


def _source(post: Post) -> str:
    return post.native_id.partition("/")[0]


def _broken(file: str, row: int, what: str) -> ContractBroken:
    return ContractBroken(f"{file}, row {row}, {what}")
