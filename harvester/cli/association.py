"""`harvester association`: the beneficiaries, and who gets what share of a contest."""

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
from harvester.contest.associations import (
    AssociationFacts,
    add_association,
    assign_association,
    list_associations,
    read_share,
    write_share,
)
from harvester.contest.campaigns import find_campaign
from harvester.report.text import table
from harvester.report.views import status_of
from harvester.volume import Volume

app = new_app("Associations: add, list, assign to a contest.")


@app.command()
def add(
    slug: Annotated[str, typer.Argument(help="A short name for commands and files: tanger-solidarite.")],
    name: Annotated[str, typer.Option(help="The name people read.")],
    city: Annotated[str, typer.Option(help="Where it works.")],
    region: Annotated[str, typer.Option(help="In which region.")],
    name_ar: Annotated[str | None, typer.Option(help="The name in Arabic.")] = None,
    name_fr: Annotated[str | None, typer.Option(help="The name in French.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Register an association.

    Example: harvester association add tanger-solidarite --name "Tanger Solidarité" --city Tangier --region Nord
    """
    new = AssociationFacts(slug=slug, name=name, name_ar=name_ar, name_fr=name_fr, city=city, region=region)
    with open_database(config).writing() as session:
        add_association(session, new)
    if as_json:
        return show_json(new)
    return typer.echo(f"association {slug}: {name}, {city} ({region})")


@app.command("list")
def list_(as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List all associations.

    Example: harvester association list
    """
    with open_database(config).reading() as session:
        known = list_associations(session)
    if as_json:
        return show_json(known)
    rows = table("association", "name", "Arabic", "French", "city", "region")
    for one in known:
        rows.add_row(one.slug, one.name, one.name_ar or "–", one.name_fr or "–", one.city, one.region)
    return show(rows)


@app.command()
def assign(
    ctx: typer.Context,
    campaign: CampaignArgument,
    association: Annotated[str, typer.Argument(metavar="ASSOCIATION", help="The association's slug.")],
    reason: ReasonOption,
    share: Annotated[str | None, typer.Option(help="Its part, such as 60%; all that is left when omitted.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Give an association its share of a contest. What is already credited follows now, later credits as they come.

    Assigning it again sets its share anew; 0% takes it back.

    Example: harvester association assign afcon-2027 tanger-solidarite --share 60% --reason "chosen by the winner"
    """
    running, database = runtime(ctx), open_database(config)
    wanted = read_share(share) if share else None
    with database.writing() as session:
        found = find_campaign(session, campaign)
        given = assign_association(
            session, found, association, wanted, reason=reason, author=running.author, now=running.now()
        )
        view = status_of(session, found, running.now())
    if as_json:
        return show_json(view.beneficiaries)
    pledged = next((one.pledged_bytes for one in view.beneficiaries if one.association == association), 0)
    return typer.echo(f"{association} gets {write_share(given)} of {campaign}: {Volume(pledged)} pledged so far")
