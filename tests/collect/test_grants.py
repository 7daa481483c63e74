"""Grants: logged in to, kept sealed, renewed once for everybody, and never shown; on both databases, over real HTTP."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from harvester.collect.grants import Grant, keep_new_grant, name_account, read_grant
from harvester.collect.oauth import GrantServer, Login, code_in
from harvester.collect.oauth import Tokens as Granted
from harvester.collect.registry import grant_server, open_platform, read_settings
from harvester.config import Settings
from harvester.connector import ContractBroken, GrantLost, Refused, Secret, Throttled, Unstable
from harvester.errors import ConfigError
from harvester.rehearsal import GrantRules, Kind, OAuthServer, SimulatedPlatform, Threads, Tiktok, Tokens, World
from harvester.rehearsal.faults import Fail, Reset, Say, Throttle
from harvester.rehearsal.oauth import META, TIKTOK
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
from harvester.store.models import StoredGrant
from tests.factories import Clock

REDIRECT = "http://127.0.0.1:8765/callback"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedTiktok(Tiktok):
    """Notes each token it is shown, and what `look` sees at that moment."""

    look: list[Callable[[], Any]] = field(default_factory=list, compare=False)
    shown: list[tuple[str | None, Any]] = field(default_factory=list, compare=False)

    def admit(self, request: Any, tokens: Tokens) -> None:
        self.shown.extend((request.bearer, look()) for look in self.look)
        Tiktok.admit(self, request, tokens)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An installation beside a platform that grants access."""

    at: Installation
    platform: SimulatedPlatform
    oauth: OAuthServer
    name: str = "tiktok"

    @property
    def server(self) -> GrantServer:
        platform = open_platform(self.at, self.name)
        with platform.client:
            server = grant_server(self.at, platform.connector, read_settings(self.at.settings, self.name))
        assert server
        return server

    def browse(self, login: Login) -> str:
        """Do what a browser does at the platform; give where it is sent."""
        return httpx.get(login.url).headers["location"]

    def log_in(self) -> Grant:
        login = self.server.begin(REDIRECT)
        keep_new_grant(self.at, self.name, self.server.redeem(login, code_in(self.browse(login), login)))
        return self.grant

    @property
    def grant(self) -> Grant:
        grant = read_grant(self.at, self.name)
        assert grant
        return grant

    def ask(self) -> str:
        """Ask the platform whose the grant is, with the grant."""
        platform: Any = open_platform(self.at, self.name)
        with platform.client:
            return str(platform.connector.fetch_grant(platform.session()).account)


@pytest.fixture
def make_scene(database: Database, clock: Clock) -> Iterator[Callable[..., Scene]]:
    with ExitStack() as stack:
        world = World(clock)

        def make(rules: GrantRules = TIKTOK, dialect: Any = None, name: str = "tiktok", **section: Any) -> Scene:
            oauth = OAuthServer(Tokens(clock), rules)
            dialect = dialect or WatchedTiktok()
            platform = stack.enter_context(SimulatedPlatform(world, dialect, oauth, tokens=oauth.tokens))
            settings = {
                "client_id": rules.client_id,
                "client_secret": rules.client_secret,
                "oauth_server": platform.origin,
                "api": platform.origin,
            }
            at = Installation(
                database=database,
                settings=Settings(http={"allow_private_hosts": True}, connectors={name: settings | section}),
                master=MasterKey(Fernet.generate_key().decode(), "the test"),
                now=clock,
                sleep=lambda seconds: time.sleep(seconds / 10),
            )
            return Scene(at=at, platform=platform, oauth=oauth, name=name)

        yield make


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    return make_scene()


def together(number: int, act: Callable[[], Any]) -> list[Any]:
    """Let some threads act at one moment; give what each got."""
    barrier, got = Barrier(number), []

    def run() -> None:
        barrier.wait()
        got.append(act())

    threads = [Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


# Logging in


def test_a_login_is_proven_and_its_grant_stored(scene: Scene, clock: Clock) -> None:
    grant = scene.log_in()

    assert scene.oauth.logins == 1
    assert grant.tokens.scopes == ("user.info.basic", "video.list")
    assert (grant.version, grant.tokens.expires_at) == (1, clock.at + timedelta(hours=2))
    assert scene.ask() == "contest"


def test_the_address_speaks_the_platforms_own_dialect_of_oauth(scene: Scene) -> None:
    asked = httpx.URL(scene.server.begin(REDIRECT).url)

    assert str(asked).startswith(f"{scene.platform.origin}/v2/auth/authorize/?")
    assert dict(asked.params) == {
        "response_type": "code",
        "client_key": "simulated-client",
        "redirect_uri": REDIRECT,
        "scope": "user.info.basic,video.list",
        "state": asked.params["state"],
        "code_challenge": asked.params["code_challenge"],
        "code_challenge_method": "S256",
    }
    assert len(bytes.fromhex(asked.params["code_challenge"])) == 32


def test_a_code_without_the_verifier_of_its_login_is_refused(scene: Scene) -> None:
    mine, other = scene.server.begin(REDIRECT), scene.server.begin(REDIRECT)

    with pytest.raises(GrantLost, match=r"does not accept the grant \(invalid_grant\)"):
        scene.server.redeem(replace(mine, verifier=other.verifier), code_in(scene.browse(mine), mine))


@pytest.mark.parametrize("state", ["state=another&", "", "state=é&"])
def test_an_address_of_another_login_is_refused(scene: Scene, state: str) -> None:
    with pytest.raises(Refused, match="another login"):
        code_in(f"{REDIRECT}?{state}code=stolen", scene.server.begin(REDIRECT))


def test_a_person_who_says_no_is_understood(scene: Scene) -> None:
    scene.oauth.denies = True
    login = scene.server.begin(REDIRECT)

    with pytest.raises(Refused, match=r"access was not granted \(access_denied\)"):
        code_in(scene.browse(login), login)


def test_an_app_that_is_named_in_a_header_is_known(make_scene: Callable[..., Scene]) -> None:
    rules = GrantRules(client_id_field="nowhere in the body")
    scene = make_scene(rules, name="x")
    login = scene.server.begin(REDIRECT)
    code = code_in(scene.browse(replace(login, url=login.url.replace("client_id=", "nowhere+in+the+body="))), login)

    assert scene.server.redeem(login, code).refresh


def test_another_login_takes_the_place_of_the_grant_before(scene: Scene) -> None:
    first = scene.log_in()
    name_account(scene.at, "tiktok", "somebody")

    second = scene.log_in()

    assert (first.version, second.version, second.account) == (1, 2, "")


def test_a_stand_in_that_is_no_server_is_a_wrong_setting(make_scene: Callable[..., Scene]) -> None:
    with pytest.raises(ConfigError, match=r"connectors\.tiktok: oauth_server is not a server's address"):
        open_platform(make_scene(oauth_server="127.0.0.1").at, "tiktok")


# Renewing


def test_a_token_is_renewed_before_it_ends_and_the_refresh_token_rotates(scene: Scene, clock: Clock) -> None:
    before = scene.log_in()
    clock.forward(hours=1, minutes=54)
    assert (scene.ask(), scene.oauth.refreshes) == ("contest", 0)

    clock.forward(minutes=1)
    assert (scene.ask(), scene.oauth.refreshes) == ("contest", 1)

    after = scene.grant
    assert before.tokens.refresh
    assert after.tokens.refresh
    assert before.tokens.refresh.reveal() != after.tokens.refresh.reveal()
    assert (after.version, after.renewed_at, after.granted_at) == (2, clock.at, before.granted_at)
    assert after.tokens.scopes == before.tokens.scopes


def test_a_refresh_token_that_stays_is_kept(make_scene: Callable[..., Scene], clock: Clock) -> None:
    scene = make_scene(replace(TIKTOK, rotates=False))
    scene.oauth.rules = TIKTOK
    before = scene.log_in()
    scene.oauth.rules = replace(TIKTOK, rotates=False)

    for _ in range(2):
        clock.forward(hours=3)
        assert scene.ask() == "contest"

    assert before.tokens.refresh
    assert scene.grant.tokens.refresh
    assert scene.grant.tokens.refresh.reveal() == before.tokens.refresh.reveal()


def test_a_token_that_the_platform_refuses_is_renewed_once_and_the_request_repeated(scene: Scene, clock: Clock) -> None:
    scene.log_in()
    scene.oauth.tokens.revoke()
    clock.forward(minutes=2)

    assert scene.ask() == "contest"

    assert scene.oauth.refreshes == 1


def test_a_new_token_that_is_refused_too_is_not_renewed_again(scene: Scene, clock: Clock) -> None:
    scene.log_in()
    clock.forward(minutes=2)
    scene.platform.faults.inject(Fail(status=401), on=Kind.GRANT, about="/v2/user/info/", times=None)

    for _ in range(3):
        with pytest.raises(GrantLost, match="run 'harvester connectors login tiktok'"):
            scene.ask()

    assert scene.oauth.refreshes == 1


def test_a_refused_renewal_says_what_a_person_must_do(scene: Scene, clock: Clock) -> None:
    scene.log_in()
    scene.oauth.revoke()
    clock.forward(hours=3)

    with pytest.raises(GrantLost) as lost:
        scene.ask()

    host = httpx.URL(scene.platform.origin).host
    assert str(lost.value) == (
        f"{host}/v2/oauth/token/ does not accept the grant (invalid_grant); run 'harvester connectors login tiktok'"
    )


def test_without_a_grant_the_same_is_said(scene: Scene) -> None:
    with pytest.raises(GrantLost, match="nobody has granted access yet; run 'harvester connectors login tiktok'"):
        scene.ask()


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fail(status=503), Unstable),
        (Say(body=b"<html>", status=200, content_type="text/html"), ContractBroken),
        (Throttle(reset=Reset.RETRY_AFTER_SECONDS, pause=timedelta(hours=1)), Throttled),
    ],
)
def test_a_renewal_that_fails_loses_nothing(scene: Scene, clock: Clock, fault: Any, outcome: type) -> None:
    before = scene.log_in()
    clock.forward(hours=3)
    scene.platform.faults.inject(fault, on=Kind.GRANT, about="/v2/oauth/token/")

    with pytest.raises(outcome):
        scene.ask()

    assert scene.grant.version == before.version
    assert scene.ask() == "contest"


def test_while_a_token_is_still_good_a_failed_renewal_is_only_a_warning(
    scene: Scene, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    scene.log_in()
    clock.forward(hours=1, minutes=57)
    scene.platform.faults.inject(Fail(status=503), on=Kind.GRANT, about="/v2/oauth/token/")

    assert scene.ask() == "contest"

    assert "the grant of tiktok is not renewed yet" in caplog.text
    assert scene.grant.version == 1


def test_a_token_of_unknown_life_is_used_until_it_is_refused(scene: Scene, clock: Clock) -> None:
    answer = b'{"access_token": "eternal", "refresh_token": "again"}'
    scene.platform.faults.inject(Say(body=answer, status=200), on=Kind.GRANT, about="/v2/oauth/token/")
    scene.oauth.tokens.accept("eternal")
    grant = scene.log_in()

    clock.forward(days=4000)

    assert grant.tokens.expires_at is None
    assert (scene.ask(), scene.oauth.refreshes) == ("contest", 0)


def test_a_long_lived_token_renews_itself_a_week_before_its_end(make_scene: Callable[..., Scene], clock: Clock) -> None:
    scene = make_scene(META, dialect=Threads(), name="threads")
    grant = scene.log_in()
    assert (grant.tokens.refresh, grant.tokens.expires_at) == (None, clock.at + timedelta(days=60))

    clock.forward(days=52)
    assert (scene.ask(), scene.oauth.refreshes) == ("contest", 0)
    clock.forward(days=1)
    assert (scene.ask(), scene.oauth.refreshes) == ("contest", 1)

    assert scene.grant.tokens.expires_at == clock.at + timedelta(days=60)
    assert scene.grant.tokens.scopes == ("threads_basic", "threads_manage_insights")


def test_a_long_lived_token_that_is_too_young_to_renew_is_used(make_scene: Callable[..., Scene], clock: Clock) -> None:
    scene = make_scene(replace(META, long_life=timedelta(hours=30)), dialect=Threads(), name="threads")
    scene.log_in()
    clock.forward(hours=16)

    assert (scene.ask(), scene.oauth.refusals) == ("contest", 1)


# Together


def test_threads_that_share_a_connector_renew_once(scene: Scene, clock: Clock) -> None:
    scene.log_in()
    clock.forward(hours=3)
    platform: Any = open_platform(scene.at, "tiktok")

    with platform.client:
        got = together(8, lambda: platform.connector.fetch_grant(platform.session()).account)

    assert (got, scene.oauth.refreshes, scene.oauth.refusals) == (["contest"] * 8, 1, 0)


def test_connectors_that_share_a_grant_renew_once(scene: Scene, clock: Clock) -> None:
    scene.log_in()
    clock.forward(hours=3)

    assert together(6, scene.ask) == ["contest"] * 6
    assert (scene.oauth.refreshes, scene.oauth.refusals, scene.grant.version) == (1, 0, 2)


def test_a_refusal_that_many_meet_is_renewed_once(scene: Scene, clock: Clock) -> None:
    scene.log_in()
    scene.oauth.tokens.revoke()
    clock.forward(minutes=2)

    assert together(6, scene.ask) == ["contest"] * 6
    assert (scene.oauth.refreshes, scene.oauth.refusals) == (1, 0)


_PROCESS = """
import json, sys
from datetime import datetime
from harvester.collect.registry import open_platform
from harvester.config import Settings
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey
asked = json.loads(sys.stdin.readline())
at = Installation(
    database=Database(asked["database"]),
    settings=Settings(http={"allow_private_hosts": True}, connectors=asked["connectors"]),
    master=MasterKey(asked["key"], "the test"),
    now=lambda: datetime.fromisoformat(asked["now"]),
)
platform = open_platform(at, "tiktok")
print("ready", flush=True)
sys.stdin.readline()
print(platform.connector.fetch_grant(platform.session()).account, flush=True)
"""


def test_two_processes_renew_once_and_both_go_on(make_scene: Callable[..., Scene], clock: Clock) -> None:
    scene = make_scene()
    key = Fernet.generate_key().decode()
    scene = replace(scene, at=replace(scene.at, master=MasterKey(key, "the test")))
    scene.log_in()
    clock.forward(hours=3)
    asked = {
        "database": scene.at.database.url.render_as_string(hide_password=False),
        "connectors": scene.at.settings.connectors,
        "key": key,
        "now": clock.at.isoformat(),
    }
    command = [sys.executable, "-c", _PROCESS]
    with ExitStack() as stack:
        both = [
            stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for _ in range(2)
        ]
        for one in both:
            assert one.stdin
            assert one.stdout
            print(json.dumps(asked), file=one.stdin, flush=True)
            assert one.stdout.readline() == "ready\n"
        for one in both:
            print("go", file=one.stdin, flush=True)
        said = [one.communicate(timeout=60)[0] for one in both]

    assert said == ["contest\n", "contest\n"]
    assert (scene.oauth.refreshes, scene.oauth.refusals, scene.grant.version) == (1, 0, 2)


def test_a_lock_that_is_never_let_go_ends_the_wait(scene: Scene, clock: Clock) -> None:
    scene.log_in()
    clock.forward(hours=3)
    impatient = replace(scene, at=replace(scene.at, sleep=lambda _: None))

    with scene.at.database.lock("grant-tiktok"), pytest.raises(Unstable, match="another process has been renewing"):
        impatient.ask()

    assert scene.oauth.refreshes == 0


# Safe, and silent


def test_the_platform_sees_a_new_token_only_after_it_is_stored(make_scene: Callable[..., Scene], clock: Clock) -> None:
    dialect = WatchedTiktok()
    scene = make_scene(dialect=dialect)
    dialect.look.append(lambda: scene.grant)
    scene.log_in()
    clock.forward(hours=3)

    scene.ask()

    [(shown, stored)] = dialect.shown
    assert shown == stored.tokens.access.reveal()
    assert stored.version == 2


def test_a_process_that_dies_between_the_answer_and_the_commit_has_lost_the_grant_and_says_so(
    scene: Scene, clock: Clock
) -> None:
    scene.server.renew(scene.log_in().tokens)
    clock.forward(hours=3)

    with pytest.raises(GrantLost, match=r"\(invalid_grant\); run 'harvester connectors login tiktok'"):
        scene.ask()


def test_no_token_code_or_secret_is_ever_said(
    scene: Scene, clock: Clock, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    login = scene.server.begin(REDIRECT)
    tokens = scene.server.redeem(login, code_in(scene.browse(login), login))
    keep_new_grant(scene.at, "tiktok", tokens)
    first = scene.grant
    clock.forward(hours=3)
    scene.ask()
    said = [repr((login, tokens, first, scene.grant, scene.server, open_platform(scene.at, "tiktok")))]
    scene.oauth.revoke()
    clock.forward(hours=3)
    with pytest.raises(GrantLost) as lost:
        scene.ask()
    said += [str(lost.value), repr(lost.value), *capsys.readouterr()]
    said += [record.getMessage() for record in caplog.records if record.name.startswith("harvester")]
    said += [record.getMessage() for record in caplog.records if "token" in record.getMessage()]

    secrets = ["simulated-secret", "simulated-code", "simulated-access", "simulated-refresh"]
    secrets += [login.state.reveal(), login.verifier.reveal()]
    assert [secret for secret in secrets for text in said if secret in text] == []


def test_the_database_holds_no_token_in_the_clear(scene: Scene) -> None:
    scene.log_in()

    with scene.at.database.reading() as session:
        row = session.get_one(StoredGrant, "tiktok")

    assert b"simulated" not in row.box
    assert "simulated" not in repr(row.model_dump(exclude={"box"}))


def test_a_grant_that_another_master_key_sealed_asks_for_another_login(scene: Scene) -> None:
    scene.log_in()
    moved = replace(scene, at=replace(scene.at, master=MasterKey(Fernet.generate_key().decode(), "the safe")))

    with pytest.raises(
        GrantLost, match=r"the key in the safe does not open the grant of tiktok.*connectors login tiktok"
    ):
        moved.ask()

    moved.log_in()
    assert moved.ask() == "contest"


def test_a_refusal_that_is_about_a_post_renews_nothing(make_scene: Callable[..., Scene], clock: Clock) -> None:
    body = b'{"code": 7, "message": "Not authorized to access board or Pin."}'
    scene = make_scene(GrantRules(), name="pinterest")
    keep_new_grant(scene.at, "pinterest", Granted(access=Secret("any"), refresh=Secret("other")))
    clock.forward(minutes=2)
    scene.platform.faults.inject(Say(body=body, status=401), on=Kind.GRANT, times=None)
    platform: Any = open_platform(scene.at, "pinterest")

    with platform.client, pytest.raises(Refused, match="does not show this pin"):
        platform.session().get(f"{scene.platform.origin}/v2/user/info/", auth=platform.client.grant)

    assert scene.grant.version == 1


@pytest.mark.parametrize("life", [b'"soon"', b"1e400", b"[]"])
def test_an_answer_that_cannot_be_read_is_no_grant(scene: Scene, life: bytes) -> None:
    body = b'{"access_token": "simulated-access", "expires_in": ' + life + b"}"
    scene.platform.faults.inject(Say(body=body, status=200), on=Kind.GRANT, about="/v2/oauth/token/")

    with pytest.raises(ContractBroken) as broken:
        scene.log_in()

    assert "simulated-access" not in str(broken.value)
    assert read_grant(scene.at, "tiktok") is None


def test_an_answer_of_200_may_say_that_it_refused(make_scene: Callable[..., Scene], clock: Clock) -> None:
    scene = make_scene(replace(TIKTOK, error_status=200))
    scene.log_in()
    scene.oauth.revoke()
    clock.forward(hours=3)

    with pytest.raises(GrantLost, match="invalid_grant"):
        scene.ask()
