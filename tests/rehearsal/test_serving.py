"""The server itself: its log, its end, its speed, and the process that crash tests start."""

import subprocess
import sys
import threading

import httpx
import msgspec
import pytest

from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform


def test_requests_are_logged_by_kind_in_order_of_arrival(world, platform, client):
    post = world.publish(Mastodon())
    path = f"/api/v1/statuses/{post.native_id}"
    for target in (path, f"{path}/favourited_by?limit=80", path):
        client.get(platform.origin + target)

    assert len(platform.requests) == 3
    assert platform.asked(Kind.LIKES) == (f"{path}/favourited_by?limit=80",)


def test_an_unknown_path_is_a_404_that_no_dialect_answers(platform, client):
    assert (client.get(f"{platform.origin}/robots.txt").status_code, platform.requests) == (404, [])


def test_one_connection_serves_many_requests(world, platform, client):
    post = world.publish(Mastodon())
    url = f"{platform.origin}/api/v1/statuses/{post.native_id}"

    streams = {client.get(url).extensions["network_stream"].get_extra_info("client_addr") for _ in range(5)}

    assert len(streams) == 1


def test_nothing_runs_or_listens_after_the_block(world, client):
    before = threading.active_count()
    with SimulatedPlatform(world) as platform:
        client.get(platform.origin)

    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(platform.origin, trust_env=False)


def test_many_threads_read_while_likes_keep_arriving(world, platform, crowd):
    post = world.publish(Mastodon())
    crowd(post, 500)
    url = f"{platform.origin}/api/v1/statuses/{post.native_id}/favourited_by?limit=80"
    statuses: list[int] = []

    def read() -> None:
        with httpx.Client(trust_env=False) as client:
            statuses.extend(client.get(url).status_code for _ in range(20))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for place in range(200):
        post.like(f"late-{place}")
    for reader in readers:
        reader.join()

    assert (statuses, post.displayed()) == ([200] * 80, 700)


def test_it_runs_as_a_process_that_says_where_it_is_in_one_line(client):
    command = [sys.executable, "-m", "harvester.rehearsal", "--likers", "120", "--dialect", "mastodon"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            facts = msgspec.json.decode(process.stdout.readline())
            status = client.get(f"{facts['origin']}/api/v1/statuses/{facts['id']}").json()
        finally:
            process.kill()

    assert (facts["likers"], status["favourites_count"], facts["url"]) == (120, 120, status["url"])
