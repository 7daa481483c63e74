"""What people's files hold, one test a quirk; what cannot be read is one line that says where it is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.csv_import import CsvImport
from harvester.connector import ContractBroken, Count, Page, Post, Refused, parse_instant
from harvester.kit.replay import always, open_connector, recognise, session

POST = recognise(CsvImport, "csv://partner/p1")
Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write a file of the import folder."""

    def write(content: str | bytes, name: str = "partner.csv") -> None:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def page_of(folder: Path, cursor: str | None = None, page_size: int = 1000) -> Page:
    connector = open_connector(CsvImport, {"import_folder": str(folder)})
    with session(connector, POST, always(None), page_size) as http:
        return connector.fetch_page(http, POST, cursor)


def counts_of(folder: Path, *posts: Post) -> tuple[Count, ...]:
    connector = open_connector(CsvImport, {"import_folder": str(folder)})
    with session(connector, POST, always(None)) as http:
        return connector.fetch_counts(http, posts or [POST])


def actors(page: Page) -> list[str]:
    return [like.actor for like in page.likes]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_read_as_spreadsheets_write_it(put: Put, tmp_path: Path, separator: str, mark: str, end: str) -> None:
    rows = [["Liker", " Post ", "other"], ["u1", "p1", "a"], ["u2", "p2", "b"]]
    put(mark + end.join(separator.join(row) for row in rows))
    assert actors(page_of(tmp_path)) == ["u1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("liker,time\n", "row 1, expected a column post"),
        ("", "row 1, expected a column post"),
        ("post,time\n", "row 1, expected a column post, and a column liker or count"),
        ("post,liker,Post\n", "row 1, column post: expected once"),
        ("post,liker\np1,u1\np1\n", "row 3, expected 2 columns, got 1"),
        ("post,liker\np1,u1,x\n", "row 2, expected 2 columns, got 3"),
        ("post,liker\np1, \n", "row 2, column liker: expected a value, got ' '"),
        ("post,count\np1,\n", "row 2, column count: expected a value"),
        ("post,count\np1,-3\n", "row 2, column count: expected a whole number, not negative, got '-3'"),
        ("post,count\np1,1.5\n", "row 2, column count: expected a whole number"),
        ("post,count\np1,1e3\n", "row 2, column count"),
        ("post,count\np1,٣\n", "row 2, column count"),
        (f"post,count\np1,{'9' * 19}\n", "row 2, column count"),
        ("post,liker,time\np1,u1,2026-11-02T10:00:00\n", "row 2, column time: expected a time with its offset"),
        ("post,liker,time\np1,u1,yesterday\n", "row 2, column time: expected a time with its offset"),
        ("post,count,published\np1,1,2026\n", "row 2, column published: expected a time"),
        (f"post,liker\np1,{'u' * 501}\n", "row 2, column liker: expected at most 500"),
        ("post,liker\np1,u\u202e1\n", "row 2, column liker: expected at most 500 printable"),
        (f"post,liker\np1,{'u' * 70_000}\n", "row 2, expected CSV in UTF-8: a line of more than 65,536 bytes"),
        ("post,liker\np1,u\x001\n", "row 2, expected CSV in UTF-8: a NUL byte"),
        (b"post,liker\np1,u1\np1,Andr\xe9\n", "row 3, expected CSV in UTF-8"),
        (b"post,lik\xe9r\n", "row 1, expected CSV in UTF-8"),
        (b"\xff\xfep\x00o\x00", "row 1, expected CSV in UTF-8"),
        ('post,liker\np1,"u1\n', "row 2, expected CSV in UTF-8"),
        ('post,liker\np1,"u1"x\n', "row 2, expected CSV in UTF-8"),
        ("post,liker\rp1,u1\r", "row 1, expected CSV in UTF-8"),
    ],
)
def test_what_cannot_be_read_is_one_line_that_says_where(put: Put, tmp_path: Path, content: str, message: str) -> None:
    put(content)
    with pytest.raises(ContractBroken, match=r"partner\.csv, row") as broken:
        counts_of(tmp_path)
    assert message in str(broken.value)
    assert "\n" not in str(broken.value)


def test_a_wrong_value_in_a_row_of_another_post_stops_nobody(put: Put, tmp_path: Path) -> None:
    put("post,liker,time\np2,u9,yesterday\np1,u1,\n")
    assert actors(page_of(tmp_path)) == ["u1"]


def test_a_cursor_goes_on_where_a_page_ended_though_the_file_grew(put: Put, tmp_path: Path) -> None:
    content = 'post,liker,note\np1,u1,"two\nlines"\np1,u2,é\n'
    put(content)
    page = page_of(tmp_path, page_size=2)
    assert (actors(page), page.cursor) == (["u1", "u2"], f"partner.csv:{len(content.encode())}:3")
    put(content + "p2,u3,\np1,u4,\n")
    assert actors(page_of(tmp_path, page.cursor)) == ["u4"]


def test_a_last_row_without_a_line_end_may_get_one_and_more_rows(put: Put, tmp_path: Path) -> None:
    put("post,liker\np1,u1")
    page = page_of(tmp_path, page_size=1)
    assert actors(page_of(tmp_path, page.cursor)) == []
    put("post,liker\np1,u1\np1,u2\n")
    assert actors(page_of(tmp_path, page.cursor)) == ["u2"]
    put("post,liker\np1,u12\n")
    with pytest.raises(ContractBroken, match=r"partner\.csv was replaced while it was read"):
        page_of(tmp_path, page.cursor)


def test_a_file_that_was_cut_or_taken_away_is_noticed(put: Put, tmp_path: Path) -> None:
    put("post,liker\np1,u1\n")
    with pytest.raises(ContractBroken, match="replaced"):
        page_of(tmp_path, "partner.csv:999:2")
    with pytest.raises(ContractBroken, match="taken away"):
        page_of(tmp_path, "partner/2026-10.csv:20:2")


def test_a_person_listed_in_every_file_is_one_liker(put: Put, tmp_path: Path) -> None:
    for month in ("10", "11"):
        put("post,liker\np1,u1\np1,u2\n", f"partner/2026-{month}.csv")
    assert actors(page_of(tmp_path)) == ["u1", "u2"]
    assert [count.likes for count in counts_of(tmp_path)] == [2]


@pytest.mark.parametrize(
    ("rows", "likes"),
    [
        ("p1,5,2026-11-02T10:00:00Z\np1,4,2026-11-01T10:00:00Z\n", 5),
        ("p1,5,2026-11-02T10:00:00Z\np1,4,2026-11-02T11:00:00+01:00\n", 4),
        ("p1,5,\np1,4,\n", 4),
        ("p1,0,\n", 0),
    ],
)
def test_the_newest_count_is_taken_or_else_the_last(put: Put, tmp_path: Path, rows: str, likes: int) -> None:
    put(f"post,count,time\n{rows}")
    assert [count.likes for count in counts_of(tmp_path)] == [likes]


def test_a_count_beside_likers_is_the_number_and_its_row_names_nobody(put: Put, tmp_path: Path) -> None:
    put("post,liker,count,published\np1,u1,,2026-11-01T10:00:00Z\np1,,7,\n")
    assert actors(page_of(tmp_path)) == ["u1"]
    (count,) = counts_of(tmp_path)
    assert count == Count(native_id="partner/p1", likes=7, published_at=parse_instant("2026-11-01T10:00:00Z"))


def test_posts_of_several_sources_are_counted_in_one_call_and_a_missing_one_is_left_out(
    put: Put, tmp_path: Path
) -> None:
    put("post,liker\np1,u1\n")
    put("post,count\np1,8\n", "other.csv")
    posts = [recognise(CsvImport, f"csv://{name}") for name in ("other/p1", "partner/p1", "partner/p9")]
    assert [(count.native_id, count.likes) for count in counts_of(tmp_path, *posts)] == [
        ("other/p1", 8),
        ("partner/p1", 1),
    ]


def test_a_page_holds_likers_so_that_a_file_of_other_posts_is_not_page_after_empty_page(
    put: Put, tmp_path: Path
) -> None:
    put("post,liker\n" + "p2,u1\n" * 5000 + "p1,u1\n")
    assert actors(page_of(tmp_path, page_size=10)) == ["u1"]


def test_a_file_without_likers_says_how_it_can_be_used(put: Put, tmp_path: Path) -> None:
    put("post,count\np1,7\n")
    with pytest.raises(Refused, match=r"partner\.csv has no column liker: add the post with --basis count"):
        page_of(tmp_path)


def test_a_source_without_a_file_says_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"there is no partner\.csv and no partner/ with \.csv files in"):
        page_of(tmp_path)


@pytest.mark.parametrize("link", ["partner.csv", "partner"])
def test_a_link_does_not_lead_out_of_the_folder(tmp_path: Path, link: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "imports"
    outside.mkdir()
    folder.mkdir()
    (outside / "a.csv").write_text("post,liker\np1,u1\n")
    (folder / link).symlink_to(outside / "a.csv" if link.endswith(".csv") else outside)
    with pytest.raises(Refused, match="is a link that leads out of"):
        page_of(folder)


@pytest.mark.parametrize(
    "url",
    [
        "csv://partner",
        "csv://partner/",
        "csv://../p1",
        "csv://Partner/p1",
        "csv://-partner/p1",
        "csv://part.ner/p1",
        "csv://partner/a/b",
        "csv://partner/a b",
        "csv://partner/a\x00",
        "https://partner/p1",
        "csv:partner/p1",
    ],
)
def test_an_address_that_is_no_row_of_a_source_is_nobodys(url: str) -> None:
    assert CsvImport.recognise(url) is None


def test_a_posts_name_is_kept_exactly() -> None:
    assert recognise(CsvImport, "csv://partner/%C3%A9?x=1#y").native_id == "partner/%C3%A9?x=1#y"
