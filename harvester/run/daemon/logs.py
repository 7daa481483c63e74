"""How log records are written: lines for people, or one JSON object a line for programs.

Modules log with the standard library; what they give as `extra` becomes fields of its own. A traceback never shows the
values of variables: a token may be among them.
"""

import logging
from datetime import datetime
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from harvester.run.daemon.quiet import quieten

_OURS = "harvester"


def configure_logs(log_format: Literal["text", "json"], stream: TextIO) -> None:
    """Write every record from INFO on to `stream`; called again, it replaces what it did before."""
    handler = logging.StreamHandler(stream)
    handler.set_name(_OURS)
    handler.setFormatter(_formatter(log_format, has_colors=stream.isatty()))
    root = logging.getLogger()
    for earlier in [one for one in root.handlers if one.get_name() == _OURS]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    quieten()


def _formatter(log_format: Literal["text", "json"], *, has_colors: bool) -> logging.Formatter:
    about_a_record: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _without_leftovers,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format == "json":
        rendered += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=_plain)]
    else:
        lines = structlog.dev.ConsoleRenderer(
            colors=has_colors, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
        rendered += [_on_one_line, lines]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=about_a_record, processors=rendered)


def _without_leftovers(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Leave out what another handler's formatter wrote into the record before us."""
    return {name: value for name, value in event.items() if name not in ("message", "asctime")}


def _on_one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Write what steers a terminal or begins a line as an escape: a platform's words must not look like ours."""
    text = str(event["event"])
    event["event"] = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return event


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
