"""The polite client: what every answer becomes, what is asked again, how long it waits, and what it never says."""

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import Any, ClassVar

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.collect.http import PoliteClient, PoliteSession
from harvester.collect.registry import installed
from harvester.config import HttpSettings
from harvester.connector import (
    Budget,
    ContractBroken,
    Exhausted,
    GrantLost,
    Missing,
    Outcome,
    Refused,
    Throttled,
    Unstable,
)
from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, SimulatedPost, World
from harvester.rehearsal.faults import (
    HTML_ERROR,
    HTML_PAGE,
    Break,
    Fail,
    Fault,
    Redirect,
    Reset,
    Say,
    Swell,
    Throttle,
    Truncate,
)
from harvester.rehearsal.wire import Delivery

KICK_OFF = datetime(2027, 1, 21, 20, tzinfo=UTC)
ORIGIN = "https://social.example"
PAGE = f"{ORIGIN}/api/v1/statuses/1/favourited_by"
JSON = {"content-type": "application/json; charset=utf-8"}


class Clock:
    """Stands still but for its own sleep, which it remembers."""

    def __init__(self) -> None:
        self.at = KICK_OFF
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


class Script:
    """A server that gives its answers in order, the last one for ever; an exception is a broken connection."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def ok(**headers: str) -> httpx.Response:
    return httpx.Response(200, headers=JSON | _named(headers), content=b"[]")


def status(code: int, **headers: str) -> httpx.Response:
    return httpx.Response(code, headers=JSON | _named(headers), content=b'{"error":"said"}')


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_session(clock: Clock) -> Iterator[Callable[..., PoliteSession]]:
    """Open the client for one post, in front of a scripted server."""
    opened: list[PoliteClient] = []

    def make(script: Script, *budgets: Budget, origins: tuple[str, ...] = (ORIGIN,), **settings: Any) -> PoliteSession:
        client = PoliteClient(
            HttpSettings(**settings),
            budgets=budgets,
            now=clock,
            sleep=clock.sleep,
            transport=httpx.MockTransport(script),
        )
        opened.append(client)
        return client.session(origins, 80)

    yield make
    for client in opened:
        client.__exit__()


# What an answer means


def test_a_good_answer_is_given_with_its_body_and_its_links(open_session) -> None:
    answer = open_session(Script(ok(link=f'<{PAGE}?max_id=7>; rel="next"'))).get(PAGE)

    assert (answer.status_code, answer.json(), answer.links["next"]["url"]) == (200, [], f"{PAGE}?max_id=7")


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON ; charset=utf-8", "application/activity+json"])
def test_every_kind_of_json_is_accepted(open_session, kind: str) -> None:
    answer = httpx.Response(200, headers={"content-type": kind}, content=b"[]")

    assert open_session(Script(answer)).get(PAGE).json() == []


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (400, Refused),
        (401, GrantLost),
        (403, Refused),
        (404, Missing),
        (405, Refused),
        (410, Missing),
        (418, Refused),
        (422, Refused),
        (451, Refused),
        (301, ContractBroken),
        (302, ContractBroken),
        (304, ContractBroken),
        (307, ContractBroken),
        (308, ContractBroken),
    ],
)
def test_an_answer_that_will_not_change_is_its_outcome_at_once(
    open_session, clock: Clock, code: int, outcome: type[Outcome]
) -> None:
    script = Script(status(code, location="https://elsewhere.example/"))

    with pytest.raises(outcome, match=rf"social\.example/api/v1/statuses/1/favourited_by .*\(HTTP {code}\)") as raised:
        open_session(script).get(PAGE)

    assert type(raised.value) is outcome
    assert (len(script.requests), clock.slept) == (1, [])


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/jsonp", ""])
def test_success_that_is_not_json_is_a_broken_contract_not_zero_likes(open_session, kind: str) -> None:
    script = Script(httpx.Response(200, headers={"content-type": kind}, content=b"[]"))

    with pytest.raises(ContractBroken, match="expected application/json"):
        open_session(script).get(PAGE)

    assert len(script.requests) == 1


@pytest.mark.parametrize("body", [b"", b"[", b'[{"id":"1"},', b'{"a":1}}', b"[" * 1_000_000, b"\x00", b"nothing"])
def test_json_that_breaks_off_is_asked_for_again_and_then_unstable(open_session, clock: Clock, body: bytes) -> None:
    script = Script(httpx.Response(200, headers=JSON, content=body))

    with pytest.raises(Unstable, match="answered JSON that breaks off"):
        open_session(script, attempts=3).get(PAGE)

    assert (len(script.requests), len(clock.slept)) == (3, 2)


# What is asked again


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectTimeout("simulated"),
        httpx.ReadTimeout("simulated"),
        httpx.PoolTimeout("simulated"),
        httpx.ConnectError("simulated"),
        httpx.ReadError("simulated"),
        httpx.RemoteProtocolError("simulated"),
        status(500),
        status(502),
        status(503),
        status(504),
        status(520),
        httpx.Response(200, headers=JSON, content=b'[{"id":'),
        status(429),
        status(503, retry_after="1"),
    ],
    ids=lambda failure: getattr(failure, "status_code", type(failure).__name__),
)
def test_what_usually_passes_is_asked_again(open_session, clock: Clock, failure: httpx.Response | Exception) -> None:
    script = Script(failure, failure, ok())

    assert open_session(script).get(PAGE).json() == []
    assert (len(script.requests), len(clock.slept)) == (3, 2)


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_bounded(open_session, clock: Clock, attempts: int) -> None:
    script = Script(httpx.ReadTimeout("simulated"))

    with pytest.raises(Unstable, match=r"social\.example broke off: ReadTimeout"):
        open_session(script, attempts=attempts).get(PAGE)

    assert (len(script.requests), len(clock.slept)) == (attempts, attempts - 1)


def test_waits_between_attempts_double_with_jitter_up_to_a_bound(open_session, clock: Clock) -> None:
    with pytest.raises(Unstable):
        open_session(Script(status(500)), attempts=12).get(PAGE)

    expected = [0.5 * 2**attempt for attempt in range(11)]
    assert all(min(wait, 30) <= slept <= min(wait + 0.5, 30) for wait, slept in zip(expected, clock.slept, strict=True))


def test_jitter_keeps_two_clients_apart(open_session, clock: Clock) -> None:
    for _ in range(2):
        with pytest.raises(Unstable):
            open_session(Script(status(500)), attempts=4).get(PAGE)

    assert clock.slept[:3] != clock.slept[3:]


def test_an_attempt_after_the_failure_of_another_kind_is_one_of_the_same_few(open_session) -> None:
    script = Script(status(500), httpx.ReadTimeout("simulated"), status(429, retry_after="1"), status(404))

    with pytest.raises(Missing):
        open_session(script, attempts=4).get(PAGE)

    assert len(script.requests) == 4


# Pauses


@pytest.mark.parametrize("code", [429, 503])
def test_a_short_pause_is_slept_in_full(open_session, clock: Clock, code: int) -> None:
    script = Script(status(code, retry_after="59.5"), ok())

    assert open_session(script).get(PAGE).json() == []
    assert clock.slept == [59.5]


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_long_pause_is_raised_with_its_end_and_nothing_is_slept(open_session, clock: Clock, code: int) -> None:
    script = Script(status(code, retry_after="61"))

    with pytest.raises(Throttled, match="asked for a pause") as raised:
        open_session(script).get(PAGE)

    assert raised.value.until == KICK_OFF + timedelta(seconds=61)
    assert (len(script.requests), clock.slept) == (1, [])


def test_the_bound_between_short_and_long_is_a_setting(open_session, clock: Clock) -> None:
    with pytest.raises(Throttled):
        open_session(Script(status(429, retry_after="1")), longest_wait_seconds=0).get(PAGE)

    assert clock.slept == []


@pytest.mark.parametrize(
    "header",
    [
        {"retry_after": "Thu, 21 Jan 2027 23:15:00 GMT"},
        {"x_ratelimit_reset": "1800573300"},
        {"x_ratelimit_reset": "2027-01-21T23:15:00.000000Z"},
        {"ratelimit_reset": "1800573300"},
    ],
)
def test_the_end_of_a_pause_is_told_on_our_clock_however_wrong_it_is(open_session, header: dict[str, str]) -> None:
    """The server's clock, by its Date, is three hours ahead; it asks for a quarter of an hour."""
    script = Script(status(429, date="Thu, 21 Jan 2027 23:00:00 GMT", **header))

    with pytest.raises(Throttled) as raised:
        open_session(script).get(PAGE)

    assert raised.value.until == KICK_OFF + timedelta(minutes=15)


@pytest.mark.parametrize(
    "header", [{}, {"retry_after": "nan"}, {"retry_after": "-5"}, {"x_ratelimit_reset": "1700000000"}]
)
def test_a_429_that_names_no_pause_is_tried_a_few_times_then_left_alone(open_session, clock: Clock, header) -> None:
    script = Script(status(429, **header))

    with pytest.raises(Throttled) as raised:
        open_session(script, attempts=3).get(PAGE)

    assert len(script.requests) == 3
    assert all(0 < wait <= 2 for wait in clock.slept)
    assert raised.value.until >= clock.at + timedelta(minutes=1)


def test_a_server_that_asks_for_one_short_pause_after_another_ends_throttled(open_session, clock: Clock) -> None:
    with pytest.raises(Throttled) as raised:
        open_session(Script(status(429, retry_after="30")), attempts=3).get(PAGE)

    assert clock.slept == [30, 30]
    assert raised.value.until == clock.at + timedelta(seconds=30)


def test_a_failure_with_the_usual_limit_headers_is_a_failure_not_a_request_to_wait(open_session, clock: Clock) -> None:
    """Servers say their window's reset on every answer; only Retry-After, or nothing remaining, asks for a pause."""
    usual = {"x_ratelimit_limit": "300", "x_ratelimit_remaining": "299", "x_ratelimit_reset": "2027-01-21T20:05:00Z"}
    script = Script(status(500, **usual), ok())

    assert open_session(script).get(PAGE).json() == []
    assert len(script.requests) == 2
    assert sum(clock.slept) < 2


@pytest.mark.parametrize("reset", Reset)
def test_a_pause_is_obeyed_in_every_form_of_a_real_server(reset: Reset) -> None:
    clock = Clock()
    with SimulatedPlatform(World(clock)) as platform, _to_this_machine(clock) as client:
        post = platform.world.publish(Mastodon())
        platform.faults.inject(Throttle(reset=reset, pause=timedelta(seconds=40)))
        client.session([platform.origin], 80).get(_list_of(platform, post))

    assert clock.slept == [40]
    assert [asked.at for asked in platform.requests] == [KICK_OFF, KICK_OFF + timedelta(seconds=40)]


# Budgets


def test_a_short_wait_for_the_budget_is_slept(open_session, clock: Clock) -> None:
    session = open_session(Script(ok()), Budget(requests=2, per=timedelta(seconds=60)))
    for _ in range(5):
        session.get(PAGE)

    assert clock.slept == [60, 60]


def test_a_long_wait_for_the_budget_ends_exhausted_before_the_request(open_session, clock: Clock) -> None:
    script = Script(ok())
    session = open_session(script, Budget(requests=1, per=timedelta(minutes=15)))
    session.get(PAGE)

    with pytest.raises(Exhausted, match=r"^the request budget of social\.example is spent$") as raised:
        session.get(PAGE)

    assert raised.value.until == KICK_OFF + timedelta(minutes=15)
    assert (len(script.requests), clock.slept) == (1, [])


def test_each_server_has_a_budget_of_its_own(open_session) -> None:
    script = Script(ok())
    session = open_session(
        script, Budget(requests=1, per=timedelta(hours=1)), origins=(ORIGIN, "https://other.example")
    )
    session.get(PAGE)
    session.get("https://other.example/api")

    with pytest.raises(Exhausted):
        session.get(PAGE)

    assert len(script.requests) == 2


def test_a_repeated_attempt_is_paid_from_the_budget_too(open_session) -> None:
    script = Script(status(500))
    session = open_session(script, Budget(requests=2, per=timedelta(hours=1)), attempts=5)

    with pytest.raises(Exhausted):
        session.get(PAGE)

    assert len(script.requests) == 2


def test_when_nothing_remains_the_next_request_waits_for_the_reset(open_session, clock: Clock) -> None:
    script = Script(ok(x_ratelimit_remaining="0", x_ratelimit_reset="2027-01-21T20:00:45Z"), ok())
    session = open_session(script)
    session.get(PAGE)
    session.get(PAGE)

    assert clock.slept == [45]


def test_when_nothing_remains_for_long_the_next_request_is_not_made(open_session) -> None:
    script = Script(ok(x_ratelimit_remaining="0", x_ratelimit_reset="2027-01-21T20:15:00Z"))
    session = open_session(script)
    session.get(PAGE)

    with pytest.raises(Throttled) as raised:
        session.get(PAGE)

    assert raised.value.until == KICK_OFF + timedelta(minutes=15)
    assert len(script.requests) == 1


def test_a_pause_one_post_was_asked_for_holds_for_every_post_of_that_server(clock: Clock) -> None:
    script = Script(status(429, retry_after="900"), ok())
    with PoliteClient(HttpSettings(), now=clock, sleep=clock.sleep, transport=httpx.MockTransport(script)) as client:
        first, second = (client.session([ORIGIN], 80) for _ in range(2))
        with pytest.raises(Throttled):
            first.get(PAGE)
        with pytest.raises(Throttled):
            second.get(f"{ORIGIN}/api/v1/statuses/2")

    assert len(script.requests) == 1


# Where it may go


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/api",
        "http://social.example/api",
        "https://social.example:8443/api",
        "https://social.example.evil.example/api",
        "https://social.example@evil.example/api",
        "https://user:hunter2@social.example/api",
        "https://evil.example\\@social.example/api",
        "//social.example/api",
        "/api/v1/statuses/1/favourited_by",
        "file:///etc/passwd",
        "gopher://social.example/",
        "",
        "https://",
        "https://[::1",
        "https://social.example:99999/",
        f"{ORIGIN}/{'a' * 70_000}",
        f"{ORIGIN}/\x00",
    ],
)
def test_a_url_on_another_server_or_none_is_refused_without_a_request(open_session, url: str) -> None:
    script = Script(ok())
    session = open_session(script)

    with pytest.raises(ContractBroken, match=r"^[^\n]{1,200}$") as raised:
        session.get(url)

    assert "hunter2" not in str(raised.value)
    assert (script.requests, session.take_requests()) == ([], 0)


@given(cursor=st.one_of(st.text(max_size=60), st.from_regex(r"https?://[a-z.@:/\\\[\]#?%0-9]{0,40}", fullmatch=True)))
def test_a_next_page_of_any_text_reaches_the_posts_server_or_nobody(cursor: str) -> None:
    script = Script(ok())
    with PoliteClient(HttpSettings(), sleep=lambda _: None, transport=httpx.MockTransport(script)) as client:
        session = client.session([ORIGIN], 80)
        for url in (cursor, f"{ORIGIN}{cursor}"):
            try:
                session.get(url)
            except ContractBroken as error:
                assert "\n" not in str(error)  # noqa: PT017 - a line for a person, whatever the cursor

    assert {(request.url.scheme, request.url.host) for request in script.requests} <= {("https", "social.example")}


def test_the_default_port_is_the_same_server(open_session) -> None:
    assert open_session(Script(ok())).get("https://SOCIAL.example:443/api").json() == []


def test_a_redirect_is_not_followed_even_on_the_same_server(open_session) -> None:
    script = Script(status(302, location=f"{ORIGIN}/elsewhere"), ok())

    with pytest.raises(ContractBroken, match="wants to redirect elsewhere"):
        open_session(script).get(PAGE)

    assert len(script.requests) == 1


def test_a_session_counts_its_own_requests_once(open_session) -> None:
    session = open_session(Script(ok()))
    session.get(PAGE)
    session.get(PAGE)

    assert (session.take_requests(), session.take_requests()) == (2, 0)


# Over a real connection


@pytest.fixture
def platform() -> Iterator[SimulatedPlatform]:
    with SimulatedPlatform(World(lambda: KICK_OFF), Mastodon()) as platform:
        yield platform


@pytest.fixture
def post(platform: SimulatedPlatform) -> SimulatedPost:
    post = platform.world.publish(Mastodon())
    for number in range(200):
        post.like(f"fan-{number}")
    return post


def _to_this_machine(clock: Clock, **settings: Any) -> PoliteClient:
    return PoliteClient(HttpSettings(allow_private_hosts=True, **settings), now=clock, sleep=clock.sleep)


def _list_of(platform: SimulatedPlatform, post: SimulatedPost) -> str:
    return f"{platform.origin}/api/v1/statuses/{post.native_id}/favourited_by?limit=80"


@pytest.mark.parametrize(
    "fault",
    [
        HTML_ERROR,
        Fail(status=500),
        Fail(status=503, retry_after=timedelta(seconds=7)),
        Break(delivery=Delivery.RESET_BEFORE),
        Break(delivery=Delivery.RESET_MIDWAY),
        Truncate(),
        Truncate(length_matches=False),
        Say(body=b"[" * 200_000),
    ],
    ids=repr,
)
def test_a_real_server_that_fails_once_is_asked_again(clock: Clock, platform, post, fault: Fault) -> None:
    platform.faults.inject(fault)

    with _to_this_machine(clock) as client:
        answer = client.session([platform.origin], 80).get(_list_of(platform, post))

    assert len(answer.json()) == 80
    assert (len(platform.asked(Kind.LIKES)), len(clock.slept)) == (2, 1)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (HTML_PAGE, ContractBroken),
        (Redirect(), ContractBroken),
        (Redirect(status=308), ContractBroken),
        (Redirect(to="http://[::1"), Outcome),
        (Fail(status=401), GrantLost),
        (Fail(status=404), Missing),
        (Swell(size=32 * 2**20), ContractBroken),
        (Break(delivery=Delivery.RESET_MIDWAY), Unstable),
        (Truncate(), Unstable),
        (Say(body=b"[" * 200_000), Unstable),
    ],
    ids=repr,
)
def test_a_real_server_that_goes_on_failing_ends_in_an_outcome(clock, platform, post, fault, outcome) -> None:
    platform.faults.inject(fault, times=None)

    with _to_this_machine(clock, attempts=2) as client, pytest.raises(outcome):
        client.session([platform.origin], 80).get(_list_of(platform, post))


def test_an_answer_may_be_as_large_as_allowed_after_decompression_and_not_a_byte_larger(clock, platform, post) -> None:
    """32 MiB of blanks travel as a few kilobytes; no attempt is wasted on asking for them again."""
    platform.faults.inject(Swell(size=32 * 2**20), times=None)
    whole = 32 * 2**20 + len(b"[]")
    with _to_this_machine(clock, largest_body_bytes=whole) as client:
        assert client.session([platform.origin], 80).get(_list_of(platform, post)).json() == []

    with (
        _to_this_machine(clock, largest_body_bytes=whole - 1) as client,
        pytest.raises(ContractBroken, match=f"answered more than {whole - 1:,} bytes"),
    ):
        client.session([platform.origin], 80).get(_list_of(platform, post))

    assert len(platform.requests) == 2


def test_an_answer_that_drips_is_cut_off_when_the_whole_takes_too_long(clock, platform, post) -> None:
    """Every byte comes in time, so only the deadline of the whole answer can end it."""
    platform.faults.inject(Break(delivery=Delivery.DRIP, pause=timedelta(milliseconds=10)), times=None)

    with (
        _to_this_machine(clock, attempts=2, whole_seconds=0.1) as client,
        pytest.raises(Unstable, match=r"127\.0\.0\.1 broke off: ReadTimeout"),
    ):
        client.session([platform.origin], 80).get(_list_of(platform, post))

    assert len(platform.requests) == 2


def test_a_server_that_falls_silent_is_left_after_the_read_timeout(clock, platform, post) -> None:
    platform.faults.inject(Break(delivery=Delivery.DRIP, pause=timedelta(hours=1)))

    with _to_this_machine(clock, read_seconds=0.1) as client:
        answer = client.session([platform.origin], 80).get(_list_of(platform, post))

    assert len(answer.json()) == 80


class _Dripper(BaseRequestHandler):
    """A server whose headers never end: one byte every 10 ms, for 5 s at most; `hung_up` tells if the client left."""

    hung_up: ClassVar[Event] = Event()

    def handle(self) -> None:
        self.request.recv(65_536)
        try:
            self.request.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
            for _ in range(500):
                self.request.sendall(b"x")
                Event().wait(0.01)
        except OSError:
            self.hung_up.set()


def test_headers_that_drip_are_cut_off_too(clock: Clock) -> None:
    """Nothing is shown to `iter_bytes` before the headers end, which may be never."""
    with ThreadingTCPServer(("127.0.0.1", 0), _Dripper) as server:
        serving = Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        origin = f"http://127.0.0.1:{server.server_address[1]}"
        with _to_this_machine(clock, attempts=1, whole_seconds=0.1) as client, pytest.raises(Unstable):
            client.session([origin], 80).get(f"{origin}/api")
        server.shutdown()
        serving.join()

    assert _Dripper.hung_up.is_set()


# Who asks, and what is never said


def test_every_request_says_who_asks_and_whom_to_write_to(open_session) -> None:
    script = Script(ok())
    open_session(script, contact="https://orange.example/contact").get(PAGE)
    open_session(script).get(PAGE)

    release = version("like-harvester")
    assert [request.headers["user-agent"] for request in script.requests] == [
        f"harvester/{release} (https://orange.example/contact)",
        f"harvester/{release} (no contact configured)",
    ]
    assert {request.headers["accept"] for request in script.requests} == {"application/json"}


class _Token(httpx.Auth):
    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:
        request.headers["authorization"] = "Bearer hunter2"
        yield request


@pytest.mark.parametrize(
    "answer",
    [
        *(status(code, location=f"{ORIGIN}/?token=hunter2") for code in (302, 401, 403, 404, 429, 500)),
        status(429, retry_after="900"),
        httpx.Response(200, headers={"content-type": "text/html"}, content=b"<p>hunter2</p>"),
        httpx.Response(200, headers=JSON, content=b'{"token":"hunter2'),
        httpx.ReadTimeout("simulated"),
        httpx.ConnectError("simulated"),
    ],
    ids=lambda answer: getattr(answer, "status_code", type(answer).__name__),
)
def test_no_message_and_no_log_line_shows_a_query_a_header_or_a_body(
    open_session, caplog: pytest.LogCaptureFixture, answer: httpx.Response | Exception
) -> None:
    caplog.set_level(logging.DEBUG)
    session = open_session(Script(answer), attempts=2)

    with pytest.raises(Outcome) as raised:
        session.get(PAGE, params={"access_token": "hunter2"}, auth=_Token())

    assert re.search(r"^[^\n?]+$", str(raised.value))
    assert "hunter2" not in "".join(_messages(raised.value)) + caplog.text


def _messages(error: BaseException | None) -> Iterator[str]:
    """Every line of what a log would show of an error and its causes."""
    while error is not None:
        yield from traceback.format_exception_only(error)
        error = error.__cause__ or error.__context__


def test_nothing_is_logged_of_a_request_that_went_well(
    clock: Clock, platform, post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with _to_this_machine(clock) as client:
        client.session([platform.origin], 80).get(_list_of(platform, post), params={"access_token": "hunter2"})

    assert "hunter2" not in caplog.text


def test_every_status_of_a_recorded_error_becomes_an_outcome(open_session) -> None:
    """The errors that real servers gave, as recorded for the connectors."""
    recordings = [
        exchange["response"]
        for name in installed()
        for path in sorted((Path(__file__).parents[1] / "recordings" / name).glob("*.json"))
        for exchange in msgspec.json.decode(path.read_bytes()).get("exchanges", [])
        if exchange["response"].get("status", 200) >= 400
    ]
    assert recordings
    for response in recordings:
        with pytest.raises(Outcome):
            open_session(Script(status(response["status"])), attempts=1).get(PAGE)
