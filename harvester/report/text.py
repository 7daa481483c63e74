"""What people read in a terminal: tables made from the views."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harvester.clock import time_zone
from harvester.connector import Basis
from harvester.report.views import EntryView, LastSweep, StatusView
from harvester.store.kinds import EntryState, SweepOutcome
from harvester.volume import Volume

_UNKNOWN = "–"
_ONLY_COUNTED = "counted"
_TAIL_OF_URL = 4
_COLOURS = {"complete": "green", "partial": "yellow", "failed": "red"}


def number(value: int | None) -> str:
    """Write a number with thousands apart; a dash when unknown, which is not zero."""
    return _UNKNOWN if value is None else f"{value:,}"


def table(*headings: str) -> Table:
    """Start a table in the one style of all tables; columns whose heading begins with # hold numbers."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in headings:
        is_number = heading.startswith("#")
        made.add_column(heading.lstrip("#"), justify="right" if is_number else "left", overflow="fold")
    return made


def post_name(connector: str, url: str) -> str:
    """Name a post in little room: its platform, and the end of its link."""
    return f"{connector} …{url.rstrip('/')[-_TAIL_OF_URL:]}"


def status_text(view: StatusView) -> RenderableType:
    """Show a campaign: its posts, what they earned, and where the bytes are."""
    zone = time_zone(view.window.timezone)
    start, end = (_local(instant, zone) for instant in (view.window.start, view.window.end))
    heading = Text.assemble((view.campaign, "bold"), f"  {view.state}  {start} to {end} {zone.key}")
    return Group(
        heading, _posts(view.entries, zone), *_totals(view), *_settled(view, zone), *_notes(view.entries, zone)
    )


def outcome_text(outcome: str | None) -> Text:
    """Write an outcome in its colour."""
    return Text(outcome or "unfinished", style=_COLOURS.get(outcome or "", "yellow"))


def _posts(entries: Sequence[EntryView], zone: ZoneInfo) -> Table:
    is_planned = any(entry.next_poll_at or entry.next_poll_reason for entry in entries)
    columns = ("post", "contestant", "#shown", "#held", "#gap", "#credited", "last sweep", "outcome")
    posts = table(*columns, *(["next poll"] if is_planned else []))
    for entry in entries:
        sweep = entry.last_sweep
        posts.add_row(
            post_name(entry.connector, entry.url),
            entry.entrant or _UNKNOWN,
            number(entry.displayed),
            _ONLY_COUNTED if entry.basis is Basis.COUNT else number(entry.held),
            number(entry.gap),
            number(entry.credited),
            f"{sweep.at.astimezone(zone):%m-%d %H:%M}" if sweep else "never",
            _state_text(entry),
            *([_next_poll(entry, zone)] if is_planned else []),
        )
    return posts


def _next_poll(entry: EntryView, zone: ZoneInfo) -> str:
    """Say when a post is read next, and why then."""
    at = f"{entry.next_poll_at.astimezone(zone):%m-%d %H:%M}" if entry.next_poll_at else _UNKNOWN
    return f"{at} {entry.next_poll_reason}" if entry.next_poll_reason else at


def _state_text(entry: EntryView) -> Text:
    """Write how the last sweep ended, or that there will be no further one."""
    if entry.state in (EntryState.GONE, EntryState.REMOVED):
        return Text(entry.state, style="dim")
    return outcome_text(entry.last_sweep.outcome) if entry.last_sweep else Text(_UNKNOWN)


def _totals(view: StatusView) -> Iterable[str]:
    likes, amounts = view.likes, view.bytes
    yield f"{likes.credited:,} likes credited: {Volume(amounts.credited)} (a like is {Volume(view.rate_bytes)} now)"
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
    on = f"settled on {_local(end.settled_at, zone)} by {end.author}"
    yield f"{on}: {end.likes:,} likes, {Volume(end.bytes)}; nothing is counted any more"
    if end.reversed_likes:
        yield f"  {end.reversed_likes:,} likes no longer stood: {Volume(end.reversed_bytes)} taken back"
    if end.floor_bytes:
        yield f"  {Volume(end.floor_bytes)} added to reach what was guaranteed"
    if end.accepted_gap:
        yield f"  accepted with posts that could not be read to their end: {end.accepted_gap}"


def _notes(entries: Iterable[EntryView], zone: ZoneInfo) -> Iterable[str]:
    """Say in words what the table only hints at."""
    for entry in entries:
        sweep = entry.last_sweep
        if sweep and sweep.reason:
            goes_on = _goes_on(sweep, entry.next_poll_at, zone)
            yield f"  {entry.url}: {sweep.reason}{goes_on}"
        elif entry.gap:
            side = "shows more likes than it names" if entry.gap > 0 else "names more likers than it shows"
            yield f"  {entry.url}: the platform {side} ({abs(entry.gap):,}); only named likers are credited"
        if entry.holes:
            passed = f"{entry.unseen:,} passed unseen at least" if entry.unseen else "some may have passed unseen"
            yield f"  {entry.url}: the list showed only its newest likers, and none that we knew: {passed}"


def _goes_on(sweep: LastSweep, at: datetime | None, zone: ZoneInfo) -> str:
    return f"; goes on after {_local(at, zone)}" if at and sweep.outcome is not SweepOutcome.COMPLETE else ""


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
