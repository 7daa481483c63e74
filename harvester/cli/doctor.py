"""`harvester doctor`: what of the installation and its credentials works, what soon will not, and what to do."""

from typing import Annotated

import typer

from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, JsonOption, new_app, runtime, show_json
from harvester.run.doctor.doctor import examine
from harvester.run.doctor.findings import Finding, Health

app = new_app()


@app.command()
def doctor(
    ctx: typer.Context,
    every_connector: Annotated[
        bool, typer.Option("--all", help="Also connectors that are neither configured nor used by a post.")
    ] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask no platform anything.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Examine the configuration, the keys, the database, the clocks, and the credential of each platform in use.

    No secret is shown. Exit code: 0 when everything works or only warnings are given, 1 when something fails.

    Example: harvester doctor --all
    """
    running = runtime(ctx)
    found = examine(config, every_connector=every_connector, offline=offline, now=running.now, sleep=running.sleep)
    if as_json:
        show_json(found)
    else:
        for finding in found:
            typer.echo(_line(finding))
    if any(finding.health is Health.FAIL for finding in found):
        raise typer.Exit(1)


def _line(finding: Finding) -> str:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{finding.health:4} {finding.about}: {finding.what}{remedy}"
