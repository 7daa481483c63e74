"""Posts to read, as the database knows them, and how they are put together for reading."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from sqlmodel import Session, col, select

from harvester.connector import Basis, Connector, origin_of
from harvester.contest.campaigns import CampaignFacts, find_campaign
from harvester.store.kinds import EntryState
from harvester.store.models import Campaign, Entry

_POLLED = (EntryState.OPEN, EntryState.MISSING)
_MOST_PARAMETERS = 10_000


@dataclass(frozen=True, slots=True)
class Work:
    """A post to read, and the campaign it counts in."""

    campaign: CampaignFacts
    entry: Entry

    @property
    def entry_id(self) -> int:
        assert self.entry.id is not None
        return self.entry.id

    @property
    def is_open(self) -> bool:
        """Tell whether the post is still read, and its campaign still counted."""
        return self.entry.state in _POLLED and self.campaign.rules.settled_at is None


def open_work(session: Session, campaign: CampaignFacts) -> Sequence[Work]:
    """Give the posts of a campaign that are still read."""
    polled = col(Entry.state).in_(_POLLED)
    rows = session.exec(select(Entry).where(Entry.campaign_id == campaign.id, polled).order_by(col(Entry.id)))
    return [Work(campaign, entry) for entry in rows]


def work_of(session: Session, entry_ids: Collection[int]) -> Sequence[Work]:
    """Give posts by their entries' ids, read or not, with their campaigns as they stand now."""
    ids = sorted(entry_ids)
    rows: list[tuple[Entry, str]] = []
    for start in range(0, len(ids), _MOST_PARAMETERS):
        is_wanted = col(Entry.id).in_(ids[start : start + _MOST_PARAMETERS])
        with_slug = select(Entry, Campaign.slug).join(Campaign, col(Campaign.id) == Entry.campaign_id)
        rows += session.exec(with_slug.where(is_wanted).order_by(col(Entry.id))).all()
    campaigns = {slug: find_campaign(session, slug) for slug in {slug for _, slug in rows}}
    return [Work(campaigns[slug], entry) for entry, slug in rows]


def batches_of(work: Iterable[Work], connectors: Mapping[str, Connector | None]) -> Iterator[Sequence[Work]]:
    """Put together what one request can read: a list of likers is one post, numbers come many at a time.

    The servers take turns, so that one which hangs does not keep all threads waiting. A connector is None when it does
    not open.
    """
    by_server: defaultdict[str, list[Sequence[Work]]] = defaultdict(list)
    for batch in _batches(work, connectors):
        connector, entry = connectors[batch[0].entry.connector], batch[0].entry
        by_server[server_of(connector, entry) if connector else entry.connector].append(batch)
    for of_each in zip_longest(*by_server.values()):
        yield from (batch for batch in of_each if batch)


def server_of(connector: Connector, entry: Entry) -> str:
    """Name the server that counts the requests for a post: the platform's own, or where it has none, the post's."""
    return connector.origins[0] if connector.origins else origin_of(entry.url)


def _batches(work: Iterable[Work], connectors: Mapping[str, Connector | None]) -> Iterator[Sequence[Work]]:
    counted: defaultdict[tuple[str, str], list[Work]] = defaultdict(list)
    for one in work:
        if one.entry.basis is Basis.IDENTITY:
            yield [one]
        else:
            counted[one.entry.connector, one.entry.realm].append(one)
    for (name, _), group in counted.items():
        connector = connectors[name]
        size = connector.traits.batch_max if connector else len(group)
        yield from (group[start : start + size] for start in range(0, len(group), size))
