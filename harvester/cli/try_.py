"""`harvester try`: what public posts would earn, without config, account or a trace left behind."""

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.runtime import (
    DEFAULT_CONFIG,
    ConfigOption,
    JsonOption,
    exit_with,
    new_app,
    runtime,
    show,
    show_json,
)
from harvester.collect.registry import check_settings, recognise
from harvester.config import load_settings
from harvester.report.text import number, outcome_text, table
from harvester.run.poll import overall
from harvester.run.trial import Trial, try_posts
from harvester.volume import Volume

app = new_app()


@app.command("try")
def try_(
    ctx: typer.Context,
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="Links to public posts.")],
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Read public posts now, count each liker once, and say what that would earn at 10 MB a like. Nothing is kept.

    Example: harvester try https://mastodon.social/@Gargron/109294719267373593
    """
    running = runtime(ctx)
    settings = load_settings(_existing(config, ctx))
    check_settings(settings)
    for url in urls:
        recognise(url, settings)
    trial = try_posts(urls, settings, now=running.now, sleep=running.sleep)
    if as_json:
        show_json(trial)
    else:
        _show(trial)
    exit_with(overall(one.outcome for one in trial.posts))


def _existing(config: Path, ctx: typer.Context) -> Path | None:
    """A configuration file is welcome here, not needed; one that was named must exist."""
    source = ctx.get_parameter_source("config")
    was_named = source is not None and source.name != "DEFAULT"
    return config if was_named or config.exists() else None


def _show(trial: Trial) -> None:
    rows = table("post", "#shown", "#likers", "#gap", "#would earn", "outcome", "")
    for one in trial.posts:
        earns = str(Volume(one.bytes))
        shown = (number(one.displayed), number(one.held), number(one.gap))
        rows.add_row(one.url, *shown, earns, outcome_text(one.outcome), one.reason or "")
    show(rows)
    typer.echo(f"{trial.likes:,} likes would earn {Volume(trial.bytes)}")
