"""Connectors by name and by URL, opened with their settings; what is wrong with a setting is one line without it."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from harvester.collect.registry import check_settings, find, installed, open_platform, open_platforms, recognise
from harvester.config import Settings
from harvester.connector import Budget, Post
from harvester.errors import ConfigError, UsageError
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey

PASSWORD = "hunter2 of the token"


@pytest.fixture
def installation(tmp_path: Path) -> Callable[..., Installation]:
    database = Database(f"sqlite:///{tmp_path}/harvester.db")
    database.upgrade()

    def make(**connectors: dict[str, Any]) -> Installation:
        return Installation(
            database=database,
            settings=Settings(connectors=connectors),
            master=MasterKey(Fernet.generate_key().decode(), "the test"),
        )

    return make


def test_installed_connectors_are_listed_in_order_under_their_own_names() -> None:
    known = installed()

    assert list(known) == sorted(known)
    assert {name: connector.name for name, connector in known.items()} == {name: name for name in known}


def test_an_unknown_connector_is_refused_with_those_that_are_installed() -> None:
    with pytest.raises(UsageError, match=r"no connector is called 'friendster' \(installed: .*mastodon.*\)"):
        find("friendster")


def test_every_url_form_that_is_advertised_is_recognised_by_its_connector_alone() -> None:
    for name, connector in installed().items():
        assert [recognise(url, Settings()).platform for url in connector.url_forms] == [name] * len(connector.url_forms)


def test_blanks_around_a_pasted_url_do_no_harm() -> None:
    url = "https://mastodon.social/@Gargron/109294719267373593"

    post = recognise(f"  {url}\n", Settings())

    assert post == Post(platform="mastodon", native_id="109294719267373593", realm="mastodon:mastodon.social", url=url)


@pytest.mark.parametrize("url", ["", "hello", "https://example.org/", "ftp://mastodon.social/@a/109294719267373593"])
def test_an_unknown_url_is_refused_with_where_the_known_ones_are_listed(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        recognise(url, Settings())

    assert repr(url) in str(refused.value)
    assert "harvester connectors list" in str(refused.value)


def test_a_link_to_a_known_site_that_is_no_post_is_refused_with_the_forms_of_that_site() -> None:
    with pytest.raises(UsageError, match="the bluesky connector does not know the URL") as refused:
        recognise("https://bsky.app/profile/alice.example", Settings())

    assert ", ".join(installed()["bluesky"].url_forms) in str(refused.value)


def test_several_connectors_are_opened_once_each_and_closed_together(installation) -> None:
    with ExitStack() as stack:
        platforms = open_platforms(installation(), ["mastodon", "bluesky", "mastodon"], stack)

        assert {name: platform.connector.name for name, platform in platforms.items()} == {
            "bluesky": "bluesky",
            "mastodon": "mastodon",
        }


def test_a_session_asks_for_the_largest_page_unless_told_otherwise(installation) -> None:
    post = recognise("https://mastodon.social/@Gargron/109294719267373593", Settings())
    platform = open_platform(installation(), "mastodon")

    assert (platform.session(post).page_size, platform.session(post, page_size=7).page_size) == (80, 7)


@pytest.mark.parametrize("budget", ["fast", "300", 300, "300/15m"])
def test_a_budget_that_cannot_be_read_names_its_key(installation, budget: object) -> None:
    with pytest.raises(ConfigError, match=r"^connectors\.mastodon\.budget: .*write requests/time"):
        open_platform(installation(mastodon={"budget": budget}), "mastodon")


@pytest.mark.parametrize("budget", ["off", "1/s", str(Budget.parse("300/15min"))])
def test_a_budget_may_be_overridden_or_switched_off(installation, budget: str) -> None:
    assert open_platform(installation(mastodon={"budget": budget}), "mastodon").connector.name == "mastodon"


@pytest.mark.parametrize(
    "section",
    [
        {"tokns": {"social.example": PASSWORD}},
        {"tokens": PASSWORD},
        {"tokens": [PASSWORD]},
        {"tokens": {"social.example": [PASSWORD]}},
        {"tokens": {"social.example": f"{PASSWORD}\nand a second line"}},
        {"tokens": f'{{"social.example": "{PASSWORD}"'},
    ],
)
def test_a_wrong_section_is_one_line_that_shows_no_secret(installation, section: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^connectors\.mastodon: [^\n]+$") as refused:
        open_platform(installation(mastodon=section), "mastodon")

    assert "hunter2" not in str(refused.value)


def test_a_table_may_come_as_json_from_the_environment(installation) -> None:
    section = {"tokens": '{"social.example": "a-token"}'}

    assert open_platform(installation(mastodon=section), "mastodon").connector.name == "mastodon"


def test_a_section_for_a_connector_that_is_not_installed_is_refused() -> None:
    with pytest.raises(UsageError, match="no connector is called 'mastodn'"):
        check_settings(Settings(connectors={"mastodn": {}}))
