"""A contest that exists for a moment in a real database, and the core's own sweep over a connector in it."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import func
from sqlmodel import col, select

from harvester.books.credit import Desk
from harvester.books.ledger import CampaignAccounts, campaign_accounts, open_campaign_accounts
from harvester.books.rules import RateVersion, Rules
from harvester.collect.http import PoliteClient
from harvester.collect.progress import Ending
from harvester.collect.registry import Platform
from harvester.collect.sweep import Job, sweep_entry
from harvester.connector import Basis, Post
from harvester.kit.replay import START
from harvester.store.database import Database
from harvester.store.keys import CampaignKey
from harvester.store.kinds import Keeps, UniquePer
from harvester.store.models import Campaign, Entry, Rate, Transfer
from harvester.volume import Volume

_BEGINS, _ENDS = datetime(1970, 1, 1, tzinfo=UTC), START + timedelta(days=365)
_PER_LIKE = Volume(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """A contest in which every like counts; `sweep` is what a poll does with one post."""

    database: Database
    accounts: CampaignAccounts
    rules: Rules

    def enter(self, post: Post) -> int:
        """Put a post into the contest."""
        with self.database.writing() as session:
            entry = Entry(
                campaign_id=self.accounts.campaign_id,
                connector=post.platform,
                realm=post.realm,
                native_id=post.native_id,
                url=post.url,
                pasted_url=post.url,
                basis=Basis.IDENTITY,
                published_at=_BEGINS,
                added_at=START,
            )
            session.add(entry)
            session.flush()
            assert entry.id is not None
            return entry.id

    def sweep(self, entry_id: int, post: Post, connector: Any, client: PoliteClient) -> Ending:
        """Walk the whole list of likers once, as the core does it."""
        desk = Desk(entry_id=entry_id, accounts=self.accounts, rules=self.rules, seal=None, handles_expire_at=START)
        job = Job(
            database=self.database,
            platform=Platform(connector, client),
            post=post,
            desk=desk,
            key=_KEY,
            published_at=_BEGINS,
            credits_existing=True,
            now=lambda: START,
            should_stop=lambda: False,
        )
        return sweep_entry(job, wants_full=True)

    def credited(self, entry_id: int) -> int:
        """Give the number of likes that an entry was credited for."""
        with self.database.reading() as session:
            total = select(func.sum(col(Transfer.likes))).where(Transfer.entry_id == entry_id)
            return int(session.exec(total).one() or 0)


@contextmanager
def open_books() -> Iterator[Books]:
    """Open a contest in a database of its own; nothing of it is kept."""
    with tempfile.TemporaryDirectory(prefix="harvester-kit-") as folder:
        file = Path(folder) / "contest.db"
        file.write_bytes(_empty_database())
        database = Database(f"sqlite:///{file}")
        try:
            yield _new_contest(database)
        finally:
            database.engine.dispose()


@cache
def _empty_database() -> bytes:
    """Make an up-to-date database once; copying it is faster than making another."""
    with tempfile.TemporaryDirectory(prefix="harvester-kit-") as folder:
        file = Path(folder) / "empty.db"
        database = Database(f"sqlite:///{file}")
        database.upgrade()
        database.engine.dispose()
        return file.read_bytes()


def _new_contest(database: Database) -> Books:
    with database.writing() as session:
        campaign = Campaign(
            slug="kit",
            name="kit",
            starts_at=_BEGINS,
            ends_at=_ENDS,
            timezone="UTC",
            sealed_key=b"",
            created_at=_BEGINS,
        )
        session.add(campaign)
        session.flush()
        assert campaign.id is not None
        rate = Rate(
            campaign_id=campaign.id,
            bytes_per_like=_PER_LIKE.bytes,
            valid_from=_BEGINS,
            reason="kit",
            author="kit",
            made_at=_BEGINS,
        )
        session.add(rate)
        open_campaign_accounts(session, campaign.id)
        session.flush()
        rates = (RateVersion(id=rate.id or 0, per_like=_PER_LIKE, valid_from=_BEGINS),)
        accounts = campaign_accounts(session, campaign.id)
    rules = Rules(starts_at=_BEGINS, ends_at=_ENDS, keeps=Keeps.EVER, unique_per=UniquePer.POST, cap=None, rates=rates)
    return Books(database=database, accounts=accounts, rules=rules)


_KEY = CampaignKey(secrets.token_bytes(32))
