"""A pasted link must not make the machine read its own network: refused up front, at connect, and by the real peer."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from harvester.collect.guard import GuardedTransport, refuse_private_url
from harvester.collect.http import PoliteClient
from harvester.collect.registry import recognise
from harvester.config import HttpSettings, Settings
from harvester.connector import Refused, Unstable
from harvester.errors import UsageError
from harvester.rehearsal import SimulatedPlatform, World

PRIVATE_HOSTS = (
    *("127.0.0.1", "127.8.8.8", "localhost", "LOCALHOST", "www.localhost", "10.0.0.1", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "0.0.0.0", "[::1]", "[::]", "[fe80::1]", "[fd00::1]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]"),
)


@pytest.fixture
def platform() -> Iterator[SimulatedPlatform]:
    with SimulatedPlatform(World()) as platform:
        yield platform


@pytest.fixture
def guarded() -> Iterator[httpx.Client]:
    with httpx.Client(transport=GuardedTransport(), timeout=5) as client:
        yield client


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_a_url_that_names_a_private_address_is_refused_before_any_request(host: str) -> None:
    with pytest.raises(UsageError, match=r"private address: set http\.allow_private_hosts = true"):
        refuse_private_url(f"http://{host}:3000/@contest/109294719267373593")


@pytest.mark.parametrize("host", ["mastodon.social", "8.8.8.8", "[2606:4700:4700::1111]", "localhost.example"])
def test_a_public_address_is_not_refused(host: str) -> None:
    refuse_private_url(f"https://{host}/@contest/109294719267373593")


def test_the_registry_refuses_a_private_url_unless_the_settings_allow_it() -> None:
    url = "http://127.0.0.1:3000/@contest/109294719267373593"

    with pytest.raises(UsageError, match=r"127\.0\.0\.1 is a private address"):
        recognise(url, Settings())

    assert recognise(url, Settings(http=HttpSettings(allow_private_hosts=True))).url == url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0.0.0.0"])
def test_every_name_of_this_machine_is_refused_at_connect(
    guarded: httpx.Client, platform: SimulatedPlatform, host: str
) -> None:
    port = platform.origin.rpartition(":")[2]

    with pytest.raises(Refused, match="is at a private address"):
        guarded.get(f"http://{host}:{port}/api/v1/statuses/109294719267373593")

    assert platform.requests == []


def test_a_name_that_resolves_to_this_machine_is_refused_without_a_retry(platform: SimulatedPlatform) -> None:
    slept: list[float] = []
    origin = platform.origin.replace("127.0.0.1", "localhost")

    with (
        PoliteClient(HttpSettings(), sleep=slept.append) as client,
        pytest.raises(Refused, match="localhost is at a private address"),
    ):
        client.session([origin], 80).get(f"{origin}/api/v1/statuses/1")

    assert (platform.requests, slept) == ([], [])


def test_a_private_host_answers_where_the_settings_allow_it(platform: SimulatedPlatform) -> None:
    post = platform.world.publish(platform.handlers[0])

    with PoliteClient(HttpSettings(allow_private_hosts=True)) as client:
        answer = client.session([platform.origin], 80).get(f"{platform.origin}/api/v1/statuses/{post.native_id}")

    assert answer.json()["id"] == post.native_id


def test_a_name_is_resolved_once_and_refused_for_any_private_address_it_has(
    guarded: httpx.Client, platform: SimulatedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the addresses that were checked are the only ones connected to."""
    asked: list[Any] = []
    real = socket.getaddrinfo

    def rebinding(host: Any, *rest: Any, **named: Any) -> Any:
        asked.append(host)
        return [*real("93.184.215.14", *rest, **named), *real("127.0.0.1", *rest, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    port = platform.origin.rpartition(":")[2]

    with pytest.raises(Refused, match=r"rebinding\.example is at a private address"):
        guarded.get(f"http://rebinding.example:{port}/api/v1/statuses/1")

    assert asked == ["rebinding.example"]
    assert platform.requests == []


def test_a_name_that_does_not_resolve_is_unstable_and_tried_again() -> None:
    slept: list[float] = []

    with (
        PoliteClient(HttpSettings(attempts=3), sleep=slept.append) as client,
        pytest.raises(Unstable, match=r"nobody\.invalid broke off"),
    ):
        client.session(["https://nobody.invalid"], 80).get("https://nobody.invalid/api")

    assert len(slept) == 2
