"""`harvester plan`: before launch, what each platform will and will not give."""

from datetime import timedelta
from typing import Annotated

import typer

from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    CampaignArgument,
    ConfigOption,
    JsonOption,
    exit_with,
    new_app,
    open_installation,
    runtime,
    show,
    show_json,
)
from harvester.contest.campaigns import CampaignFacts, find_campaign
from harvester.contest.times import write_time
from harvester.report.text import number, table
from harvester.run.plan import Plan, make_plan
from harvester.run.poll import overall

app = new_app()


@app.command()
def plan(
    ctx: typer.Context,
    campaign: CampaignArgument,
    likes_per_hour: Annotated[
        int | None, typer.Option(min=1, help="How many new likes an hour a post may get, for platforms that cap lists.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Say before launch what each post's platform will give, how often it may be asked, and what a lawyer must clear.

    Each post is asked once; nothing is stored. Exit code: 0, or 3 and 1 when of some or of all posts nothing is known.

    Example: harvester plan afcon-2027 --likes-per-hour 400
    """
    at = open_installation(config, runtime(ctx))
    with at.database.reading() as session:
        found = find_campaign(session, campaign)
    made = make_plan(at, found, likes_per_hour=likes_per_hour)
    if as_json:
        show_json(made)
    else:
        _show(made, found)
    exit_with(overall(post.outcome for post in made.posts))


def _show(made: Plan, campaign: CampaignFacts) -> None:
    rows = table("post", "platform", "credited by", "known now", "#shown", "#requests", "at most every")
    for post in made.posts:
        every = _span(post.shortest_interval) if post.shortest_interval else "no limit"
        shown, requests = number(post.displayed), number(post.requests)
        rows.add_row(post.url, post.connector, post.basis, post.knows, shown, requests, every)
    show(rows)
    for post in made.posts:
        for note in post.notes:
            typer.echo(f"{post.url}: {note}")
    for change in made.clock_changes:
        turned = "forward" if change.by > timedelta(0) else "back"
        at, by = write_time(change.at, campaign.zone), _span(abs(change.by))
        typer.echo(f"the clocks in {campaign.zone.key} go {turned} by {by} inside the contest, at {at}")
    for connector, terms in made.terms.items():
        for term in terms:
            typer.echo(f"have a lawyer clear, {connector}: {term}")


def _span(span: timedelta) -> str:
    """Write a span in its largest whole unit, rounded up to a second."""
    seconds = max(1, round(span.total_seconds()))
    units = {"d": 86_400, "h": 3_600, "min": 60}
    return next((f"{seconds / size:.3g} {unit}" for unit, size in units.items() if seconds >= size), f"{seconds} s")
