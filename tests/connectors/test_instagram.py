"""What Instagram's links and settings do that a recording cannot hold."""

import pytest

from connectors.instagram import Instagram
from harvester.connector import GrantFacts, GrantLost, Post
from harvester.kit.replay import always, open_connector, recognise, session

POST = recognise(Instagram, "https://www.instagram.com/p/CRyZpmrjYC4/")


@pytest.mark.parametrize(
    "url",
    [
        "https://www.instagram.com/some.one/",
        "https://www.instagram.com/stories/some.one/3141592653589793238/",
        "https://www.instagram.com/reels/audio/271828182845904/",
        "https://www.instagram.com/share/p/BAbCdEfGhI/",  # another code, which no list of media holds
        "https://www.instagram.com/p/CRyZpmrjYC4/comments/",
        "https://www.instagram.com/explore/tags/tablet/",
        "https://instagram.com.evil.example/p/CRyZpmrjYC4/",
    ],
)
def test_what_is_no_post_is_not_recognised(url: str) -> None:
    assert Instagram.recognise(url) is None


def test_a_post_that_has_its_id_is_found_by_it_again() -> None:
    connector, post = (
        open_connector(Instagram, {"token": "t"}),
        Post(platform="instagram", native_id="17896129349106152", realm="instagram", url=POST.url),
    )
    with session(connector, post, always({"data": [{"id": post.native_id, "shortcode": "CRyZpmrjYC4"}]})) as http:
        assert connector.locate(http, post) == post


def test_without_a_token_the_grant_that_a_person_gave_signs() -> None:
    connector = open_connector(Instagram, {"client_id": "1"})
    with session(connector, POST, always({})) as http, pytest.raises(GrantLost, match="nobody has granted access yet"):
        connector.fetch_counts(http, [POST])


def test_a_grant_is_shown_by_its_accounts_name() -> None:
    connector = open_connector(Instagram, {"token": "t"})
    with session(connector, POST, always({"username": "example", "id": "1"})) as http:
        assert connector.fetch_grant(http) == GrantFacts(account="example")


@pytest.mark.parametrize("account", ["", "example", "me/media", "1?x"])
def test_an_account_that_is_no_number_is_refused(account: str) -> None:
    with pytest.raises(ValueError, match="account_id is neither me nor the number"):
        open_connector(Instagram, {"account_id": account})
