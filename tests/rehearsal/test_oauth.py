"""The simulated OAuth server: codes, proofs, rotation, long-lived tokens, and platforms that accept what it grants."""

import threading
from base64 import urlsafe_b64encode
from contextlib import ExitStack
from datetime import timedelta
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from harvester.connector import Pkce
from harvester.rehearsal import GrantRules, Kind, OAuthServer, SimulatedPlatform, Threads, Tiktok, Tokens
from harvester.rehearsal.faults import Break
from harvester.rehearsal.oauth import META, ROTATING, TIKTOK
from harvester.rehearsal.wire import Delivery

VERIFIER = "a-verifier-of-at-least-forty-three-characters-1"
PROOF = sha256(VERIFIER.encode())
CHALLENGES = {
    Pkce.S256: urlsafe_b64encode(PROOF.digest()).decode().rstrip("="),
    Pkce.HEX: PROOF.hexdigest(),
    Pkce.NONE: "",
}
BACK = "http://127.0.0.1:1234/back"
APP = {"client_id": "simulated-client", "client_key": "simulated-client", "client_secret": "simulated-secret"}


class Visitor:
    """Walks through a login as a browser and an app do."""

    def __init__(self, client: httpx.Client, platform: SimulatedPlatform, oauth: OAuthServer) -> None:
        self.client, self.platform, self.oauth = client, platform, oauth

    def visit(self, **changes: str) -> dict[str, str]:
        """Give what the browser comes back with."""
        challenge = {"code_challenge": CHALLENGES[self.oauth.rules.pkce], "code_challenge_method": "S256"}
        asked = {"response_type": "code", "redirect_uri": BACK, "scope": "likes", "state": "s", **APP, **challenge}
        answer = self.client.get(f"{self.platform.origin}/oauth/authorize", params=asked | changes)
        assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, BACK)
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}

    def token(self, **fields: str) -> httpx.Response:
        return self.client.post(f"{self.platform.origin}/v2/oauth/token/", data=APP | fields)

    def exchange(self, code: str, **changes: str) -> httpx.Response:
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return self.token(**fields | changes)

    def refresh(self, token: str) -> httpx.Response:
        return self.token(grant_type="refresh_token", refresh_token=token)

    def login(self) -> dict[str, str]:
        return self.exchange(self.visit()["code"]).raise_for_status().json()

    def renew(self, path: str, grant_type: str, token: str) -> httpx.Response:
        asked = {"grant_type": grant_type, "client_secret": "simulated-secret", "access_token": token}
        return self.client.get(f"{self.platform.origin}/{path}", params=asked)


@pytest.fixture
def served(world, client):
    with ExitStack() as open_platforms:

        def serve(rules: GrantRules, *dialects: Tiktok | Threads) -> Visitor:
            oauth = OAuthServer(Tokens(world.now), rules)
            platform = SimulatedPlatform(world, *dialects, oauth, tokens=oauth.tokens)
            return Visitor(client, open_platforms.enter_context(platform), oauth)

        yield serve


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("rules", [ROTATING, TIKTOK, META, GrantRules(client_id_field="client_key")])
def test_a_login_gives_a_token_that_lives_as_long_as_it_says(served, rules, clock):
    visitor = served(rules)

    granted = visitor.login()
    accepted = [visitor.oauth.tokens.accepts(granted["access_token"])]
    clock.forward(seconds=granted["expires_in"])

    assert [*accepted, visitor.oauth.tokens.accepts(granted["access_token"])] == [True, False]
    assert (granted["scope"], "refresh_token" in granted, visitor.oauth.logins) == (
        "likes",
        rules.refresh_life is not None,
        1,
    )


def test_the_browser_comes_back_with_the_state_it_left_with_or_a_refusal(served):
    visitor = served(ROTATING)
    granted = visitor.visit()
    visitor.oauth.denies = True

    assert (granted.keys(), granted["state"]) == ({"code", "state"}, "s")
    assert visitor.visit() == {"error": "access_denied", "state": "s"}
    assert visitor.visit(code_challenge_method="plain")["error"] == "invalid_request"


def test_an_unknown_app_is_sent_nowhere(served, client):
    origin = served(ROTATING).platform.origin

    answer = client.get(f"{origin}/oauth/authorize", params={"client_id": "other", "redirect_uri": BACK})

    assert (answer.status_code, "Location" in answer.headers) == (400, False)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "another"}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:9/"}, "invalid_grant"),
        ({"client_secret": "another"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_worth_nothing_without_its_proof_its_address_and_its_app(served, changes, error):
    visitor = served(ROTATING)

    assert told(visitor.exchange(visitor.visit()["code"], **changes)) == (400, error)


def test_a_code_works_once_and_for_ten_minutes(served, clock):
    visitor = served(ROTATING)
    used, late = visitor.visit()["code"], visitor.visit()["code"]
    visitor.exchange(used).raise_for_status()
    clock.forward(minutes=10)

    assert [told(visitor.exchange(code)) for code in (used, late)] == [(400, "invalid_grant")] * 2


def test_the_challenge_of_one_platform_does_not_fit_another(served):
    visitor = served(TIKTOK)

    code = visitor.visit(code_challenge=CHALLENGES[Pkce.S256])["code"]

    assert told(visitor.exchange(code)) == (400, "invalid_grant")


def test_an_app_may_name_itself_in_a_basic_header(served, client):
    visitor = served(ROTATING)
    fields = {"grant_type": "authorization_code", "code": visitor.visit()["code"], "redirect_uri": BACK}
    fields["code_verifier"] = VERIFIER

    answer = client.post(f"{visitor.platform.origin}/token", data=fields, auth=(APP["client_id"], APP["client_secret"]))

    assert answer.status_code == 200


def test_a_refresh_token_works_once_and_gives_the_next(served):
    visitor = served(ROTATING)
    first = visitor.login()["refresh_token"]

    second = visitor.refresh(first).json()["refresh_token"]
    reused, third = visitor.refresh(first), visitor.refresh(second)

    assert (told(reused), third.status_code) == ((400, "invalid_grant"), 200)
    assert (visitor.oauth.refreshes, visitor.oauth.refusals) == (2, 1)


def test_without_rotation_one_refresh_token_serves_for_ever(served):
    visitor = served(GrantRules(rotates=False))
    first = visitor.login()["refresh_token"]

    answers = [visitor.refresh(first).json() for _ in range(2)]

    assert ["refresh_token" in answer for answer in answers] == [False, False]


def test_of_two_that_refresh_at_once_one_succeeds(served):
    visitor = served(ROTATING)
    token, start, statuses = visitor.login()["refresh_token"], threading.Barrier(2), []

    def refresh() -> None:
        start.wait()
        statuses.append(visitor.refresh(token).status_code)

    threads = [threading.Thread(target=refresh) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [200, 400]


def test_who_loses_the_answer_to_a_refresh_has_lost_the_grant(served):
    visitor = served(ROTATING)
    token = visitor.login()["refresh_token"]
    visitor.platform.faults.inject(Break(delivery=Delivery.RESET_BEFORE), on=Kind.GRANT)

    with pytest.raises(httpx.ReadError):
        visitor.refresh(token)

    assert told(visitor.refresh(token)) == (400, "invalid_grant")


def test_a_long_lived_token_is_exchanged_for_and_renewed_when_a_day_old(served, clock):
    visitor = served(META)
    short = visitor.login()["access_token"]
    long = visitor.renew("access_token", "th_exchange_token", short).json()
    too_early = visitor.renew("refresh_access_token", "th_refresh_token", long["access_token"])
    clock.forward(days=1)

    renewed = visitor.renew("refresh_access_token", "th_refresh_token", long["access_token"]).json()
    expired = visitor.renew("access_token", "th_exchange_token", short)

    assert too_early.json()["error"]["code"] == 10
    assert (renewed["expires_in"], renewed["access_token"] != long["access_token"]) == (60 * 86_400, True)
    assert (expired.json()["error"]["code"], visitor.oauth.refreshes) == (190, 1)


def test_a_platform_accepts_what_was_granted_until_it_expires_or_is_taken_back(served, client, clock):
    visitor = served(TIKTOK, Tiktok())
    url = f"{visitor.platform.origin}/v2/user/info/?fields=display_name"

    def status(token: str) -> int:
        return client.get(url, headers={"Authorization": f"Bearer {token}"}).status_code

    granted = visitor.login()
    before = status(granted["access_token"])
    clock.forward(seconds=timedelta(hours=2).total_seconds())
    late = status(granted["access_token"])
    fresh = visitor.refresh(granted["refresh_token"]).json()
    again = status(fresh["access_token"])
    visitor.oauth.revoke()

    assert (before, late, again, status(fresh["access_token"])) == (200, 401, 200, 401)
    assert told(visitor.refresh(fresh["refresh_token"])) == (400, "invalid_grant")
