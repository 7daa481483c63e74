"""`harvester doctor`: what it prints, and how it ends."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_a_sound_installation_ends_with_zero(home: Run) -> None:
    said = home("doctor")

    assert said.code == 0
    assert "ok   configuration: config.toml is read\n" in said.out
    assert "fail" not in said.out


def test_what_fails_ends_with_one_and_says_what_to_do(home: Run) -> None:
    said = home("doctor", "--all", "--offline")

    assert said.code == 1
    assert (
        "fail flickr: connectors.flickr.api_key is not set: an API key; it has no scopes; "
        "get it from www.flickr.com/services/apps/create/apply\n"
    ) in said.out


def test_a_warning_is_no_failure(home: Run, folder: Path) -> None:
    (folder / "keys" / "signing.key").unlink()

    said = home("doctor")

    assert said.code == 0
    assert "warn signing key: there is none at " in said.out


def test_the_platforms_of_posts_are_examined_until_the_posts_are_removed(read_contest: Run) -> None:
    assert {one["about"] for one in read_contest("doctor", "--json").facts} >= {"mastodon", "bluesky"}

    for entry in read_contest("status", "afcon", "--json").facts["entries"]:
        if entry["connector"] == "mastodon":
            assert read_contest("post", "remove", "afcon", entry["url"]).code == 0

    assert "mastodon" not in {one["about"] for one in read_contest("doctor", "--json").facts}


def test_json_says_the_same_as_the_lines(home: Run) -> None:
    lines, facts = home("doctor", "--all", "--offline").out, home("doctor", "--all", "--offline", "--json").facts

    assert set(facts[0]) == {"about", "health", "what", "remedy"}
    assert len(lines.splitlines()) == len(facts)


def test_without_a_configuration_it_says_how_to_make_one(run: Run) -> None:
    said = run("doctor")

    assert said.code == 1
    assert said.out.startswith("fail configuration: there is no configuration file config.toml: run 'harvester init'")


def test_a_contest_without_a_night_is_pointed_to_deploy(contest: Run) -> None:
    said = contest("doctor", "--offline")

    assert said.code == 0
    assert "warn nightly: the nightly has not run yet; see 'harvester deploy cron'\n" in said.out


@pytest.mark.parametrize("options", [("--all",), ("--all", "--json")])
def test_no_secret_is_printed(home: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]) -> None:
    for name, field in {"youtube": "API_KEY", "tiktok": "CLIENT_SECRET", "x": "APP_TOKEN"}.items():
        monkeypatch.setenv(f"HARVESTER_CONNECTORS__{name.upper()}__{field}", "hunter2")

    said = home("doctor", "--offline", *options)

    assert "hunter2" not in said.out + said.err
