"""`harvester try`: no configuration, no account, no trace; and an exit code that tells the truth."""

from datetime import timedelta
from pathlib import Path

import pytest

from harvester.rehearsal import Bluesky, Kind
from harvester.rehearsal.faults import Fail, Reset, Throttle

POST_KEYS = {
    *("url", "connector", "post_id", "basis", "displayed", "held", "gap", "likes", "bytes", "outcome", "reason"),
}


def test_posts_of_two_platforms_are_tried_without_any_configuration(run, platform, publish) -> None:
    named, counted = publish(200), publish(130, dialect=Bluesky())
    named.hide("fan-0")

    said = run("try", platform.url_of(named), platform.url_of(counted), "--json")

    assert (said.code, said.err) == (0, "")
    assert set(said.facts) == {"posts", "likes", "bytes"}
    assert {frozenset(post) for post in said.facts["posts"]} == {frozenset(POST_KEYS)}
    assert said.facts["posts"][0] == {
        "url": platform.url_of(named),
        "connector": "mastodon",
        "post_id": named.native_id,
        "basis": "identity",
        "displayed": 200,
        "held": 199,
        "gap": 1,
        "likes": 199,
        "bytes": 1_990_000_000,
        "outcome": "complete",
        "reason": None,
    }
    assert (said.facts["likes"], said.facts["bytes"]) == (329, 3_290_000_000)


def test_a_trial_is_shown_to_people_too(run, platform, publish) -> None:
    said = run("try", platform.url_of(publish(1_000)))

    assert said.code == 0
    assert "1,000 likes would earn 10 GB" in said.out


def test_a_trial_leaves_nothing_behind(run, platform, publish, folder: Path) -> None:
    run("try", platform.url_of(publish(3)))

    assert [path for path in folder.parent.rglob("*") if path.is_file()] == []
    assert list((folder.parent / "temporary").iterdir()) == []


def test_a_post_that_is_gone_has_failed_with_unknown_numbers(run, platform, publish) -> None:
    post = publish(3)
    post.remove()

    said = run("try", platform.url_of(post), "--json")

    assert said.code == 1
    [tried] = said.facts["posts"]
    assert (tried["outcome"], tried["displayed"], tried["held"], tried["gap"]) == ("failed", None, None, None)
    assert (tried["likes"], tried["bytes"]) == (0, 0)
    assert "does not know this post" in tried["reason"]


def test_one_post_that_is_gone_leaves_the_other_counted_and_the_whole_partial(run, platform, publish) -> None:
    good, gone = publish(3), publish(2)
    gone.remove()

    said = run("try", platform.url_of(gone), platform.url_of(good), "--json")

    assert said.code == 3
    assert [post["outcome"] for post in said.facts["posts"]] == ["failed", "complete"]
    assert said.facts["likes"] == 3


@pytest.mark.parametrize("on", [Kind.LIKES, None])
def test_a_platform_that_asks_for_a_long_pause_makes_it_partial(run, platform, publish, on: Kind | None) -> None:
    pause = Throttle(reset=Reset.X_ISO, pause=timedelta(hours=1))
    platform.faults.inject(pause, on=on, times=None)

    said = run("try", platform.url_of(publish(3)), "--json")

    assert said.code == 3
    [tried] = said.facts["posts"]
    assert tried["outcome"] == "partial"
    assert tried["reason"]


def test_a_short_pause_is_waited_for(run, platform, publish, clock) -> None:
    before = clock.at
    platform.faults.inject(Throttle(reset=Reset.RETRY_AFTER_SECONDS, pause=timedelta(seconds=50)), on=Kind.LIKES)

    assert run("try", platform.url_of(publish(3))).code == 0
    assert clock.at == before + timedelta(seconds=50)


def test_a_platform_that_is_down_makes_it_partial(run, platform, publish) -> None:
    platform.faults.inject(Fail(status=502), times=None)

    assert run("try", platform.url_of(publish(3))).code == 3


def test_a_partial_list_counts_what_was_read(run, platform, publish) -> None:
    platform.faults.inject(Throttle(reset=Reset.X_ISO, pause=timedelta(hours=1)), on=Kind.LIKES, nth=2)

    said = run("try", platform.url_of(publish(200)), "--json")

    [tried] = said.facts["posts"]
    assert (said.code, tried["outcome"], tried["held"], tried["gap"]) == (3, "partial", 80, 120)


def test_an_unknown_url_is_refused_before_any_request(refused, platform, publish) -> None:
    line = refused("try", platform.url_of(publish(1)), "https://friendster.example/42")

    assert "no connector knows the URL 'https://friendster.example/42'" in line
    assert platform.requests == []


def test_a_private_url_is_refused_unless_it_is_allowed(refused) -> None:
    assert "127.0.0.1 is a private address" in refused("try", "http://127.0.0.1:3000/@contest/109294719267373593")


def test_a_configuration_that_is_named_must_exist_and_one_that_exists_is_used(refused, folder: Path) -> None:
    url = "https://mastodon.social/@Gargron/109294719267373593"

    assert "there is no configuration file other.toml" in refused("try", url, "--config", "other.toml")

    (folder / "config.toml").write_text("[htp]\n")
    assert "config.toml: unknown key htp" in refused("try", url)


def test_the_same_post_twice_is_counted_once(run, platform, publish) -> None:
    url = platform.url_of(publish(3))

    said = run("try", url, url, "--json")

    assert (said.facts["likes"], said.facts["bytes"]) == (3, 30_000_000)


def test_two_urls_of_one_post_are_counted_once(run, platform, publish) -> None:
    url = platform.url_of(publish(3))
    other = url.replace("/@contest/", "/users/contest/statuses/")

    said = run("try", url, other, "--json")

    assert (said.code, said.facts["likes"]) == (0, 3)
    assert [post["url"] for post in said.facts["posts"]] == [url, other]
