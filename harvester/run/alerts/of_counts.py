"""What is wrong with posts by the numbers their platforms show: a gap, a fall, a number that is hidden.

What was told of is over only when it is half as bad: a number that swings around a threshold is one alert, not one an
hour.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from harvester.config import AlertSettings
from harvester.connector import Basis
from harvester.run.alerts.condition import Condition, OpenAlerts, write_utc
from harvester.run.alerts.open_posts import OpenPosts
from harvester.store.kinds import AlertKind, EntryState
from harvester.store.models import Entry, Reading, Sweep

_A_FEW = 5
_TOO_LONG_HIDDEN = timedelta(days=1)


def count_conditions(
    session: Session, posts: OpenPosts, settings: AlertSettings, known: OpenAlerts, now: datetime
) -> Iterator[Condition]:
    """Give everything that is wrong with the numbers of these posts."""
    yield from _gaps(session, posts, settings, known)
    yield from _falls(session, posts, settings, known)
    yield from _hidden(session, posts, now)


def _gaps(session: Session, posts: OpenPosts, settings: AlertSettings, known: OpenAlerts) -> Iterator[Condition]:
    """Compare what was shown and held at the end of the last complete full sweep.

    Only then are they of one moment; a number that is asked later has likers in it that nobody listed yet. All that a
    list names are held, so only where the list is too short is it worth adding up who is held.
    """
    shown = {
        key: sweep.displayed_after
        for key, sweep in posts.full.items()
        if sweep.displayed_after and posts.entries[key].basis is Basis.IDENTITY
    }
    limits = {key: _Limits(settings, _part(AlertKind.GAP, posts.name(key), known)) for key in shown}
    short = [key for key, number in shown.items() if limits[key].are_passed(number, posts.full[key].listed)]
    for key, held in _held_at_the_end(session, posts, short).items():
        if limits[key].are_passed(shown[key], held):
            yield Condition(
                kind=AlertKind.GAP,
                subject=posts.name(key),
                message=f"{posts.name(key)} displays {shown[key]:,} likes, but its whole list names {held:,}: "
                f"a gap of {shown[key] - held:,}.",
                remedy="Only named likers earn. Compare with the platform by hand, and say so before the settlement.",
            )


@dataclass(frozen=True, slots=True)
class _Limits:
    """From where on a gap is told; it counts `part` times."""

    settings: AlertSettings
    part: int

    def are_passed(self, displayed: int, likers: int) -> bool:
        gap = (displayed - likers) * self.part
        return gap >= self.settings.gap_likes and gap * 100 >= self.settings.gap_percent * displayed


def _held_at_the_end(session: Session, posts: OpenPosts, entry_ids: Collection[int]) -> Mapping[int, int]:
    """Count, per post, the likers who were held when its whole list had been read last."""
    full = aliased(Sweep)
    held = func.sum(col(Sweep.new) - col(Sweep.unliked) + col(Sweep.returned))
    rows = session.exec(
        select(Sweep.entry_id, held)
        .join(full, (col(full.entry_id) == Sweep.entry_id) & (col(Sweep.id) <= full.id))
        .where(col(full.id).in_([posts.full[key].id for key in entry_ids]))
        .group_by(col(Sweep.entry_id))
    )
    return {key: int(number) for key, number in rows}


def _falls(session: Session, posts: OpenPosts, settings: AlertSettings, known: OpenAlerts) -> Iterator[Condition]:
    """Compare with the highest number a sweep was shown, not with the one before: a fall lasts until it is made up.

    A number that is hidden after it fell has not been made up.
    """
    peaks = _peaks(session, posts)
    for key, entry in posts.entries.items():
        peak, part = peaks.get(key) or 0, _part(AlertKind.COUNT_FELL, posts.name(key), known)
        hidden_at = 0 if part > 1 else peak
        fall = peak - (hidden_at if entry.displayed is None else entry.displayed)
        if fall * part >= _A_FEW and fall * part * 100 >= settings.fall_percent * peak:
            yield Condition(
                kind=AlertKind.COUNT_FELL,
                subject=posts.name(key),
                message=f"{posts.name(key)} displays {peak - fall:,} likes, {fall:,} less than {peak:,} before.",
                remedy="The platform may have removed false likes, or fans took theirs back. No credit is taken "
                "back now: look at the post before the settlement.",
            )


def _peaks(session: Session, posts: OpenPosts) -> Mapping[int | None, int | None]:
    """Give the highest number that each post ever showed."""
    shown = select(Sweep.displayed_after).where(Sweep.entry_id == Entry.id, col(Sweep.displayed_after).is_not(None))
    highest = shown.order_by(col(Sweep.displayed_after).desc()).limit(1).correlate(Entry).scalar_subquery()
    is_named = col(Entry.campaign_id).in_(posts.campaigns) & (Entry.basis == Basis.IDENTITY)
    counted: dict[int | None, int | None] = {key: entry.high_water for key, entry in posts.entries.items()}
    return counted | dict(session.exec(select(Entry.id, highest).where(is_named)).all())


def _hidden(session: Session, posts: OpenPosts, now: datetime) -> Iterator[Condition]:
    for key, entry in posts.entries.items():
        has_begun = posts.campaigns[entry.campaign_id].rules.starts_at <= now
        since = _hidden_since(session, key) if has_begun and _is_frozen(entry) else None
        if since and now - since > _TOO_LONG_HIDDEN:
            yield Condition(
                kind=AlertKind.COUNT_HIDDEN,
                subject=posts.name(key),
                message=f"{posts.name(key)} hides its number of likes since {write_utc(since)}: it earns nothing.",
                remedy="Ask whoever published it to show the number again. Likes that come and go while it is hidden "
                "are lost; what it shows afterwards is credited.",
            )


def _is_frozen(entry: Entry) -> bool:
    """Only where the number is what earns does hiding it freeze the credit."""
    is_hidden = entry.displayed_at is not None and entry.displayed is None
    return is_hidden and entry.basis is Basis.COUNT and entry.state is not EntryState.GONE


def _hidden_since(session: Session, entry_id: int) -> datetime | None:
    """Find the first reading without a number after the last one that had one."""
    of_entry = select(Reading.read_at).where(Reading.entry_id == entry_id).limit(1)
    newest_first, oldest_first = col(Reading.read_at).desc(), col(Reading.read_at)
    shown = session.exec(of_entry.where(col(Reading.likes).is_not(None)).order_by(newest_first)).first()
    after = of_entry if shown is None else of_entry.where(col(Reading.read_at) > shown)
    return session.exec(after.order_by(oldest_first)).first()


def _part(kind: AlertKind, subject: str, known: OpenAlerts) -> int:
    """Say how many times a number counts against its threshold: twice while an alert is open."""
    return 2 if (kind, subject) in known else 1
