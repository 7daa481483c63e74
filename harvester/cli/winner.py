"""`harvester winner`: who is ahead, and who won."""

from typing import Annotated

import typer

from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    CampaignArgument,
    ConfigOption,
    JsonOption,
    ReasonOption,
    new_app,
    open_database,
    runtime,
    show,
    show_json,
)
from harvester.contest.campaigns import find_campaign
from harvester.contest.winners import assign_winner, rank_entrants
from harvester.report.text import number, table

app = new_app("Winners: rank the contestants, assign.")


@app.command()
def rank(campaign: CampaignArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Rank the contestants by credited likes.

    Example: harvester winner rank afcon-2027
    """
    with open_database(config).reading() as session:
        standings = rank_entrants(session, find_campaign(session, campaign))
    if as_json:
        return show_json(standings)
    rows = table("#rank", "contestant", "#credited likes", "#posts", "")
    for one in standings:
        rows.add_row(
            str(one.rank), one.entrant, number(one.likes), number(one.posts), "winner" if one.is_winner else ""
        )
    return show(rows)


@app.command()
def assign(
    ctx: typer.Context,
    campaign: CampaignArgument,
    entrant: Annotated[str, typer.Argument(metavar="ENTRANT", help="The contestant, as given to post add.")],
    reason: ReasonOption,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Name a contestant the winner; the decision is kept with its reason.

    Example: harvester winner assign afcon-2027 Yasmine --reason "most credited likes"
    """
    running = runtime(ctx)
    with open_database(config).writing() as session:
        found = find_campaign(session, campaign)
        assign_winner(session, found, entrant, reason=reason, author=running.author, now=running.now())
        session.flush()
        standing = next(one for one in rank_entrants(session, found) if one.entrant == entrant)
    if as_json:
        return show_json(standing)
    return typer.echo(f"{entrant} wins {campaign} with {standing.likes:,} credited likes (rank {standing.rank})")
