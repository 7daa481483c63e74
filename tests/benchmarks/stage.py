"""Where benchmarks take place: a simulated post in a process of its own, and contests in fresh databases."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import psycopg
from cryptography.fernet import Fernet
from sqlalchemy import make_url

from harvester.clock import utc_now
from harvester.config import HttpSettings, Settings
from harvester.contest.campaigns import CampaignFacts, NewCampaign, add_campaign
from harvester.contest.entries import NewEntry, add_posts
from harvester.run.poll import poll
from harvester.run.reader import EntryResult
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
from tests import postgres

NewDatabase = Callable[[], AbstractContextManager[str]]
"""Makes an empty database, gives its URL, and drops it."""


class Served(msgspec.Struct, frozen=True):
    """A simulated post and how many like it."""

    origin: str
    url: str
    id: str
    likers: int
    published_at: datetime


@contextmanager
def serving(likers: int, dialect: str = "mastodon") -> Iterator[Served]:
    """Serve a post from another process, as a platform does."""
    command = [sys.executable, "-m", "harvester.rehearsal", "--likers", str(likers), "--dialect", dialect]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout
        try:
            yield msgspec.json.decode(server.stdout.readline(), type=Served)
        finally:
            server.kill()


@dataclass(frozen=True, slots=True)
class Contest:
    """A campaign with one post, ready to be polled."""

    at: Installation
    campaign: CampaignFacts

    def poll(self, *, full: bool, credited: int) -> EntryResult:
        """Sweep the post; the sweep must end complete and credit exactly `credited` likes."""
        (result,) = poll(self.at, [self.campaign], wants_full=full)
        assert (result.outcome, result.credited) == ("complete", credited), result
        return result


@contextmanager
def contest(database_url: str, origin: str, post_url: str) -> Iterator[Contest]:
    """Set a contest up in an empty database; budgets are off, everything else is as by default."""
    database, now = Database(database_url), utc_now()
    database.upgrade()
    at = Installation(database=database, settings=_settings(origin), master=_new_master())
    new = NewCampaign(
        slug="bench",
        name="bench",
        starts_at=now - timedelta(days=30),
        ends_at=now + timedelta(days=1),
        zone=ZoneInfo("UTC"),
    )
    try:
        with database.writing() as session:
            campaign = add_campaign(session, at.master, new, author="bench", now=now)
        (added,) = add_posts(at, campaign, [NewEntry(pasted_url=post_url)])
        assert added.outcome == "complete", added
        yield Contest(at, campaign)
    finally:
        database.engine.dispose()


@contextmanager
def new_sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="harvester-bench-") as folder:
        yield f"sqlite:///{folder}/bench.db"


@contextmanager
def databases() -> Iterator[dict[str, NewDatabase]]:
    """Give both kinds of database, each as safe against a power cut as in production."""
    folder = Path(tempfile.mkdtemp(prefix="harvester-bench-"))
    with ExitStack() as stack:
        stack.callback(postgres.stop, folder)
        server = postgres.start(folder)
        _make_durable(server)
        yield {"SQLite": new_sqlite, "PostgreSQL": lambda: postgres.new_database(server)}


def child_environment() -> dict[str, str]:
    """Give commands that run as processes the settings that contests have here."""
    return os.environ | {
        "HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS": "true",
        "HARVESTER_CONNECTORS__MASTODON__BUDGET": "off",
    }


def _make_durable(server: str) -> None:
    """Undo what the tests' server leaves out to be quick: commits that wait for the disk."""
    admin = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(admin, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = on")
        connection.execute("SELECT pg_reload_conf()")


def _settings(origin: str) -> Settings:
    return Settings(
        http=HttpSettings(allow_private_hosts=True),
        connectors={"mastodon": {"budget": "off"}, "bluesky": {"budget": "off", "appview": origin}},
    )


def _new_master() -> MasterKey:
    return MasterKey(Fernet.generate_key().decode(), "the benchmark")
