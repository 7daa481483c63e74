"""`harvester post`: the posts of a contest."""

from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    CampaignArgument,
    ConfigOption,
    JsonOption,
    exit_with,
    new_app,
    open_database,
    open_installation,
    open_settings,
    runtime,
    show,
    show_json,
)
from harvester.collect.registry import recognise
from harvester.connector import Basis
from harvester.contest.campaigns import find_campaign
from harvester.contest.entries import AddedPost, NewEntry, add_posts, remove_entry
from harvester.contest.times import read_time, write_time
from harvester.errors import UsageError
from harvester.report.text import number, outcome_text, table
from harvester.report.views import status_of
from harvester.run.poll import overall
from harvester.store.kinds import SweepOutcome

app = new_app("Posts of a contest: add, list, remove.")


@app.command()
def add(
    ctx: typer.Context,
    campaign: CampaignArgument,
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="Links to posts, as copied from the browser.")],
    entrant: Annotated[str | None, typer.Option(help="The contestant whose posts these are.")] = None,
    basis: Annotated[
        Basis | None,
        typer.Option(help="Credit the likers who are named, or the number shown; the platform's best when omitted."),
    ] = None,
    published: Annotated[
        str | None, typer.Option(help="When they were published, if the platform does not say.")
    ] = None,
    credit_existing: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Credit also the likes that older posts already have, for this reason."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Put posts into a contest. Each is looked up once: a post that is gone is refused, the others are added.

    Example: harvester post add afcon-2027 https://mastodon.social/@fan/109294719267373593 --entrant "Yasmine"
    """
    at = open_installation(config, runtime(ctx))
    with at.database.reading() as session:
        found = find_campaign(session, campaign)
    stated = read_time(published, found.zone) if published else None
    wanted = [
        NewEntry(pasted_url=url, entrant=entrant, basis=basis, published_at=stated, credit_existing=credit_existing)
        for url in urls
    ]
    added = add_posts(at, found, wanted)
    if as_json:
        show_json(added)
    else:
        for one in added:
            say_added(one, found.zone)
    exit_with(overall(one.outcome for one in added))


@app.command("list")
def list_(
    ctx: typer.Context, campaign: CampaignArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """List a contest's posts.

    Example: harvester post list afcon-2027
    """
    with open_database(config).reading() as session:
        entries = status_of(session, find_campaign(session, campaign), runtime(ctx).now()).entries
    if as_json:
        return show_json(entries)
    rows = table("post", "platform", "id", "contestant", "state", "by", "#credited", "last sweep")
    for one in entries:
        swept = outcome_text(one.last_sweep.outcome) if one.last_sweep else "never"
        rows.add_row(
            one.url, one.connector, one.post_id, one.entrant or "–", one.state, one.basis, number(one.credited), swept
        )
    return show(rows)


@app.command()
def remove(
    campaign: CampaignArgument,
    url: Annotated[str, typer.Argument(metavar="URL", help="The link it was added with, or another of the same post.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Stop reading a post. What its likes earned stays.

    Example: harvester post remove afcon-2027 https://mastodon.social/@fan/109294719267373593
    """
    settings, database = open_settings(config), open_database(config)
    try:
        post = recognise(url, settings)
    except UsageError:
        post = None
    with database.writing() as session:
        remove_entry(session, find_campaign(session, campaign), url, post)
    typer.echo(f"{url} is no longer read; its credits stay")


def say_added(one: AddedPost, zone: ZoneInfo) -> None:
    """Say what became of a post: what was found, and what a person should know before the first poll."""
    if one.outcome is not SweepOutcome.COMPLETE:
        return typer.echo(f"harvester: not added: {one.url}: {one.reason}", err=True)
    shows = f"{one.displayed:,} likes shown" if one.displayed is not None else "likes not shown"
    since = f"published {write_time(one.published_at, zone)}" if one.published_at else "publication unknown"
    how = ", credited by that number: the likers stay unknown" if one.basis is Basis.COUNT else ""
    typer.echo(f"added: {one.url}: {since}, {shows}{how}")
    if one.reason:
        typer.echo(f"  it could not be read now ({one.reason}); the next poll tries again")
    if one.is_older_than_window:
        typer.echo("  its likes so far are the baseline and earn nothing; --published or --credit-existing change that")
    return None
