"""A campaign's status as people read it: the totals in its head, then its posts, then what is to be said of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harvester.clock import time_zone
from harvester.connector import Basis
from harvester.contest.times import write_time
from harvester.report.notes import notes
from harvester.report.text import UNKNOWN, counted, earned, moment, number, outcome_text, post_name, table
from harvester.report.views import EntryView, StatusView
from harvester.store.kinds import EntryState
from harvester.volume import Volume

_ONLY_COUNTED = "counted"
_NUMBERS = ("#shown", "#held", "#gap", "#credited", "read", "outcome")
_CLOSE = (0, 0, 0, 0)
_WIDER_THAN_ANY = 10_000


def status_text(view: StatusView) -> RenderableType:
    """Show a campaign: what it earned and where the bytes are, its posts, and what the table only hints at."""
    zone = time_zone(view.window.timezone)
    start, end = (write_time(instant, zone) for instant in (view.window.start, view.window.end))
    heading = Text.assemble((view.campaign, "bold"), f"  {view.state}  {start} to {end} {zone.key}")
    now = f"  now {write_time(view.at, zone)}"
    posts = _Posts(view.entries, view.at, zone)
    said = (Padding(line, (0, 0, 0, 2), expand=False) for line in notes(view.entries, view.at, zone))
    return Group(heading, now, *_totals(view), *_settled(view, zone), "", posts, *said, "")


@dataclass(frozen=True, slots=True)
class _Posts:
    """The table of posts, as wide as the screen lets it be: roomy, with its columns close, or a post on two lines."""

    entries: Sequence[EntryView]
    now: datetime
    zone: ZoneInfo

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterable[RenderableType]:
        endless = options.update(max_width=_WIDER_THAN_ANY)
        for made in (self._roomy(), self._close()):
            if console.measure(made, options=endless).maximum <= options.max_width:
                yield made
                return
        yield self._stacked()

    def _roomy(self) -> Table:
        rows = _rows("post", "contestant", *_NUMBERS)
        for entry in self.entries:
            rows.add_row(_name(entry), entry.entrant or UNKNOWN, *self._numbers(entry))
        return rows

    def _close(self) -> Table:
        rows = self._roomy()
        rows.padding = _CLOSE
        return rows

    def _stacked(self) -> Table:
        rows = _rows("post", *_NUMBERS)
        rows.padding = _CLOSE
        for entry in self.entries:
            rows.add_row("\n".join(filter(None, (_name(entry), entry.entrant))), *self._numbers(entry))
        return rows

    def _numbers(self, entry: EntryView) -> Iterable[RenderableType]:
        sweep = entry.last_sweep
        yield number(entry.displayed)
        yield _ONLY_COUNTED if entry.basis is Basis.COUNT else number(entry.held)
        yield number(entry.gap)
        yield number(entry.credited)
        yield moment(sweep.at, self.now, self.zone) if sweep else "never"
        yield _state_text(entry)


def _rows(*headings: str) -> Table:
    rows = table(*headings)
    rows.show_edge = False
    return rows


def _name(entry: EntryView) -> str:
    return post_name(entry.connector, entry.url)


def _state_text(entry: EntryView) -> Text:
    """Write how the last sweep ended, or that there will be no further one."""
    if entry.state in (EntryState.GONE, EntryState.REMOVED):
        return Text(entry.state, style="dim")
    return outcome_text(entry.last_sweep.outcome) if entry.last_sweep else Text(UNKNOWN)


def _totals(view: StatusView) -> Iterable[str]:
    likes, amounts = view.likes, view.bytes
    volume = earned(amounts.credited, view.settlement.floor_bytes if view.settlement else 0)
    yield f"{likes.credited:,} likes credited: {volume} (a like is {Volume(view.rate_bytes)} now)"
    yield from _coverage(view.entries)
    apart = {
        "seen across the end, counted": likes.uncertain,
        "before the contest, not counted": likes.baseline,
        "over the cap, worth nothing": likes.over_cap,
        "reversed": likes.reversed,
        "in quarantine": likes.quarantined,
    }
    for meaning, count in apart.items():
        if count:
            yield f"  {count:,} {meaning}"
    for one in view.beneficiaries:
        yield f"  {one.association}: {Volume(max(one.pledged_bytes, 0))} ({one.share * 100:g}%)"
    if amounts.pool:
        yield f"  waiting for an association: {Volume(max(amounts.pool, 0))}"


def _coverage(entries: Sequence[EntryView]) -> Iterable[str]:
    """Say how much of the credit rests on people who are named, and how much on the platforms' own numbers."""
    of = {basis: sum(entry.credited for entry in entries if entry.basis is basis) for basis in Basis}
    if of[Basis.COUNT]:
        named = 100 * of[Basis.IDENTITY] // sum(of.values())  # never 100 % while one is only counted
        yield f"  {of[Basis.IDENTITY]:,} of them by named likers (coverage {named}%), the others only counted"


def _settled(view: StatusView, zone: ZoneInfo) -> Iterable[str]:
    """Say what the end of the count came to."""
    end = view.settlement
    if end is None:
        return
    on, volume = write_time(end.settled_at, zone), earned(end.bytes, end.floor_bytes)
    yield f"settled on {on} by {end.author}: {end.likes:,} likes, {volume}; nothing is counted any more"
    if end.reversed_likes:
        yield f"  {counted(end.reversed_likes, 'like')} no longer stood: {Volume(end.reversed_bytes)} taken back"
    if end.floor_bytes:
        yield f"  {Volume(end.floor_bytes)} added to reach what was guaranteed"
    if end.accepted_gap:
        yield f"  accepted with posts that could not be read to their end: {end.accepted_gap}"
