"""What Pinterest says in ways of its own, one test a quirk."""

from datetime import UTC, datetime

import pytest

from connectors.pinterest import Pinterest
from harvester.connector import ContractBroken, Count, GrantFacts
from harvester.kit.replay import always, open_connector, recognise, session

POST = recognise(Pinterest, "https://www.pinterest.com/pin/813744226420795884/")


def count_of(**fields: object) -> Count:
    connector = open_connector(Pinterest, {"token": "REDACTED"})
    with session(connector, POST, always({"id": POST.native_id, **fields})) as http:
        return connector.fetch_counts(http, [POST])[0]


@pytest.mark.parametrize("metrics", [None, {}, {"90d": {"reaction": 5}}, {"lifetime_metrics": {"save": 5}}])
def test_reactions_that_are_not_told_for_the_pins_lifetime_are_not_zero(metrics: object) -> None:
    assert count_of(pin_metrics=metrics).likes is None


def test_zero_is_told_by_pinterest() -> None:
    assert count_of(pin_metrics={"lifetime_metrics": {"reaction": 0}}).likes == 0


@pytest.mark.parametrize("written", ["2026-05-20T08:30:00", "2026-05-20T08:30:00Z", "2026-05-20T09:30:00+01:00"])
def test_a_time_without_a_zone_is_utc(written: str) -> None:
    assert count_of(created_at=written).published_at == datetime(2026, 5, 20, 8, 30, tzinfo=UTC)


def test_an_answer_about_another_pin_is_not_counted() -> None:
    with pytest.raises(ContractBroken, match="813744226420795884"):
        count_of(id="1")


def test_the_grant_is_known_by_the_accounts_name() -> None:
    connector = open_connector(Pinterest, {"token": "REDACTED"})
    with session(connector, POST, always({"username": "brand", "account_type": "BUSINESS"})) as http:
        assert connector.fetch_grant(http) == GrantFacts(account="brand")


@pytest.mark.parametrize(
    "url",
    [
        "https://www.pinterest.com/brand/board/",
        "https://www.pinterest.com/pin/create/button/?url=https%3A%2F%2Fa.example",
        "https://www.pinterest.com/pin/AaBbCcDd/",
        "https://www.pinterest.example/pin/813744226420795884/",
        "https://pinterest.com.evil.example/pin/813744226420795884/",
        "https://pin.it/",
        "https://www.pin.it/4vwU5dJ",
    ],
)
def test_a_link_that_only_looks_like_a_pin_is_none(url: str) -> None:
    assert Pinterest.recognise(url) is None
