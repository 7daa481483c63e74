"""`harvester alerts`: a test message really arrives, over HTTP; what is open is listed; no address shows itself."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from harvester.cli.alerts import open_notify
from harvester.cli.runtime import open_settings
from harvester.rehearsal import Kind, SimulatedPlatform
from harvester.rehearsal.faults import Fail
from harvester.store.database import Database
from harvester.store.models import Alert
from tests.cli.conftest import KICK_OFF, Run

TEST_BODY = "This is a test: alerts of harvester arrive here. Nothing is wrong."


class Receiver(ThreadingHTTPServer):
    """Takes what Apprise's json:// posts; a path that begins with /broken answers 500."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.got: list[dict[str, Any]] = []

    def url(self, path: str) -> str:
        return f"json://me:hunter2@127.0.0.1:{self.server_port}/{path}"


class _Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_broken = self.path.startswith("/broken")
        if not is_broken:
            self.server.got.append({"title": body["title"], "message": body["message"]})
        self.send_response(500 if is_broken else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def told(home: Run, folder: Path) -> Any:
    """Write the file of addresses of an installation."""

    def write(*urls: str) -> None:
        (folder / "keys" / "alerts.urls").write_text("\n".join(urls), encoding="utf-8")
        config = folder / "config.toml"
        text = config.read_text(encoding="utf-8").replace("# urls_file", "urls_file")
        config.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def row(home: Run, folder: Path) -> Any:
    """Keep an alert."""

    def keep(**stated: Any) -> None:
        usual = {"kind": "gap", "subject": "a post", "message": "A gap.", "remedy": "Look.", "raised_at": KICK_OFF}
        with Session(Database(f"sqlite:///{folder}/harvester.db").engine) as session:
            session.add(Alert(**(usual | stated)))
            session.commit()

    return keep


def test_a_test_message_arrives_at_every_address(run: Run, told: Any, receiver: Receiver) -> None:
    told(receiver.url("one"), "# a remark", receiver.url("two"))

    said = run("alerts", "test")

    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == ["address 1 (json://…): delivered", "address 2 (json://…): delivered"]
    assert receiver.got == [{"title": "harvester: test", "message": TEST_BODY}] * 2


def test_an_address_that_does_not_take_it_is_named_and_not_shown(
    run: Run, told: Any, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    told(receiver.url("one"), receiver.url("broken"), "json://me:hunter2@127.0.0.1:1")

    said = run("alerts", "test", "--json")

    assert said.code == 1
    assert [one["delivered"] for one in said.facts] == [True, False, False]
    assert [one["address"] for one in said.facts] == [f"address {number} (json://…)" for number in (1, 2, 3)]
    assert "hunter2" not in said.out + said.err + caplog.text


def test_without_an_address_the_way_to_name_one_is_said(home: Run, refused: Any) -> None:
    assert "alerts.urls_file" in refused("alerts", "test")


def test_what_is_no_address_is_refused_by_its_number(refused: Any, told: Any) -> None:
    told("json://localhost", "nosuch://hunter2@x")

    assert refused("alerts", "test").startswith("alerts: address 2 (nosuch://…) is not an address")


def test_an_alert_is_delivered_as_long_as_one_address_takes_it(
    told: Any, receiver: Receiver, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told(receiver.url("broken"), receiver.url("one"))
    notify = open_notify(open_settings(folder / "config.toml").alerts)

    assert notify("harvester: gap", "5 < 6 & <b>\nWhat to do: look")
    assert receiver.got == [{"title": "harvester: gap", "message": "5 < 6 & <b>\nWhat to do: look"}]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("harvester")] == [
        "an alert could not be delivered to address 1 (json://…)"
    ]

    told(receiver.url("broken"))
    assert not open_notify(open_settings(folder / "config.toml").alerts)("harvester: gap", "body")


def test_what_is_open_is_listed_with_what_to_do(run: Run, row: Any) -> None:
    row(message="https://x.example displays 100 likes.", remedy="Compare by hand.")
    row(kind="milestone", message="afcon reached 100,000 credited likes.", remedy="", recovered_at=KICK_OFF)

    said = run("alerts", "list")

    assert said.code == 0
    assert "2027-01-21 20:00 gap https://x.example displays 100 likes. not yet Compare by hand." in said.words
    assert "milestone" not in said.words
    assert "afcon reached 100,000 credited likes." in run("alerts", "list", "--all").words


def test_the_list_for_programs_says_everything(run: Run, row: Any) -> None:
    row(sent_at=KICK_OFF)

    assert run("alerts", "list", "--json").facts == [
        {
            "kind": "gap",
            "subject": "a post",
            "message": "A gap.",
            "remedy": "Look.",
            "raised_at": "2027-01-21T20:00:00Z",
            "sent_at": "2027-01-21T20:00:00Z",
            "recovered_at": None,
            "recovery_sent_at": None,
        }
    ]


def test_when_nothing_is_wrong_the_list_says_so(home: Run) -> None:
    assert home("alerts", "list").words == "no open alert"
    assert home("alerts", "list", "--all").words == "no alert"
    assert home("alerts", "list", "--json").facts == []


# Alerts that a command sends.


def test_a_poll_tells_what_is_wrong_once_and_when_it_is_over(
    contest: Run, told: Any, receiver: Receiver, platform: SimulatedPlatform, publish: Any
) -> None:
    told(receiver.url("ops"))
    post = publish(3)
    contest("post", "add", "afcon", platform.url_of(post))
    platform.faults.inject(Fail(status=404), on=Kind.POST, about=post.native_id, times=2)

    codes = [contest("poll", "--full").code for _ in range(3)]

    assert [one["title"] for one in receiver.got] == ["harvester: post missing", "harvester: over: post missing"]
    assert (codes[0], codes[-1]) == (1, 0)


def test_an_address_that_is_wrong_is_named_and_the_others_are_told(
    contest: Run, told: Any, receiver: Receiver, platform: SimulatedPlatform, publish: Any
) -> None:
    told("nosuch://hunter2@x", receiver.url("ops"))
    post = publish(3)
    contest("post", "add", "afcon", platform.url_of(post))
    platform.faults.inject(Fail(status=404), on=Kind.POST, about=post.native_id, times=9)

    for command in (("poll", "--full"), ("nightly",)):
        said = contest(*command)
        assert said.code == 1
        assert said.err.startswith("harvester: alerts: address 1 (nosuch://…) is not an address that Apprise")
        assert said.err.endswith("; the others are told\n")
        assert "hunter2" not in said.err
    assert [one["title"] for one in receiver.got] == ["harvester: post missing", "harvester: night not complete"]


def test_a_poll_says_when_and_how_above_its_table_and_only_then_sends(
    contest: Run, told: Any, platform: SimulatedPlatform, publish: Any, folder: Path
) -> None:
    told("json://127.0.0.1:1")
    contest("post", "add", "afcon", platform.url_of(publish(3)))

    said = contest("poll")

    assert said.code == 0
    assert said.out.startswith("poll of 2027-01-21 20:00 UTC: complete\n")
    assert "poll of" not in contest("poll", "--json").out


def test_who_does_not_wait_for_an_alert_to_be_sent_has_the_answer_and_no_traceback(
    contest: Run, told: Any, platform: SimulatedPlatform, publish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a slow address is told: Apprise's own sending is where it strikes."""
    told("json://127.0.0.1:1")
    post = publish(3)
    contest("post", "add", "afcon", platform.url_of(post))
    platform.faults.inject(Fail(status=404), on=Kind.POST, about=post.native_id)

    def interrupt(*_: Any, **__: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("apprise.Apprise.notify", interrupt)
    said = contest("poll", "--full")

    assert said.code == 1
    assert said.out.startswith("poll of 2027-01-21 20:00 UTC: failed\n")
    assert said.err == "harvester: stopped; alerts that were not sent are sent by the next poll\n"
