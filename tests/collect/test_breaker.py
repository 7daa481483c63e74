"""A server that does not answer is left alone for a while, and does not keep the threads that others need."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from harvester.collect.breaker import Breaker
from harvester.collect.http import PoliteClient, PoliteSession
from harvester.config import HttpSettings
from harvester.connector import Missing, Unstable
from tests.factories import Clock

HERE, THERE = "https://social.example", "https://other.example"
MINUTE = timedelta(minutes=1)


class Server:
    """Hangs while `is_hung`; `asked` are the hosts of the requests that it was sent."""

    def __init__(self) -> None:
        self.is_hung = True
        self.status = 200
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        if self.is_hung and request.url.host == "social.example":
            raise httpx.ReadTimeout("nothing came")
        return httpx.Response(self.status, headers={"content-type": "application/json"}, content=b"[]")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def session(server: Server, clock: Clock) -> Iterator[PoliteSession]:
    with PoliteClient(
        HttpSettings(attempts=2), now=clock, sleep=lambda _: None, transport=httpx.MockTransport(server)
    ) as client:
        yield client.session({HERE, THERE}, 10)


def ask(session: PoliteSession, times: int = 1, origin: str = HERE) -> list[str]:
    """Ask and give what came of it."""
    said = []
    for _ in range(times):
        try:
            session.get(f"{origin}/likes")
            said.append("answered")
        except (Unstable, Missing) as error:
            said.append(str(error))
    return said


def test_after_three_requests_in_a_row_a_server_is_not_asked_for_a_minute(
    session: PoliteSession, server: Server
) -> None:
    *_, last, refused = ask(session, 4)
    assert last == "social.example broke off: ReadTimeout"
    assert refused == "social.example did not answer the last requests: it is asked again from 20:01:00 UTC on"
    assert len(server.asked) == 3 * 2


def test_another_server_is_asked_meanwhile(session: PoliteSession) -> None:
    ask(session, 3)
    assert ask(session, origin=THERE) == ["answered"]


def test_a_pause_is_followed_by_one_attempt_and_doubles_up_to_a_quarter_of_an_hour(
    session: PoliteSession, server: Server, clock: Clock
) -> None:
    pauses = []
    ask(session, 3)
    for _ in range(6):
        begun, asked = clock(), len(server.asked)
        while len(server.asked) == asked:
            clock.forward(minutes=1)
            ask(session)
        assert len(server.asked) == asked + 1
        pauses.append((clock() - begun) // MINUTE)
    assert pauses == [1, 2, 4, 8, 15, 15]


@pytest.mark.parametrize("status", [200, 404])
def test_one_answer_ends_it(session: PoliteSession, server: Server, clock: Clock, status: int) -> None:
    ask(session, 3)
    clock.forward(minutes=1)
    server.is_hung, server.status = False, status
    ask(session)
    server.is_hung = True
    asked = len(server.asked)
    ask(session, 3)
    assert len(server.asked) == asked + 3 * 2


def test_requests_that_fail_now_and_then_stop_nothing(session: PoliteSession, server: Server) -> None:
    for is_hung in (True, True, False) * 3:
        server.is_hung = is_hung
        ask(session)
    assert ask(session) == ["answered"]


def test_while_one_request_tries_whether_a_server_is_back_the_others_wait(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(3):
        with pytest.raises(Unstable), breaker.request(HERE):
            raise Unstable("nothing came")
    clock.forward(minutes=1)
    with breaker.request(HERE), pytest.raises(Unstable, match=r"asked again from 20:02:00 UTC on"):
        breaker.request(HERE).__enter__()


def test_what_was_under_way_when_the_pause_began_does_not_double_it(clock: Clock) -> None:
    breaker = Breaker(clock)
    under_way = [breaker.request(HERE) for _ in range(5)]
    for one in under_way:
        one.__enter__()
    clock.forward(seconds=30)
    for one in under_way:
        one.__exit__(Unstable, Unstable("nothing came"), None)
    clock.forward(minutes=1)
    with breaker.request(HERE):
        breaker.answered(HERE)


def test_a_clock_that_was_set_back_does_not_lengthen_the_pause(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(3):
        with pytest.raises(Unstable), breaker.request(HERE):
            raise Unstable("nothing came")
    clock.forward(days=-1)
    with pytest.raises(Unstable, match=r"from 20:01:00 UTC on"), breaker.request(HERE):
        pass
    clock.forward(minutes=1)
    with breaker.request(HERE):
        breaker.answered(HERE)
