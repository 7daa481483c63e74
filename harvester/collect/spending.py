"""What was asked of a platform lately, as the sweeps recorded it: a process that begins counts what others sent."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session, col, select

from harvester.connector import Connector, Post
from harvester.store.models import Entry, Sweep


def spent_since(session: Session, connector: Connector, since: datetime) -> Iterator[tuple[str, datetime, int]]:
    """Give server, time and number of the requests of each sweep touched since then, oldest first.

    A sweep's requests are all dated by its newest page, which is never too early. Which of a platform's servers they
    went to is not recorded, so each counts them.
    """
    rows = session.exec(
        select(Entry, Sweep.touched_at, Sweep.requests)
        .join(Sweep, col(Sweep.entry_id) == Entry.id)
        .where(Entry.connector == connector.name, Sweep.touched_at > since, Sweep.requests > 0)
        .order_by(col(Sweep.touched_at))
    )
    for entry, at, requests in rows:
        post = Post(platform=entry.connector, native_id=entry.native_id, realm=entry.realm, url=entry.url)
        for origin in {post.origin, *connector.origins} - {""}:
            yield origin, at, requests
