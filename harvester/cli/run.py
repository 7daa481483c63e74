"""`harvester run`: the daemon, until it is told to stop."""

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import typer

from harvester.cli.alerts import open_notify
from harvester.cli.nightly import report_to
from harvester.cli.runtime import DEFAULT_CONFIG, ConfigOption, new_app, open_installation, runtime
from harvester.run.daemon.daemon import Daemon, stopped_by_signals
from harvester.run.daemon.health import serve_health
from harvester.run.daemon.logs import configure_logs

app = new_app()
log = logging.getLogger(__name__)


@app.command("run")
def run_(ctx: typer.Context, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Poll by itself, close and settle contests on time, and do the nightly job, until SIGTERM or Ctrl-C.

    What it does is logged to the standard error. A second daemon on the same database is refused.

    Exit code: 0 stopped, 1 the database cannot be used, 2 wrong configuration, 3 another daemon is at work.

    Example: harvester run --config /srv/harvester/config.toml
    """
    at = open_installation(config, runtime(ctx))
    settings = at.settings.daemon
    daemon = Daemon(at, report=report_to(at), notify=open_notify(at.settings.alerts))
    with ExitStack() as stack:
        stack.enter_context(stopped_by_signals(daemon))
        stack.enter_context(daemon)
        configure_logs(settings.log_format, sys.stderr)
        address = stack.enter_context(serve_health(at, settings.listen, pulse=lambda: daemon.pulse))
        if address:
            log.info("health and metrics: http://%s", address)
        # not in the main thread, where a signal is not seen while the database lets us wait
        has_ended = stack.enter_context(ThreadPoolExecutor(1, "daemon")).submit(daemon.run).result()
    if not has_ended:
        logging.shutdown()
        os._exit(0)  # the interpreter would wait for the threads that hang
