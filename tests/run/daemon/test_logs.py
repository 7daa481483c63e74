"""How log records look, to people and to programs; and what never gets into them."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from harvester.connector import Secret
from harvester.run.daemon.logs import configure_logs
from harvester.store.kinds import SweepOutcome

log = logging.getLogger("harvester.run.anything")


@pytest.fixture
def written() -> Iterator[Callable[[str], io.StringIO]]:
    """Configure, and put everything back."""
    root, quiet = logging.getLogger(), ("httpx", "httpcore", "apscheduler", "apprise", "urllib3")
    before = root.level, list(root.handlers), {name: logging.getLogger(name).level for name in quiet}

    def configure(log_format: Any) -> io.StringIO:
        stream = io.StringIO()
        configure_logs(log_format, stream)
        return stream

    yield configure
    root.setLevel(before[0])
    for handler in set(root.handlers) - set(before[1]):
        root.removeHandler(handler)
    for name, level in before[2].items():
        logging.getLogger(name).setLevel(level)


def objects(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_program_reads_one_object_a_line_with_values_as_fields(written) -> None:
    stream = written("json")

    at = datetime(2027, 1, 21, 20, tzinfo=UTC)
    log.info("sweep %s ended", 7, extra={"outcome": SweepOutcome.PARTIAL, "at": at, "name_of": {"خير"}})

    [found] = objects(stream)
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]+Z", found.pop("timestamp"))
    assert found == {
        "event": "sweep 7 ended",
        "level": "info",
        "logger": "harvester.run.anything",
        "outcome": "partial",
        "at": "2027-01-21T20:00:00+00:00",
        "name_of": "{'خير'}",
    }


def test_a_person_reads_a_line(written) -> None:
    stream = written("text")

    log.warning("sweep %s ended", 7, extra={"outcome": "partial"})

    assert re.fullmatch(
        r"[0-9-]{10}T[0-9:]{8}\.[0-9]+Z \[warning  ] sweep 7 ended +\[harvester.run.anything] outcome=partial\n",
        stream.getvalue(),
    )


def test_words_of_a_platform_cannot_pretend_to_be_a_line_of_ours(written) -> None:
    stream = written("text")

    log.warning("it says %s", "\x1b[2J\n2027-01-21T20:00Z [info] all is well, خير")

    assert stream.getvalue().count("\n") == 1
    assert r"it says \x1b[2J\n2027-01-21T20:00Z [info] all is well, خير" in stream.getvalue()


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_traceback_is_shown_without_the_values_of_variables(written, log_format: str) -> None:
    stream = written(log_format)

    def fails(token: str) -> None:
        raise ValueError("no such page")

    try:
        fails("hunter" + "2")
    except ValueError:
        log.exception("reading broke off")

    assert "Traceback (most recent call last)" in stream.getvalue()
    assert "ValueError: no such page" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    if log_format == "json":
        assert len(objects(stream)) == 1


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_secret_given_as_a_value_stays_one(written, log_format: str) -> None:
    stream = written(log_format)

    log.info(
        "%s %s", Secret("hunter2"), SecretStr("hunter2"), extra={"a": Secret("hunter2"), "b": SecretStr("hunter2")}
    )

    assert stream.getvalue().count("\n") == 1
    assert "hunter2" not in stream.getvalue()


def test_libraries_that_would_tell_addresses_are_quiet(written) -> None:
    stream = written("json")

    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:
        client.get("https://social.example/likes?token=hunter2")
    logging.getLogger("apscheduler.scheduler").info("Looking for jobs to run")
    logging.getLogger("apprise").error("Unparseable URL slack://hunter2")
    logging.getLogger("urllib3").error("Retrying https://hooks.example/hunter2")
    logging.getLogger("apscheduler.executors").error("a job raised an exception")

    assert [one["event"] for one in objects(stream)] == ["a job raised an exception"]


def test_configured_again_a_record_is_written_once_and_in_the_new_way(written) -> None:
    first, second = written("text"), written("json")

    log.info("once")
    log.debug("never")

    assert first.getvalue() == ""
    assert [one["event"] for one in objects(second)] == ["once"]
