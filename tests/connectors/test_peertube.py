"""What PeerTube servers do differently, one test a quirk."""

import pytest

from connectors.peertube import Peertube
from harvester.connector import ContractBroken, Count, Post
from harvester.kit.replay import always, open_connector, recognise, session

UUID, SHORT = "9c9de5e8-0a1e-484a-b099-e80766180a6d", "kkGMgK9ZtnKfYAgnEtQxbv"
POST = recognise(Peertube, f"https://peertube.example/w/{UUID}")
VIDEO = {"uuid": UUID, "likes": 42, "account": {"host": "peertube.example"}, "publishedAt": "2026-11-01T10:00:00.000Z"}


def located(url: str, **fields: object) -> Post:
    connector, post = open_connector(Peertube, {}), recognise(Peertube, url)
    with session(connector, post, always(VIDEO | fields)) as http:
        return connector.locate(http, post)


def count_of(**fields: object) -> Count:
    connector = open_connector(Peertube, {})
    with session(connector, POST, always(VIDEO | fields)) as http:
        (count,) = connector.fetch_counts(http, [POST])
    return count


@pytest.mark.parametrize("link", [f"w/{UUID}", f"w/{SHORT}", f"videos/watch/{UUID.upper()}", f"videos/embed/{SHORT}"])
def test_every_name_of_a_video_becomes_one(link: str) -> None:
    post = located(f"https://peertube.example/{link}", uuid=UUID.upper())
    assert (post.realm, post.native_id) == ("peertube:peertube.example", UUID)


def test_a_copy_is_counted_at_the_home_of_its_account() -> None:
    home = located(POST.url, account={"host": "Home.example"})
    assert (home.realm, home.native_id, home.origin) == ("peertube:home.example", UUID, "https://home.example")


def test_a_server_on_this_machine_is_its_own_home() -> None:
    url = f"http://127.0.0.1:9000/w/{UUID}"
    assert located(url, account={"host": "127.0.0.1:9000"}).url == url


@pytest.mark.parametrize("host", ["", "a b", "home.example/x", "user@home.example", "home.example?", "\u202e"])
def test_a_home_that_is_no_server_is_refused(host: str) -> None:
    with pytest.raises(ContractBroken):
        located(POST.url, account={"host": host})


@pytest.mark.parametrize("uuid", ["", SHORT, "7", f"{UUID}/x"])
def test_an_id_that_is_no_uuid_is_refused(uuid: str) -> None:
    with pytest.raises(ContractBroken):
        located(POST.url, uuid=uuid)


def test_an_answer_about_another_video_is_not_counted() -> None:
    with pytest.raises(ContractBroken, match="knows"):
        count_of(uuid="00000000-0000-4000-8000-000000000000")


def test_a_video_is_dated_by_its_server_and_not_by_its_uploader() -> None:
    assert count_of(publishedAt=None, originallyPublishedAt="2010-01-01T00:00:00Z").published_at is None


@pytest.mark.parametrize(
    "path", [f"w/p/{UUID}", f"videos/watch/playlist/{UUID}", "videos/watch/7", "w/abc", f"c/{SHORT}"]
)
def test_a_playlist_or_a_number_is_no_video(path: str) -> None:
    assert Peertube.recognise(f"https://peertube.example/{path}") is None
