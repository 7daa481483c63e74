"""What the insights and links of Threads do that a recording cannot hold."""

import pytest

from connectors.threads import Threads
from harvester.connector import ContractBroken, Count, GrantFacts
from harvester.kit.replay import always, open_connector, recognise, session

POST = recognise(Threads, "https://www.threads.com/@example/post/C8abcdefghi")


def count_of(body: object) -> Count:
    connector = open_connector(Threads, {"token": "t"})
    with session(connector, POST, always(body)) as http:
        (count,) = connector.fetch_counts(http, [POST])
    return count


def test_another_metric_is_not_taken_for_likes() -> None:
    views, likes = {"name": "views", "values": [{"value": 900}]}, {"name": "likes", "values": [{"value": 7}]}
    assert count_of({"data": [views, likes]}).likes == 7
    assert count_of({"data": [views]}).likes is None


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": [{"values": [{"value": 7}]}]}])
def test_an_answer_that_lists_no_metrics_is_not_zero_likes(body: object) -> None:
    with pytest.raises(ContractBroken, match="insights"):
        count_of(body)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.threads.com/@example",
        "https://www.threads.com/@example/replies",
        "https://www.threads.com/example/post/C8abcdefghi",
        "https://www.threads.com/@example/post/C8abcdefghi/media",
        "https://threads.com.evil.example/t/C8abcdefghi",
    ],
)
def test_what_is_no_post_is_not_recognised(url: str) -> None:
    assert Threads.recognise(url) is None


def test_a_grant_is_shown_by_its_accounts_name() -> None:
    connector = open_connector(Threads, {"token": "t"})
    with session(connector, POST, always({"username": "example"})) as http:
        assert connector.fetch_grant(http) == GrantFacts(account="example")
