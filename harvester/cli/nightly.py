"""`harvester nightly`: what cron calls, and one summary."""

from collections.abc import Iterable
from datetime import datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer

from harvester.cli.alerts import open_notify
from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, exit_with, new_app, open_installation, runtime
from harvester.clock import time_zone
from harvester.contest.campaigns import list_campaigns
from harvester.contest.times import read_time, write_time
from harvester.errors import UsageError
from harvester.report.files import add_line, write_report
from harvester.report.text import counted, earned
from harvester.report.views import status_of
from harvester.run.doctor.findings import Health
from harvester.run.night.nightly import WriteReport, nightly
from harvester.run.night.nights import is_due, next_time
from harvester.run.night.summary import CampaignNight, NightSummary
from harvester.run.night.troubles import Trouble
from harvester.store.installation import Installation
from harvester.store.kinds import Cause, SweepOutcome
from harvester.volume import Volume

app = new_app()


@app.command("nightly")
def nightly_(
    ctx: typer.Context,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="Ask no platform after this: 05:30, or ISO 8601 with a date."),
    ] = None,
    if_due: Annotated[
        bool, typer.Option("--if-due", help="Do nothing, silently, unless the last night's job is still to be done.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for programs.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Do what every night needs: full sweeps, settlements, integrity checks, expiry, reports, alerts; one summary.

    Exit code: 0 complete, 3 partial (the summary says what to do), 1 failed (no post was read, or the books do not
    recompute).

    Example: harvester nightly --until 05:30
    """
    running = runtime(ctx)
    at = open_installation(config, running)
    zone, now = time_zone(at.settings.schedule.timezone), running.now()
    deadline = None if until is None else _deadline(until, zone, now)
    if if_due and not _is_due(at, now):
        return
    try:
        summary = nightly(at, report=report_to(at), notify=open_notify(at.settings.alerts), until=deadline)
    except KeyboardInterrupt:
        typer.echo("harvester: stopped; what was done is kept, and the next nightly job does it all", err=True)
        exit_with(SweepOutcome.PARTIAL)
    if as_json:
        typer.echo(msgspec.json.encode(summary).decode())
    else:
        typer.echo("\n".join(_lines(summary, zone)))
    exit_with(summary.outcome)


def report_to(at: Installation) -> WriteReport:
    """Give what leaves a night's report in the reports folder: the night's campaigns under its date, and its line."""

    def report(night: NightSummary) -> None:
        schedule = at.settings.schedule
        date = night.started_at.astimezone(time_zone(schedule.timezone)).date()
        with at.database.reading() as session:
            views = [status_of(session, campaign, at.now()) for campaign in list_campaigns(session)]
        for view in views:
            write_report(schedule.reports_folder / date.isoformat(), view)
        add_line(schedule.reports_folder, msgspec.json.encode(night).decode())

    return report


def _is_due(at: Installation, now: datetime) -> bool:
    """Tell whether a night is to be done and nobody is doing it."""
    with at.database.lock("nightly") as is_free, at.database.reading() as session:
        return is_free and is_due(session, now, at.settings.schedule)


def _deadline(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Read the next instant when the clocks show a time, or a whole date and time."""
    try:
        clock = time.fromisoformat(text) if ":" in text and "-" not in text else None
    except ValueError as error:
        raise UsageError(f"{text!r} is not a time: expected 05:30, or ISO 8601 such as 2027-02-08T05:30") from error
    if clock and clock.tzinfo is None:
        return next_time(now, clock, zone)
    deadline = read_time(text, zone)
    if deadline <= now:
        raise UsageError(f"--until {text} is over: it is {write_time(now, zone)} in {zone.key}")
    return deadline


def _lines(night: NightSummary, zone: ZoneInfo) -> Iterable[str]:
    start, end = write_time(night.started_at, zone), write_time(night.ended_at, zone)
    why = f": {night.reason}" if night.reason else ""
    yield f"night of {start}, done {end} ({zone.key}): {night.outcome}{why}"
    yield from (_campaign(one) for one in night.campaigns)
    if night.confirmed:
        yield f"read twice, for un-likes: {counted(night.confirmed, 'post')}"
    for one in night.settlements:
        if one.is_settled:
            yield f"settled {one.campaign}: {one.likes:,} likes, {earned(one.bytes, one.floor_bytes)}"
    yield from _what_is_wrong(night, zone)
    for finding in night.findings:
        if finding.health is Health.WARN:
            yield f"soon: {finding.about}: {finding.what}{f'; {finding.remedy}' if finding.remedy else ''}"


def _what_is_wrong(night: NightSummary, zone: ZoneInfo) -> Iterable[str]:
    yield from (f"integrity: {one.campaign}: {one.about}: {one.what}" for one in night.problems)
    if night.problems:
        yield "  what to do: change nothing, keep a copy of the database as it is, and call the auditor"
    for trouble in night.troubles:
        if trouble.cause is not Cause.STOPPED or not trouble.posts:  # those posts are listed below
            yield from _trouble(trouble, zone)
    if left := [one.url for one in night.remaining if one.cause is Cause.STOPPED]:
        yield "not read to the end when the job ended:"
        yield from (f"  {url}" for url in left)


def _campaign(one: CampaignNight) -> str:
    closings = {"closing sweeps": one.closing, "closing sweeps of the day after": one.late_closing}
    done = "".join(f", {name}: {number:,}" for name, number in closings.items() if number)
    return (
        f"{one.campaign} ({one.state}): {one.complete:,} of {counted(one.posts, 'post')} read to the end, "
        f"{counted(one.credited, 'more like')} credited, {one.likes:,} in all: {Volume(one.bytes)}{done}"
    )


def _trouble(trouble: Trouble, zone: ZoneInfo) -> Iterable[str]:
    touched = f" ({counted(trouble.posts, 'post')})" if trouble.posts else ""
    goes_on = f"; goes on after {write_time(trouble.resume_at, zone)}" if trouble.resume_at else ""
    yield f"trouble: {trouble.about}{touched}: {trouble.what}{goes_on}"
    if trouble.urls:
        more = f", and {trouble.posts - len(trouble.urls):,} more" if trouble.posts > len(trouble.urls) else ""
        yield f"  {', '.join(trouble.urls)}{more}"
    yield f"  what to do: {trouble.remedy}"
