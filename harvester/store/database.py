"""The engine, transactions and locks; the only file where the two databases differ.

SQLite runs in WAL mode with synchronous=FULL, because a credit that was answered must survive a power cut. The caller
opens the transaction; a function that is given a session never commits.
"""

import os
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import URL, Connection, Table, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session, SQLModel

from harvester.errors import ConfigError, SettledError, StoreError, UsageError
from harvester.store.migrations import HEAD, REVISIONS, SETTLED

_SECONDS_TO_WAIT_FOR_A_LOCK = 30
_SQLITE = "sqlite:///"
_ONE_MOMENT = "REPEATABLE READ"  # what SQLite gives every reader


class Database:
    """One database, SQLite or PostgreSQL, and its transactions."""

    def __init__(self, url: str) -> None:
        self.url = _checked_url(url)
        self.engine = _open_engine(self.url)
        self._writing = self.engine.execution_options(begin="BEGIN IMMEDIATE")
        self._reading = self.engine if self.is_sqlite else self.engine.execution_options(isolation_level=_ONE_MOMENT)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one moment of the database."""
        with self._translated(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose work is committed as a whole when the block ends, or not at all."""
        with self._translated(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Hold `name` for this block, or give False when somebody else does.

        The operating system (SQLite) or the server (PostgreSQL) lets go of it the moment its holder dies.
        """
        held = self._file_lock(name) if self.is_sqlite else self._advisory_lock(name)
        with held as is_held:
            yield is_held

    def check_is_current(self) -> None:
        """Refuse to work on tables of another version of harvester."""
        revision = self._revision()
        if revision is None:
            raise UsageError(f"the database {self} is empty: run 'harvester init'")
        if revision not in REVISIONS:
            raise UsageError(f"the database {self} is of a newer harvester (revision {revision}): upgrade harvester")
        if revision != HEAD:
            raise UsageError(f"the database {self} is of an older harvester: run 'harvester db upgrade'")

    def upgrade(self) -> None:
        """Bring the tables to this version; nothing happens when they are."""
        from alembic import command  # noqa: PLC0415 - half a second that only this command pays
        from alembic.config import Config  # noqa: PLC0415

        if self._revision() not in (None, *REVISIONS):
            self.check_is_current()
        if self.is_sqlite:
            self._make_folder()
        config = Config()
        config.set_main_option("script_location", "harvester:store/migrations")
        with self._translated(), self._writing.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def backup(self, target: Path) -> None:
        """Write a consistent copy to a new file, while others go on working."""
        if target.exists():
            raise UsageError(f"{target} exists: name a new file")
        if not target.parent.is_dir():
            raise UsageError(f"the folder {target.parent} does not exist")
        with self._translated():
            (self._copy_sqlite if self.is_sqlite else self._dump_postgresql)(target)

    def __str__(self) -> str:
        return f"sqlite:///{self.url.database}" if self.is_sqlite else self.url.render_as_string(hide_password=True)

    def _make_folder(self) -> None:
        try:
            Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"the database {self} cannot be made: {(error.strerror or str(error)).lower()}"
            ) from error

    def _revision(self) -> str | None:
        if self.is_sqlite and not Path(self.url.database or "").exists():
            return None
        with self._translated(), self.engine.connect() as connection:
            if not self.engine.dialect.has_table(connection, "alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()

    @contextmanager
    def _file_lock(self, name: str) -> Iterator[bool]:
        folder = Path(f"{self.url.database}.locks")
        lock = FileLock(folder / f"{name}.lock", timeout=0)
        try:
            folder.mkdir(exist_ok=True)
            lock.acquire()
        except Timeout:
            yield False
            return
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StoreError(f"the lock folder {folder} cannot be used: {reason}") from error
        try:
            yield True
        finally:
            lock.release()

    @contextmanager
    def _advisory_lock(self, name: str) -> Iterator[bool]:
        key = int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)
        with self._translated(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            is_held = bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar_one())
            try:
                yield is_held
            finally:
                if is_held:
                    self._unlock(connection, key)

    @staticmethod
    def _unlock(connection: Connection, key: int) -> None:
        """Let go of an advisory lock; with a connection that is gone, the server did so already."""
        try:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": key})
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise

    def _copy_sqlite(self, target: Path) -> None:
        """Copy the database; the copy leaves WAL mode, in which nobody can read where they cannot write."""
        with sqlite3.connect(str(self.url.database)) as source, sqlite3.connect(target) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        source.close()
        copy.close()

    def _dump_postgresql(self, target: Path) -> None:
        address = self.url.translate_connect_args(username="user", database="dbname") | dict(self.url.query)
        environment = {f"PG{key.upper()}".replace("DBNAME", "DATABASE"): str(value) for key, value in address.items()}
        try:
            done = subprocess.run(  # noqa: S603 - fixed program, no shell
                ["pg_dump", "--format=custom", f"--file={target}"],  # noqa: S607 - the operator's own pg_dump
                env=os.environ | environment,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise UsageError("pg_dump is not installed: it makes the backup of a PostgreSQL database") from error
        if done.returncode:
            raise StoreError(f"pg_dump failed: {(done.stderr.strip().splitlines() or ['no reason given'])[0]}")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Say in one line what a driver says in a traceback."""
        try:
            yield
        except DBAPIError as error:
            if SETTLED in str(error.orig):
                raise SettledError(SETTLED) from error
            if error.connection_invalidated or not _is_our_mistake(error):
                raise StoreError(f"the database {self}: {_first_line(error)}") from error
            raise
        except sqlite3.Error as error:
            raise StoreError(f"the database {self}: {error}") from error


def insert_new(session: Session, table: type[SQLModel], rows: Sequence[dict[str, Any]], returning: str) -> set[Any]:
    """Insert the rows whose key is not there yet and give the value of `returning` for each row that was."""
    if not rows:
        return set()
    target: Table = SQLModel.metadata.tables[str(table.__tablename__)]
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(target).on_conflict_do_nothing().returning(target.c[returning])
    return set(session.connection().execute(statement, rows).scalars())


def _checked_url(url: str) -> URL:
    if url.startswith(_SQLITE):
        return URL.create("sqlite", database=url.removeprefix(_SQLITE))  # whatever characters the path has
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigError("database.url is not one: expected sqlite:///FILE or postgresql+psycopg://...") from error
    if parsed.drivername != "postgresql+psycopg":
        raise ConfigError(f"database.url: {parsed.drivername} is not supported (sqlite, postgresql+psycopg)")
    if "password" in parsed.query:
        raise ConfigError("database.url: write the password as user:password@host, where it can be hidden")
    return parsed


def _open_engine(url: URL) -> Engine:
    is_sqlite = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"timeout": _SECONDS_TO_WAIT_FOR_A_LOCK} if is_sqlite else {"connect_timeout": 10}
    try:
        engine = create_engine(url, connect_args=arguments, pool_size=8, max_overflow=-1)
    except ModuleNotFoundError as error:
        raise ConfigError("PostgreSQL needs its driver: pip install 'like-harvester[postgres]'") from error
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would come too late; _begin_sqlite says it
    _begin_wal(connection)
    for pragma in ("synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_wal(connection: sqlite3.Connection) -> None:
    """Put the file into WAL mode, unless it can only be read: a backup is read as it is."""
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith("SQLITE_READONLY"):
            raise


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _is_our_mistake(error: DBAPIError) -> bool:
    """A broken constraint or statement is a defect to see in full; anything else is the database's state."""
    return type(error).__name__ in ("IntegrityError", "ProgrammingError", "DataError", "NotSupportedError")


def _first_line(error: DBAPIError) -> str:
    if getattr(error.orig, "sqlite_errorname", None) == "SQLITE_READONLY_DIRECTORY":
        return "its folder cannot be written, as a live database needs even to be read: read a 'harvester db backup'"
    return str(error.orig).strip().partition("\n")[0] or type(error.orig).__name__
