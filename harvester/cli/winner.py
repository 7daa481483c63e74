"""`harvester winner`: who is ahead, who won, and who of those who liked is drawn."""

from dataclasses import asdict
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
    open_installation,
    runtime,
    show,
    show_json,
)
from harvester.contest.campaigns import check_reason, find_campaign
from harvester.contest.draw import draw_winners
from harvester.contest.winners import assign_winner, rank_entrants
from harvester.report.text import number, table

app = new_app("Winners: rank the contestants, assign, draw among likers.")


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


@app.command()
def draw(
    ctx: typer.Context,
    campaign: CampaignArgument,
    number: Annotated[int, typer.Option("--number", min=1, max=1000, help="How many likers are to win.")],
    seed: Annotated[str, typer.Option("--seed", help="Public randomness, announced before it existed.")],
    reason: Annotated[str, typer.Option("--reason", help="What is drawn for; printed with the winners, not stored.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Draw among the likers, so that anybody with the database can draw again; nothing is stored.

    Example: harvester winner draw afcon-2027 --number 3 --seed "drand 4242424" --reason "three phones"
    """
    check_reason(reason)
    at = open_installation(config, runtime(ctx))
    with at.database.reading() as session:
        found = find_campaign(session, campaign)
        key = at.master.open_campaign_key(found.sealed_key, found.slug)
        drawn = draw_winners(session, found, key, number=number, seed=seed, now=at.now())
    if as_json:
        return show_json({"reason": reason, "author": runtime(ctx).author, "drawn_at": at.now(), **asdict(drawn)})
    typer.echo(f"{len(drawn.winners):,} of {drawn.candidates:,} likers drawn, by the seed {drawn.seed!r}: {reason}")
    typer.echo(f"  SHA-256 of all candidates: {drawn.candidates_sha256}")
    rows = table("#place", "liker", "handle", "liked")
    for place, one in enumerate(drawn.winners, start=1):
        rows.add_row(str(place), one.pseudonym, one.handle or "not kept", one.url)
    return show(rows)
