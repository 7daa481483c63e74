"""`harvester campaign settle`: end a contest's count for good."""

from collections.abc import Iterator
from typing import Annotated

import typer

from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    CampaignArgument,
    ConfigOption,
    JsonOption,
    exit_with,
    open_installation,
    runtime,
    show_json,
)
from harvester.contest.campaigns import CampaignFacts, find_campaign
from harvester.contest.settlement import SettlementResult, settlement_of
from harvester.contest.times import write_time
from harvester.errors import UsageError
from harvester.report.text import counted, earned
from harvester.run.reader import Reader
from harvester.run.settle import settle
from harvester.store.kinds import SweepOutcome
from harvester.volume import Volume


def settle_(
    ctx: typer.Context,
    campaign: CampaignArgument,
    accept_gap: Annotated[
        str | None, typer.Option("--accept-gap", metavar="REASON", help="Settle without the posts that stay unread.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """End a contest's count for good: what was not read to its end since the contest's is, then the total is final.

    Exit code: 0 settled, 3 not settled because posts could not be read to their end.

    Example: harvester campaign settle afcon-2027
    """
    running = runtime(ctx)
    at = open_installation(config, running)
    with at.database.reading() as session:
        found = find_campaign(session, campaign)
        if done := settlement_of(session, found):
            raise UsageError(_was_settled(found, done))
    try:
        with Reader(at) as reader:
            result = settle(at, reader, found, author=running.author, accept_gap=accept_gap)
    except KeyboardInterrupt:
        typer.echo("harvester: stopped; what was read is kept, and nothing is settled", err=True)
        exit_with(SweepOutcome.PARTIAL)
    if as_json:
        show_json(result)
    else:
        for line in _settled(result) if result.is_settled else _not_settled(result):
            typer.echo(line)
    exit_with(result.outcome)


def _was_settled(campaign: CampaignFacts, done: SettlementResult) -> str:
    assert done.settled_at is not None
    on = write_time(done.settled_at, campaign.zone)
    return f"campaign {campaign.slug!r} was settled on {on}: {_total(done)}"


def _total(result: SettlementResult) -> str:
    return f"{result.likes:,} likes, {earned(result.bytes, result.floor_bytes)}"


def _settled(result: SettlementResult) -> Iterator[str]:
    yield f"{result.campaign} is settled: {_total(result)}"
    if result.reversed_likes:
        yield f"  {counted(result.reversed_likes, 'like')} no longer stood: {Volume(result.reversed_bytes)} taken back"
    if result.floor_bytes:
        yield f"  {Volume(result.floor_bytes)} added, up to the guaranteed floor"
    if result.left_over:
        yield f"  not read to the end, and accepted ({result.accepted_gap}):"
        yield from _posts(result)
    for post in result.unproven:
        yield f"  {post.likers:,} credited likers of {post.url} are no longer named, yet may be in its number: kept"
    yield "  nothing more is counted"


def _not_settled(result: SettlementResult) -> Iterator[str]:
    yield f"{result.campaign} is not settled; so far: {_total(result)}"
    yield "  not read to the end:"
    yield from _posts(result)
    yield "  what to do: settle again when they can be read; take out a post that was deleted on purpose"
    yield f"  (harvester post remove {result.campaign} URL); or settle without them, for a reason that is kept:"
    yield f'  harvester campaign settle {result.campaign} --accept-gap "why"'


def _posts(result: SettlementResult) -> Iterator[str]:
    return (f"    {one.url}: {one.reason}" for one in result.left_over)
