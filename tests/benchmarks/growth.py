"""What a new page costs when an entry already has many likers, beside one that has few."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import count

from measure import Row, Size, at_most, interleaved, seconds_of
from sqlalchemy import text
from sqlmodel import SQLModel, select
from stage import Contest, NewDatabase, contest, serving

from harvester.books.credit import Desk, PageSlip, Sighting, record_page
from harvester.books.ledger import campaign_accounts
from harvester.books.rules import Circumstances
from harvester.clock import utc_now
from harvester.collect.progress import begin
from harvester.connector import LikeTime, Order, Traits
from harvester.store.models import Entry

PAGE = 80
GOAL = 2
TRAITS = Traits(order=Order.SERVER_DESC, time=LikeTime.NONE, page_max=PAGE)
NEW_PSEUDONYM = {"SQLite": "randomblob(16)", "PostgreSQL": "uuid_send(gen_random_uuid())"}


def rows(size: Size, databases: dict[str, NewDatabase]) -> Iterator[Row]:
    few, many = size.stored
    for kind, new_database in databases.items():
        with serving(PAGE) as post, ExitStack() as stack:
            pages = {}
            for stored in size.stored:
                ready = stack.enter_context(contest(stack.enter_context(new_database()), post.origin, post.url))
                ready.poll(full=True, credited=PAGE)
                _store_copies(ready, stored - PAGE, NEW_PSEUDONYM[kind])
                pages[str(stored)] = _page_writer(ready)
            seconds = interleaved(pages, rounds=size.fresh_pages)
        what = f"a new page, {many:,} likes stored / {few:,}, {kind}"
        yield at_most(what, GOAL, seconds[str(many)], seconds[str(few)])


def _store_copies(ready: Contest, number: int, new_pseudonym: str) -> None:
    """Copy an observation under other pseudonyms, inside the database."""
    columns = SQLModel.metadata.tables["observation"].columns.keys()
    names = ", ".join(columns)
    values = ", ".join(new_pseudonym if name == "pseudonym" else name for name in columns)
    with ready.at.database.writing() as session:
        session.connection().execute(
            text(f"""
                INSERT INTO observation ({names})
                WITH RECURSIVE copy(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM copy WHERE i < :number)
                SELECT {values} FROM copy, (SELECT * FROM observation LIMIT 1) AS original
            """),
            {"number": number},
        )
    if not ready.at.database.is_sqlite:
        with ready.at.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE observation"))


def _page_writer(ready: Contest) -> Callable[[], float]:
    """Give what stores one more page of likers nobody saw before, in a sweep begun here."""
    at, campaign = ready.at, ready.campaign
    with at.database.writing() as session:
        entry_id = session.exec(select(Entry.id)).one()
        progress = begin(session, entry_id, TRAITS, wants_full=True, now=at.now())
        accounts = campaign_accounts(session, campaign.id)
    key, numbers = at.master.open_campaign_key(campaign.sealed_key, campaign.slug), count(1)
    expiry = campaign.rules.ends_at + timedelta(days=30)
    desk = Desk(entry_id=entry_id, accounts=accounts, rules=campaign.rules, seal=key.seal, handles_expire_at=expiry)
    found = Circumstances(
        seen_at=utc_now(),
        time=TRAITS.time,
        previous_sweep_at=progress.previous_sweep_at,
        published_at=campaign.rules.starts_at,
        credits_existing=False,
    )

    def write() -> float:
        number = next(numbers)
        slip = PageSlip(sweep_id=progress.sweep_id, number=number, cursor=f"after {number}", requests=1)
        likers = [Sighting(pseudonym=secrets.token_bytes(16), liked_at=None, handle="somebody") for _ in range(PAGE)]

        def store() -> None:
            with at.database.writing() as session:
                assert record_page(session, desk, slip, likers, found).new == PAGE

        return seconds_of(store)

    return write
