"""Glances: the displayed counts of many posts in one request, only to know which of their lists are worth reading.

A glance credits nothing and judges nobody: a post that the platform leaves out is left for its next sweep to decide.
"""

import logging
from collections.abc import Sequence

from harvester.clock import Now
from harvester.collect.counts import read_counts
from harvester.collect.progress import mark_shown
from harvester.collect.registry import Platform
from harvester.collect.sweep import Stopped
from harvester.connector import Outcome, Post
from harvester.store.database import Database
from harvester.store.kinds import EntryState
from harvester.store.models import Entry, Reading

log = logging.getLogger(__name__)


def glance(database: Database, platform: Platform, entries: Sequence[Entry], *, now: Now) -> int:
    """Read the numbers of at most `batch_max` posts at once; say how many were shown, none when that was not answered.

    Nothing is raised: a pause that the platform asks for is kept by its client, and by the next sweep.
    """
    posts = {one.native_id: _post(one) for one in entries}
    try:
        counts = read_counts(platform.connector, platform.session(*posts.values()), [*posts.values()])
    except (Outcome, Stopped) as error:
        log.info("a glance at %s posts of %s came to nothing: %s", len(posts), platform.connector.name, error)
        return 0
    shown = {one.id: counts[one.native_id] for one in entries if one.id is not None and one.native_id in counts}
    with database.writing() as session:
        read_at = now()
        for entry_id, count in sorted(shown.items()):
            if session.get_one(Entry, entry_id).state is not EntryState.REMOVED:
                session.add(Reading(entry_id=entry_id, sweep_id=None, read_at=read_at, likes=count.likes))
                mark_shown(session, entry_id, count, read_at)
    return len(shown)


def _post(entry: Entry) -> Post:
    return Post(platform=entry.connector, native_id=entry.native_id, realm=entry.realm, url=entry.url)
