"""What was asked of a platform lately, by sweeps and glances: a process that begins counts what others sent."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session, col, select

from harvester.connector import Connector, Post
from harvester.store.models import Entry, Reading, Sweep


def spent_since(session: Session, connector: Connector, since: datetime) -> Iterator[tuple[str, datetime, int]]:
    """Give server, time and number of the requests of each sweep touched and each glance since then, oldest first.

    A sweep's requests are all dated by its newest page, which is never too early. Which of a platform's servers they
    went to is not recorded, so each counts them.
    """
    known = [*_swept(session, connector, since), *_glanced(session, connector, since)]
    for entry, at, requests in sorted(known, key=lambda one: one[1]):
        post = Post(platform=entry.connector, native_id=entry.native_id, realm=entry.realm, url=entry.url)
        for origin in {post.origin, *connector.origins} - {""}:
            yield origin, at, requests


def _swept(session: Session, connector: Connector, since: datetime) -> Iterator[tuple[Entry, datetime, int]]:
    yield from session.exec(
        select(Entry, Sweep.touched_at, Sweep.requests)
        .join(Sweep, col(Sweep.entry_id) == Entry.id)
        .where(Entry.connector == connector.name, Sweep.touched_at > since, Sweep.requests > 0)
    )


def _glanced(session: Session, connector: Connector, since: datetime) -> Iterator[tuple[Entry, datetime, int]]:
    """Give a glance once, however many posts it showed."""
    rows = session.exec(
        select(Entry, Reading.read_at)
        .join(Reading, col(Reading.entry_id) == Entry.id)
        .where(Entry.connector == connector.name, Reading.read_at > since, col(Reading.sweep_id).is_(None))
    )
    glances = {(entry.realm, at): entry for entry, at in rows}
    yield from ((entry, at, 1) for (_, at), entry in glances.items())
