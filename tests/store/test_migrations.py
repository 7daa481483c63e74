"""The migrations make exactly the models, once, and no version of harvester touches the tables of another."""

from collections.abc import Callable

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from harvester.connector import Basis
from harvester.errors import StoreError, UsageError
from harvester.store.database import Database
from harvester.store.migrations import HEAD, REVISIONS
from harvester.store.models import APPEND_ONLY, Entry, Sweep, Transfer

ROWS = (  # of the first release
    "INSERT INTO campaign (id, slug, name, starts_at, ends_at, timezone, keeps, unique_per, sealed_key, created_at) "
    "VALUES (1, 'a', 'A', '2027-01-01', '2027-02-01', 'UTC', 'ever', 'post', '', '2027-01-01')",
    "INSERT INTO association (id, slug, name, city, region) VALUES (1, 'b', 'B', 'Rabat', 'Nord')",
    "INSERT INTO entrant (id, campaign_id, name) VALUES (1, 1, 'Yasmine')",
    "INSERT INTO account (id, campaign_id, name, kind) VALUES (1, 1, 'sponsor', 'sponsor'), (2, 1, 'pool', 'pool')",
    "INSERT INTO rate (campaign_id, bytes_per_like, valid_from, reason, author, made_at) "
    "VALUES (1, 5, '2027-01-01', 'r', 'a', '2027-01-01')",
    "INSERT INTO allocation (campaign_id, association_id, share_ppm, reason, author, made_at) "
    "VALUES (1, 1, 5, 'r', 'a', '2027-01-01')",
    "INSERT INTO winner (campaign_id, entrant_id, reason, author, made_at) VALUES (1, 1, 'r', 'a', '2027-01-01')",
    "INSERT INTO entry (id, campaign_id, connector, realm, native_id, url, pasted_url, basis, state, displayed, "
    "added_at) VALUES (1, 1, 'fake', 'fake:here', '1', 'u', 'u', 'identity', 'open', 7, '2027-01-01')",
    "INSERT INTO sweep (id, entry_id, is_full, started_at, touched_at, pass_number, pages, requests, listed, new, "
    "credited, uncertain, over_cap, baseline, late, repeated, unliked, returned) "
    "VALUES (1, 1, true, '2027-01-02', '2027-01-02', 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0)",
    "INSERT INTO transfer (campaign_id, key, debit_id, credit_id, amount, likes, reason, author, made_at) "
    "VALUES (1, 'k', 1, 2, 10, 1, 'r', 'a', '2027-01-01')",
)
LATER_ROWS = (
    "INSERT INTO reading (entry_id, sweep_id, read_at, likes) VALUES (1, 1, '2027-01-02', 7)",
    "INSERT INTO hole (entry_id, sweep_id, since, found_at) VALUES (1, 1, '2027-01-01', '2027-01-02')",
    "INSERT INTO night (started_at, ended_at, outcome, summary) VALUES ('2027-01-02', '2027-01-02', 'complete', '{}')",
    "INSERT INTO settlement (campaign_id, settled_at, author, likes, bytes, reversed_likes, reversed_bytes, "
    "floor_bytes) VALUES (1, '2027-02-03', 'a', 1, 10, 0, 0, 0)",
)


def test_an_empty_database_becomes_exactly_the_models(database: Database) -> None:
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)

    assert differences == []


def test_every_constraint_of_the_models_is_in_the_database(database: Database) -> None:
    """Alembic does not compare CHECKs."""
    found = inspect(database.engine)
    declared = {
        (name, str(constraint.name))
        for name, table in SQLModel.metadata.tables.items()
        for constraint in table.constraints
        if isinstance(constraint, CheckConstraint) and constraint.name
    }

    assert declared
    assert declared == {
        (name, check["name"]) for name in SQLModel.metadata.tables for check in found.get_check_constraints(name)
    }


def test_upgrading_again_changes_nothing(database: Database) -> None:
    before = _schema(database)
    database.upgrade()

    assert _schema(database) == before
    database.check_is_current()


def test_the_listed_revisions_are_those_of_the_scripts() -> None:
    config = Config()
    config.set_main_option("script_location", "harvester:store/migrations")
    scripts = ScriptDirectory.from_config(config)

    assert tuple(reversed([script.revision for script in scripts.walk_revisions()])) == REVISIONS
    assert scripts.get_heads() == [HEAD]


def test_an_empty_database_is_refused_with_the_command_that_helps(open_database: Callable[..., Database]) -> None:
    with pytest.raises(UsageError, match=r"is empty: run 'harvester init'$") as refused:
        open_database().check_is_current()

    assert refused.value.exit_code == 2


@pytest.mark.parametrize("work", [Database.check_is_current, Database.upgrade])
def test_the_database_of_a_newer_harvester_is_refused(database: Database, work: Callable[[Database], None]) -> None:
    _set_revision(database, "9999")

    with pytest.raises(UsageError, match=r"is of a newer harvester \(revision 9999\): upgrade harvester$") as refused:
        work(database)

    assert refused.value.exit_code == 2
    assert _revision(database) == "9999"


def test_an_upgrade_that_breaks_off_leaves_nothing_behind(open_database: Callable[..., Database]) -> None:
    """The last statements of the migration fail, as on a full disk: none of its tables may stay."""
    database = open_database()
    with database.engine.begin() as connection:
        connection.execute(text("CREATE TABLE transfer (id INTEGER)"))

    with pytest.raises((StoreError, DBAPIError)):
        database.upgrade()

    assert inspect(database.engine).get_table_names() == ["transfer"]


def test_a_database_of_the_first_release_is_upgraded_and_keeps_its_rows(open_database: Callable[..., Database]) -> None:
    database = open_database()
    _upgrade_to(database, "0001")
    _fill(database, *ROWS)

    with pytest.raises(UsageError, match=r"is of an older harvester: run 'harvester db upgrade'$"):
        database.check_is_current()
    database.upgrade()

    with database.reading() as session:
        entry, transfer, sweep = (session.get_one(table, 1) for table in (Entry, Transfer, Sweep))
    assert (entry.displayed, entry.high_water, entry.basis) == (7, None, Basis.IDENTITY)
    assert (transfer.key, transfer.amount) == ("k", 10)
    assert (sweep.pages, sweep.tries, sweep.tried_from) == (1, 0, 0)


def test_what_is_asked_every_minute_has_an_index(database: Database) -> None:
    found = inspect(database.engine)
    for name in ("sweep", "reading"):
        wanted = {str(index.name) for index in SQLModel.metadata.tables[name].indexes}
        assert {index["name"] for index in found.get_indexes(name)} == wanted


@pytest.mark.parametrize("statement", ["UPDATE {table} SET id = id + 1", "DELETE FROM {table}"])
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_what_happened_is_never_changed_or_removed(database: Database, table: str, statement: str) -> None:
    _fill(database, *ROWS, *LATER_ROWS)

    with pytest.raises((StoreError, DBAPIError), match=f"{table} rows are never changed: book the opposite"):
        _execute(database, statement.format(table=table))


def _execute(database: Database, statement: str) -> None:
    with database.writing() as session:
        session.connection().execute(text(statement))


def _fill(database: Database, *statements: str) -> None:
    with database.writing() as session:
        for statement in statements:
            session.connection().execute(text(statement))


def _schema(database: Database) -> object:
    found = inspect(database.engine)
    return {name: [column["name"] for column in found.get_columns(name)] for name in found.get_table_names()}


def _upgrade_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "harvester:store/migrations")
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _revision(database: Database) -> str:
    with database.engine.connect() as connection:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())


def _set_revision(database: Database, revision: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
