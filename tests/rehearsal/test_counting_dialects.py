"""The simulated platforms that tell nobody who liked, asked by hand over real HTTP."""

import re
from contextlib import ExitStack

import httpx
import pytest

from harvester.rehearsal import DIALECTS, Instagram, Kind, SimulatedPlatform, Threads, Tiktok, Youtube
from harvester.rehearsal.faults import EmptyPage, Fail, Reset, Throttle, Truncate
from harvester.rehearsal.tiktok import THROTTLED
from harvester.rehearsal.youtube import QUOTA_SPENT

BEARER = {"Authorization": "Bearer simulated-token"}
LIKE_COUNT = {"fields": "id,like_count"}


@pytest.fixture
def serve(world, crowd):
    """Serve a post with 42 likes, and the whole platform."""
    with ExitStack() as open_platforms:

        def serve(dialect):
            platform = open_platforms.enter_context(SimulatedPlatform(world, dialect))
            post = world.publish(dialect)
            crowd(post, 42)
            return platform, post

        yield serve


@pytest.fixture
def query(client):
    """Ask TikTok about videos."""

    def query(platform, *ids, fields="id,like_count", headers=BEARER):
        url = f"{platform.origin}/v2/video/query/"
        return client.post(url, params={"fields": fields}, json={"filters": {"video_ids": ids}}, headers=headers)

    return query


@pytest.fixture
def videos(client):
    """Ask YouTube about videos."""

    def videos(platform, *ids, key="simulated-token"):
        params = {"part": "snippet,statistics", "id": ",".join(ids)}
        return client.get(f"{platform.origin}/youtube/v3/videos", params=params, headers={"X-Goog-Api-Key": key})

    return videos


@pytest.mark.parametrize(
    ("dialect", "native_id", "url"),
    [
        (Instagram(), r"179\d{14}", r"https://www\.instagram\.com/p/D[\w-]{10}/"),
        (Threads(), r"180\d{14}", r"https://www\.threads\.com/@contest/post/D[\w-]{10}"),
        (Tiktok(), r"[67]\d{18}", r"https://www\.tiktok\.com/@contest/video/ID"),
        (Youtube(), r"[\w-]{11}", r"https://www\.youtube\.com/watch\?v=ID"),
    ],
)
def test_ids_and_addresses_have_the_shape_of_the_real_ones(world, dialect, native_id, url):
    post = world.publish(dialect)

    assert re.fullmatch(native_id, post.native_id)
    assert re.fullmatch(url.replace("ID", re.escape(post.native_id)), dialect.url_of(post, ""))


def test_every_dialect_goes_by_the_name_of_its_connector():
    assert [*DIALECTS] == ["mastodon", "bluesky", "facebook_page", "instagram", "threads", "tiktok", "youtube"]


def test_instagram_counts_its_own_media_and_finds_one_by_its_shortcode(serve, client):
    platform, post = serve(Instagram())
    root = f"{platform.origin}/v26.0"

    media = client.get(f"{root}/{post.native_id}", params={"fields": "like_count,timestamp"}, headers=BEARER).json()
    listed = client.get(f"{root}/me/media", params={"fields": "shortcode,permalink"}, headers=BEARER).json()["data"]

    assert media == {"id": post.native_id, "like_count": 42, "timestamp": "2027-01-21T20:00:00+0000"}
    assert [(one["id"], one["permalink"]) for one in listed] == [(post.native_id, platform.url_of(post))]
    assert listed[0]["shortcode"] in platform.url_of(post)


def test_a_hidden_count_on_instagram_is_true_for_its_owner_and_zero_in_a_list(serve, client):
    platform, post = serve(Instagram())
    post.hide_count()

    own = client.get(f"{platform.origin}/v26.0/{post.native_id}", params=LIKE_COUNT, headers=BEARER).json()
    listed = client.get(f"{platform.origin}/v26.0/me/media", params=LIKE_COUNT, headers=BEARER).json()["data"]

    assert (own["like_count"], listed[0]["like_count"]) == (42, 0)


def test_the_own_media_come_in_pages_newest_first(world, serve, client, clock):
    platform, first = serve(Instagram())
    newer = []
    for _ in range(2):
        clock.forward(minutes=1)
        newer.append(world.publish(Instagram()).native_id)
    world.publish(Instagram(), author="somebody-else")
    url, found = f"{platform.origin}/v26.0/me/media?fields=id&limit=2", []

    while url:
        page = client.get(url, headers=BEARER).json()
        found.append([one["id"] for one in page["data"]])
        url = page["paging"].get("next")

    assert found == [newer[::-1], [first.native_id]]


def test_threads_counts_in_insights_alone_and_finds_a_post_by_its_shortcode(serve, client):
    platform, post = serve(Threads())
    root = f"{platform.origin}/v1.0"

    insights = client.get(f"{root}/{post.native_id}/insights", params={"metric": "likes,views"}, headers=BEARER).json()
    listed = client.get(f"{root}/me/threads", params={"fields": "id,shortcode"}, headers=BEARER).json()["data"]
    refused = client.get(f"{root}/{post.native_id}", params=LIKE_COUNT, headers=BEARER).json()

    assert [(one["name"], one["values"]) for one in insights["data"]] == [
        ("likes", [{"value": 42}]),
        ("views", [{"value": 0}]),
    ]
    assert platform.url_of(post).endswith(listed[0]["shortcode"])
    assert refused["error"]["code"] == 100


@pytest.mark.parametrize(
    ("dialect", "path"), [(Instagram(), "v26.0/{}?fields=id"), (Threads(), "v1.0/{}/insights?metric=likes")]
)
def test_metas_other_platforms_say_gone_and_lost_in_metas_words(serve, client, dialect, path):
    platform, post = serve(dialect)
    url = f"{platform.origin}/{path.format(post.native_id)}"
    post.remove()
    gone = client.get(url, headers=BEARER).json()["error"]
    platform.revoke()
    lost = client.get(url, headers=BEARER)

    assert (gone["code"], gone["error_subcode"]) == (100, 33)
    assert (lost.status_code, lost.json()["error"]["code"]) == (400, 190)


def test_tiktok_says_ok_beside_its_videos_and_leaves_out_what_is_not_shown(world, serve, query):
    platform, post = serve(Tiktok())
    gone, foreign = world.publish(Tiktok()), world.publish(Tiktok(), author="somebody-else")
    gone.remove()

    answer = query(
        platform, post.native_id, gone.native_id, foreign.native_id, "1", fields="id,like_count,create_time"
    ).json()

    assert answer["error"]["code"] == "ok"
    assert answer["data"]["videos"] == [{"id": post.native_id, "like_count": 42, "create_time": 1800561600}]
    assert int(post.native_id) > 2**53


@pytest.mark.parametrize(("ids", "fields"), [(["1"] * 21, "id"), ([], "id"), (["1"], "hearts")])
def test_tiktok_does_not_understand_too_many_ids_or_an_unknown_field(serve, query, ids, fields):
    platform, _ = serve(Tiktok())

    answer = query(platform, *ids, fields=fields)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_params")


def test_tiktok_refuses_a_token_that_was_revoked(serve, query, client):
    platform, post = serve(Tiktok())
    user = client.get(f"{platform.origin}/v2/user/info/", params={"fields": "display_name"}, headers=BEARER).json()
    platform.revoke()

    answer = query(platform, post.native_id)

    assert user["data"]["user"] == {"display_name": "contest"}
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "access_token_invalid")


def test_youtube_counts_in_texts_of_digits_and_leaves_out_what_is_hidden_or_gone(world, serve, videos):
    platform, post = serve(Youtube())
    hidden, gone = world.publish(Youtube()), world.publish(Youtube())
    hidden.hide_count()
    gone.remove()

    items = videos(platform, post.native_id, hidden.native_id, gone.native_id).json()["items"]

    assert [item["id"] for item in items] == [post.native_id, hidden.native_id]
    assert [item["statistics"].get("likeCount") for item in items] == ["42", None]
    assert items[0]["snippet"]["publishedAt"] == "2027-01-21T20:00:00Z"


def test_youtube_takes_its_key_from_a_header_or_the_query_and_refuses_another(serve, videos, client):
    platform, post = serve(Youtube())
    url = f"{platform.origin}/youtube/v3/videos?part=statistics&id={post.native_id}&key="

    answers = [videos(platform, post.native_id), client.get(f"{url}simulated-token"), client.get(f"{url}wrong")]

    assert [answer.status_code for answer in answers] == [200, 200, 400]
    assert answers[2].json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_a_number_falls_and_comes_back(serve, videos, clock):
    platform, post = serve(Youtube())
    post.drift(-40)
    post.drift(+40, at=clock().replace(hour=21))

    def shown():
        return videos(platform, post.native_id).json()["items"][0]["statistics"]["likeCount"]

    purged = shown()
    clock.forward(hours=1)

    assert (purged, shown()) == ("2", "42")


def test_faults_strike_a_count_by_the_id_in_its_query_or_its_body(serve, query, videos):
    tiktok, video = serve(Tiktok())
    youtube, film = serve(Youtube())
    for platform, post, faults in (
        (tiktok, video, (THROTTLED, Throttle(reset=Reset.SECONDS), Truncate())),
        (youtube, film, (QUOTA_SPENT, Fail(status=500), Truncate())),
    ):
        for nth, fault in enumerate(faults, start=1):
            platform.faults.inject(fault, on=Kind.POST, about=post.native_id, nth=nth)

    elsewhere = [query(tiktok, "1").status_code, videos(youtube, "12345678901").status_code]
    asked = [query(tiktok, video.native_id) for _ in range(4)], [videos(youtube, film.native_id) for _ in range(4)]

    assert elsewhere == [200, 200]
    assert [[answer.status_code for answer in answers] for answers in asked] == [
        [429, 429, 200, 200],
        [403, 500, 200, 200],
    ]
    assert asked[0][0].json()["error"]["code"] == "rate_limit_exceeded"
    assert asked[1][0].json()["error"]["errors"][0]["reason"] == "quotaExceeded"


def test_a_fault_of_a_list_cannot_strike_where_there_is_none(serve, videos, capsys):
    platform, post = serve(Youtube())
    platform.faults.inject(EmptyPage())

    with pytest.raises(httpx.RemoteProtocolError):
        videos(platform, post.native_id)

    assert "Youtube lists no likers" in capsys.readouterr().err
