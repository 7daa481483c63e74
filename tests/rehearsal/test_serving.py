"""The server itself: its log, its end, its speed, and the process that crash tests start."""

import socket
import subprocess
import sys
import threading
from contextlib import ExitStack

import httpx
import msgspec
import pytest

from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, Tiktok


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


def test_a_body_is_read_to_its_end_and_the_connection_goes_on(world, client):
    dialect = Tiktok()
    video = world.publish(dialect)
    headers = {"Authorization": f"Bearer {dialect.token}"}
    with SimulatedPlatform(world, dialect) as platform:
        answers = []
        for ids in ([video.native_id], ["é" * 9_000], [video.native_id]):
            url, question = f"{platform.origin}/v2/video/query/?fields=id", {"filters": {"video_ids": ids}}
            answers.append(client.post(url, json=question, headers=headers))
            answers.append(client.post(f"{platform.origin}/nowhere", content=b"GET / HTTP/1.1\r\n\r\n"))

    found = [len(answer.json()["data"]["videos"]) for answer in answers[::2]]
    streams = {answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers}
    assert (found, {answer.status_code for answer in answers[1::2]}, len(streams)) == ([1, 0, 1], {404}, 1)
    assert [asked.kind for asked in platform.requests] == [Kind.POST] * 3
    assert platform.requests[0].body == b'{"filters":{"video_ids":["' + video.native_id.encode() + b'"]}}'


def test_a_body_without_a_length_ends_the_connection(platform):
    host, port = platform.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: it\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4_096), b""))

    assert answer.startswith(b"HTTP/1.1 411 Length Required\r\n")


def test_an_api_that_is_only_read_knows_no_post(world, platform, client):
    post = world.publish(Mastodon())

    assert client.post(f"{platform.origin}/api/v1/statuses/{post.native_id}").status_code == 404


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


@pytest.fixture
def run():
    """Run it as a process, and give what it says of itself."""
    with ExitStack() as running:

        def run(dialect):
            command = [sys.executable, "-m", "harvester.rehearsal", "--likers", "120", "--dialect", dialect]
            process = running.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            running.callback(process.kill)
            return msgspec.json.decode(process.stdout.readline())

        yield run


def test_it_runs_as_a_process_that_says_where_it_is_in_one_line(run, client):
    facts = run("mastodon")
    status = client.get(f"{facts['origin']}/api/v1/statuses/{facts['id']}").json()

    assert (facts["likers"], status["favourites_count"], facts["url"]) == (120, 120, status["url"])


def test_any_platform_runs_as_a_process(run, client):
    facts = run("youtube")
    asked = {"part": "statistics", "key": "simulated-token", "id": facts["id"]}
    [video] = client.get(f"{facts['origin']}/youtube/v3/videos", params=asked).json()["items"]

    assert (facts["likers"], video["statistics"]["likeCount"]) == (120, "120")
