"""`harvester campaign`: make and read contests."""

from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from harvester.cli.post import say_added
from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    CampaignArgument,
    ConfigOption,
    JsonOption,
    ReasonOption,
    exit_with,
    new_app,
    open_database,
    open_installation,
    runtime,
    show,
    show_json,
)
from harvester.cli.settle import settle_
from harvester.contest.campaigns import (
    DEFAULT_ZONE,
    CampaignFacts,
    NewCampaign,
    add_campaign,
    change_rate,
    find_campaign,
    list_campaigns,
)
from harvester.contest.contest_file import read_contest
from harvester.contest.load import Loaded, load_contest
from harvester.contest.times import find_zone, read_time, write_time
from harvester.report.text import table
from harvester.run.poll import overall
from harvester.store.kinds import Keeps, UniquePer
from harvester.volume import Volume

app = new_app("Contests: add, list, show, rate, load, settle.")
app.command("settle")(settle_)


@app.command()
def add(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="A short name for commands and files: afcon-2027.")],
    name: Annotated[str, typer.Option(help="The name people read.")],
    start: Annotated[str, typer.Option(help="First instant that counts; a bare date is midnight in the zone.")],
    end: Annotated[str, typer.Option(help="First instant that no longer counts; still to come.")],
    tz: Annotated[str, typer.Option(help="IANA time zone of the campaign.")] = DEFAULT_ZONE,
    rate: Annotated[str, typer.Option(help="What a like is worth.")] = "10MB",
    cap: Annotated[str | None, typer.Option(help="The most the sponsor gives, such as 5TB.")] = None,
    floor: Annotated[str | None, typer.Option(help="The least the sponsor gives, such as 20GB.")] = None,
    keeps: Annotated[
        Keeps, typer.Option(help="A like counts if it was made ever, or still stands at the end.")
    ] = Keeps.EVER,
    unique_per: Annotated[UniquePer, typer.Option(help="A person counts once per post or campaign.")] = UniquePer.POST,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Add a contest.

    Example: harvester campaign add afcon-2027 --name "AFCON 2027" --start 2027-06-19 --end 2027-07-19 --floor 20GB
    --keeps standing
    """
    running = runtime(ctx)
    zone = find_zone(tz)
    new = NewCampaign(
        slug=slug,
        name=name,
        starts_at=read_time(start, zone),
        ends_at=read_time(end, zone),
        zone=zone,
        rate=Volume.parse(rate),
        cap=Volume.parse(cap) if cap is not None else None,
        floor=Volume.parse(floor) if floor is not None else None,
        keeps=keeps,
        unique_per=unique_per,
    )
    at = open_installation(config, running)
    with at.database.writing() as session:
        made = add_campaign(session, at.master, new, author=running.author, now=at.now())
    _show_facts(made, at.now(), as_json=as_json)


@app.command("list")
def list_(ctx: typer.Context, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List all contests.

    Example: harvester campaign list
    """
    now = runtime(ctx).now()
    with open_database(config).reading() as session:
        campaigns = list_campaigns(session)
    if as_json:
        return show_json([_as_json(campaign, now) for campaign in campaigns])
    rows = table("campaign", "name", "state", "start", "end", "zone", "a like is")
    for one in campaigns:
        start, end = (write_time(edge, one.zone) for edge in (one.rules.starts_at, one.rules.ends_at))
        rows.add_row(one.slug, one.name, one.state(now), start, end, one.zone.key, str(one.rules.rate_at(now).per_like))
    return show(rows)


@app.command("show")
def show_(
    ctx: typer.Context, campaign: CampaignArgument, as_json: JsonOption = False, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Show a contest's rules.

    Example: harvester campaign show afcon-2027
    """
    with open_database(config).reading() as session:
        found = find_campaign(session, campaign)
    _show_facts(found, runtime(ctx).now(), as_json=as_json)


@app.command()
def rate(
    ctx: typer.Context,
    campaign: CampaignArgument,
    volume: Annotated[str, typer.Argument(metavar="RATE", help="What a like is worth from then on: 20MB.")],
    reason: ReasonOption = "a new rate",
    valid_from: Annotated[str | None, typer.Option("--from", help="From when on; now when left out.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Change what a like is worth from now or later on; what is already credited stays.

    Example: harvester campaign rate afcon-2027 20MB --from 2027-07-01 --reason "double for the finals"
    """
    running, database = runtime(ctx), open_database(config)
    now = running.now()
    with database.writing() as session:
        found = find_campaign(session, campaign)
        begins = read_time(valid_from, found.zone) if valid_from else now
        change_rate(session, found, Volume.parse(volume), begins, reason=reason, author=running.author, now=now)
        session.flush()
        changed = find_campaign(session, campaign)
    _show_facts(changed, now, as_json=as_json)


@app.command()
def load(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A TOML file with a whole contest; see docs/contest.md.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Take a whole contest from a file: rules, associations, contestants, posts. Loading it again changes nothing.

    Example: harvester campaign load contest.toml
    """
    contest = read_contest(file)
    running = runtime(ctx)
    at = open_installation(config, running)
    done = load_contest(at, contest, author=running.author)
    if as_json:
        show_json(done)
    else:
        _show_loaded(done, find_zone(contest.campaign.timezone))
    exit_with(overall(done.outcomes))


def _show_loaded(done: Loaded, zone: ZoneInfo) -> None:
    typer.echo(f"campaign {done.campaign}: {'added' if done.is_new else 'is there already'}")
    for slug in done.associations:
        typer.echo(f"association {slug}: added")
    for post in done.posts:
        say_added(post, zone)


def _as_json(campaign: CampaignFacts, now: Any) -> dict[str, Any]:
    rules = campaign.rules
    return {
        "campaign": campaign.slug,
        "name": campaign.name,
        "state": campaign.state(now),
        "window": {"start": rules.starts_at, "end": rules.ends_at, "timezone": campaign.zone.key},
        "keeps": rules.keeps,
        "unique_per": rules.unique_per,
        "cap_bytes": rules.cap.bytes if rules.cap else None,
        "floor_bytes": rules.floor.bytes if rules.floor else None,
        "settled_at": rules.settled_at,
        "rates": [{"bytes": rate.per_like.bytes, "from": rate.valid_from} for rate in rules.rates],
    }


def _show_facts(campaign: CampaignFacts, now: Any, *, as_json: bool) -> None:
    if as_json:
        return show_json(_as_json(campaign, now))
    rules = campaign.rules
    start, end = (write_time(edge, campaign.zone) for edge in (rules.starts_at, rules.ends_at))
    typer.echo(f"{campaign.slug}: {campaign.name} ({campaign.state(now)})")
    typer.echo(f"  counts likes from {start} until just before {end}, {campaign.zone.key}")
    for version in rules.rates:
        since = write_time(version.valid_from, campaign.zone)
        typer.echo(f"  a like is {version.per_like}" + (f" from {since}" if len(rules.rates) > 1 else ""))
    typer.echo(f"  one like per person and {rules.unique_per}; a like counts if it was made {_KEEPS[rules.keeps]}")
    if rules.floor:
        typer.echo(f"  at least {rules.floor}")
    if rules.cap:
        typer.echo(f"  at most {rules.cap}")
    if rules.settled_at:
        typer.echo(f"  settled on {write_time(rules.settled_at, campaign.zone)}: nothing more is counted")
    return None


_KEEPS = {Keeps.EVER: "at any time in the window", Keeps.STANDING: "and still stands at the end"}
