"""The words and tables that everything for people is written with."""

from datetime import datetime
from zoneinfo import ZoneInfo

from rich import box
from rich.table import Table
from rich.text import Text

from harvester.volume import Volume

UNKNOWN = "–"
_TAIL_OF_URL = 4
_COLOURS = {"complete": "green", "partial": "yellow", "failed": "red"}


def number(value: int | None) -> str:
    """Write a number with thousands apart; a dash when unknown, which is not zero."""
    return UNKNOWN if value is None else f"{value:,}"


def counted(many: int, noun: str) -> str:
    """Write so many of something: '1 post', '2 posts'."""
    return f"{many:,} {noun}{'' if many == 1 else 's'}"


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


def earned(credited: int, guaranteed: int) -> str:
    """Write what likes earned, and apart from it what a guarantee added: likes and bytes must fit each other."""
    by_likes = Volume(max(credited - guaranteed, 0))
    return f"{by_likes}; {Volume(credited)} with the guarantee" if guaranteed else str(by_likes)


def moment(instant: datetime, now: datetime, zone: ZoneInfo) -> str:
    """Write an instant on the zone's clocks, with its date only where that is not today's."""
    local, today = instant.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M}"
    return f"{local:%m-%d %H:%M}" if local.year == today.year else f"{local:%Y-%m-%d %H:%M}"


def outcome_text(outcome: str | None) -> Text:
    """Write an outcome in its colour."""
    return Text(outcome or "unfinished", style=_COLOURS.get(outcome or "", "yellow"))
