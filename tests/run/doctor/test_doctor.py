"""What an examination finds: of the installation on both databases, and of credentials in front of real servers."""

import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import tzdata

from harvester.clock import time_zone
from harvester.collect.grants import keep_new_grant
from harvester.collect.oauth import Tokens as Granted
from harvester.config import load_settings
from harvester.connector import Secret
from harvester.contest.campaigns import NewCampaign, add_campaign
from harvester.rehearsal import Kind, OAuthServer, SimulatedPlatform, Threads, Tiktok, Tokens, World
from harvester.rehearsal.faults import Fail
from harvester.rehearsal.oauth import META, TIKTOK
from harvester.run.doctor.doctor import examine, time_zones
from harvester.run.doctor.findings import Finding, Health
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.keys import MasterKey, create_key_files
from harvester.store.kinds import SweepOutcome
from harvester.store.models import Night, Settlement
from tests.factories import Clock, Contest

SCOPES = ("user.info.basic", "video.list")


@dataclass(frozen=True, kw_only=True)
class Clinic:
    """An installation under examination."""

    config: Path
    database: Database
    clock: Clock

    @property
    def at(self) -> Installation:
        settings = load_settings(self.config)
        return Installation(
            database=self.database, settings=settings, master=MasterKey.load(settings.keys), now=self.clock
        )

    def write(self, *lines: str) -> None:
        """Add lines to the configuration."""
        with self.config.open("a") as file:
            file.write("\n".join(lines) + "\n")

    def connect(self, name: str, platform: SimulatedPlatform, *lines: str) -> None:
        """Configure a connector that asks a simulated platform."""
        self.write(f"[connectors.{name}]", f"api = '{platform.origin}'", *lines)

    def examined(self, **options: Any) -> tuple[Finding, ...]:
        chosen = {"every_connector": False, "offline": False, "now": self.clock, "sleep": lambda _: None} | options
        return examine(self.config, **chosen)

    def found(self, about: str, **options: Any) -> list[tuple[Health, str, str]]:
        findings = [finding for finding in self.examined(**options) if finding.about == about]
        return [(finding.health, finding.what, finding.remedy) for finding in findings]


@pytest.fixture
def clinic(database: Database, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    monkeypatch.setenv("HARVESTER_DATABASE__URL", database.url.render_as_string(hide_password=False))
    if database.is_sqlite:
        monkeypatch.setenv("HARVESTER_DATABASE__URL", f"sqlite:///{database.url.database}")
    config = tmp_path / "config.toml"
    config.write_text("[http]\nallow_private_hosts = true\n")
    create_key_files(load_settings(config).keys)
    return Clinic(config=config, database=database, clock=clock)


@pytest.fixture
def serve(clock: Clock) -> Iterator[Callable[..., SimulatedPlatform]]:
    with ExitStack() as stack:

        def start(*handlers: Any, tokens: Tokens | None = None) -> SimulatedPlatform:
            return stack.enter_context(SimulatedPlatform(World(clock), *handlers, tokens=tokens))

        yield start


@pytest.fixture
def granted(clinic: Clinic, serve: Callable[..., SimulatedPlatform], clock: Clock) -> Callable[..., SimulatedPlatform]:
    """Store a grant of Tiktok's, as a login would."""

    def grant(
        *, refresh: str | None = "simulated-refresh", life: timedelta = timedelta(hours=2), scopes: Any = SCOPES
    ) -> SimulatedPlatform:
        oauth = OAuthServer(Tokens(clock), TIKTOK)
        platform = serve(Tiktok(), oauth, tokens=oauth.tokens)
        (clinic.config.parent / "secret").write_text("simulated-secret")
        app = ("client_id = 'simulated-client'", "client_secret_file = 'secret'")
        clinic.connect("tiktok", platform, *app, f"oauth_server = '{platform.origin}'")
        oauth.tokens.accept("simulated-access", clock.at + life)
        tokens = Granted(
            access=Secret("simulated-access"),
            refresh=Secret(refresh) if refresh else None,
            scopes=scopes,
            expires_at=clock.at + life,
        )
        keep_new_grant(clinic.at, "tiktok", tokens)
        return platform

    return grant


# The installation


def test_a_sound_installation_is_all_well(clinic: Clinic) -> None:
    found = clinic.examined()

    assert {finding.about for finding in found if finding.health is Health.OK} >= {
        "configuration",
        "signing key",
        "database and master key",
    }
    assert not [finding for finding in found if finding.health is Health.FAIL]


def test_a_wrong_configuration_ends_the_examination(clinic: Clinic) -> None:
    clinic.write("[http2]")

    [finding] = clinic.examined()

    assert (finding.about, finding.health) == ("configuration", Health.FAIL)
    assert "unknown key http2" in finding.what


def test_a_key_that_others_can_read_fails(clinic: Clinic) -> None:
    signing, master = (clinic.config.parent / "keys" / name for name in ("signing.key", "master.key"))
    signing.chmod(0o644)
    assert clinic.found("signing key") == [
        (Health.FAIL, f"{signing} can be read by others", f"run chmod 600 {signing}")
    ]

    master.chmod(0o640)
    [(health, what, _)] = clinic.found("database and master key")
    assert (health, what) == (Health.FAIL, f"{master} can be read by others: run chmod 600 {master}")


@pytest.mark.parametrize(("key", "about"), [("signing", "signing key"), ("master", "database and master key")])
def test_a_key_that_one_may_not_even_look_for_fails_without_a_traceback(clinic: Clinic, key: str, about: str) -> None:
    name = "x" * 300  # to root, whose tests these may be, nothing is forbidden
    clinic.write("[keys]", f"{key}_file = '{name}'")

    [(health, what, remedy)] = clinic.found(about)

    assert (health, what) == (Health.FAIL, f"{clinic.config.parent / name} cannot be looked at: file name too long")
    assert remedy == "let the user who runs harvester enter its folder"


# Alerts


@pytest.fixture
def told(clinic: Clinic) -> Callable[..., Path]:
    """Write the file of addresses."""

    def write(*urls: str, mode: int = 0o600) -> Path:
        file = clinic.config.parent / "alerts.urls"
        file.write_text("\n".join(urls))
        file.chmod(mode)
        clinic.write("[alerts]", "urls_file = 'alerts.urls'")
        return file

    return write


def test_addresses_that_are_understood_are_counted(clinic: Clinic, told: Callable[..., Path]) -> None:
    told("\ufeffjson://me:hunter2@one.example", "json://two.example")

    assert clinic.found("alerts") == [
        (Health.OK, "addresses understood: 2; 'harvester alerts test' tries them", ""),
    ]


def test_an_address_that_is_not_understood_fails(clinic: Clinic, told: Callable[..., Path]) -> None:
    told("json://one.example", "nosuch://hunter2@x")

    (failed, what, _), (understood, *_) = clinic.found("alerts")

    assert (failed, understood) == (Health.FAIL, Health.OK)
    assert what.startswith("address 2 (nosuch://…) is not an address that Apprise understands")


def test_without_an_address_only_an_installation_with_a_contest_is_warned(clinic: Clinic, request: Any) -> None:
    assert clinic.found("alerts") == []

    request.getfixturevalue("open_contest")
    assert clinic.found("alerts") == [
        (Health.WARN, "nobody is told what is wrong", "name Apprise URLs in alerts.urls_file")
    ]


def test_addresses_that_others_can_read_are_warned_of(clinic: Clinic, told: Callable[..., Path]) -> None:
    file = told("json://one.example", mode=0o640)

    assert clinic.found("alerts")[1:] == [
        (Health.WARN, f"{file} can be read by others, and holds secrets", f"run chmod 600 {file}")
    ]


def test_a_missing_signing_key_is_a_warning(clinic: Clinic) -> None:
    (clinic.config.parent / "keys" / "signing.key").unlink()

    [(health, _, remedy)] = clinic.found("signing key")

    assert (health, remedy) == (Health.WARN, "run 'harvester init'")


def test_a_master_key_of_another_installation_fails(clinic: Clinic, contest: Contest) -> None:
    [(health, what, _)] = clinic.found("database and master key")

    assert health is Health.FAIL
    assert "another master key made it" in what


def test_an_empty_database_fails(clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_DATABASE__URL", f"sqlite:///{tmp_path}/other.db")

    [(health, what, _)] = clinic.found("database and master key")

    assert health is Health.FAIL
    assert what.endswith("is empty: run 'harvester init'")


def test_a_database_that_cannot_be_reached_fails(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_DATABASE__URL", "postgresql+psycopg://harvester:hunter2@127.0.0.1:1/harvester")

    [(health, what, _)] = clinic.found("database and master key")

    assert health is Health.FAIL
    assert "hunter2" not in what


def test_time_zones_of_long_ago_are_warned_of(clinic: Clinic) -> None:
    [(health, what, remedy)] = clinic.found("time zones", now=lambda: datetime(2040, 1, 1, tzinfo=UTC))

    assert health is Health.WARN
    assert what == f"release {tzdata.IANA_VERSION} may be more than a year old"
    assert "tzdata" in remedy


@pytest.mark.parametrize(
    ("release", "now", "health"),
    [
        ("2026a", datetime(2027, 1, 1, tzinfo=UTC), Health.OK),
        ("2026a", datetime(2027, 1, 2, tzinfo=UTC), Health.WARN),
        ("2026f", datetime(2027, 6, 1, tzinfo=UTC), Health.OK),
        ("2026f", datetime(2027, 6, 2, tzinfo=UTC), Health.WARN),
        ("2026u", datetime(2027, 12, 1, tzinfo=UTC), Health.OK),
        ("newest", datetime(2027, 6, 1, tzinfo=UTC), Health.WARN),
    ],
)
def test_a_release_is_dated_by_its_letter(
    monkeypatch: pytest.MonkeyPatch, release: str, now: datetime, health: Health
) -> None:
    monkeypatch.setattr(tzdata, "IANA_VERSION", release)

    assert time_zones(now).health is health


@pytest.fixture
def zones_of_the_system(tmp_path: Path) -> Iterator[Callable[[bytes], None]]:
    """Give the machine rules of its own for Casablanca."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(tmp_path / "zones")])

    def install(rules: bytes) -> None:
        file = tmp_path / "zones" / "Africa" / "Casablanca"
        file.parent.mkdir(parents=True)
        file.write_bytes(rules)

    yield install
    zoneinfo.reset_tzpath(before)


@pytest.mark.parametrize(("name", "differs"), [("Casablanca", False), ("Lagos", True)])
def test_a_machine_with_other_clock_changes_during_a_contest_is_warned_of(
    clinic: Clinic, open_contest: Any, zones_of_the_system: Callable[[bytes], None], name: str, differs: bool
) -> None:
    assert len(clinic.found("time zones")) == 1, "a machine without zones has nothing that differs"
    zones_of_the_system(files("tzdata").joinpath("zoneinfo", "Africa", name).read_bytes())

    found = clinic.found("time zones")[1:]

    what = "this machine has other clock changes for Africa/Casablanca during afcon than the package tzdata"
    assert found == ([(Health.WARN, what, "upgrade the older of the two; the contest follows the package")] * differs)


@pytest.fixture
def open_contest(clinic: Clinic, clock: Clock) -> int:
    """A contest of this installation; its number."""
    times = {"starts_at": clock(), "ends_at": clock() + timedelta(days=30), "zone": time_zone("Africa/Casablanca")}
    with clinic.database.writing() as session:
        new = NewCampaign(slug="afcon", name="AFCON", **times)
        return add_campaign(session, clinic.at.master, new, author="test", now=clock()).id


def test_without_an_open_contest_no_night_is_missed(clinic: Clinic, open_contest: int, clock: Clock) -> None:
    assert clinic.found("nightly") == [
        (Health.WARN, "the nightly has not run yet", "see 'harvester deploy cron'"),
    ]
    with clinic.database.writing() as session:
        session.add(Settlement(campaign_id=open_contest, settled_at=clock(), author="test", likes=0, bytes=0))

    assert clinic.found("nightly") == []


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        (35, (Health.OK, "it ran at 2027-01-21 20:00 UTC", "")),
        (36, (Health.WARN, "the nightly has not run since 2027-01-21 20:00 UTC", "see 'harvester deploy cron'")),
    ],
)
def test_a_nightly_that_does_not_run_is_warned_of(
    clinic: Clinic, open_contest: int, clock: Clock, hours: int, found: Any
) -> None:
    for ended_at in (clock() - timedelta(days=1), clock()):
        with clinic.database.writing() as session:
            session.add(Night(started_at=ended_at, ended_at=ended_at, outcome=SweepOutcome.COMPLETE, summary="{}"))
    clock.forward(hours=hours)

    assert clinic.found("nightly") == [found]


# Which connectors


def test_connectors_that_are_configured_or_asked_for_are_examined(clinic: Clinic) -> None:
    clinic.write("[connectors.bluesky]")
    assert clinic.found("bluesky") == [(Health.OK, "needs no credential", "")]
    assert clinic.found("vimeo") == []

    assert clinic.found("vimeo", every_connector=True)[0][0] is Health.FAIL


# Credentials that a person sets


def test_a_missing_key_says_what_and_where(clinic: Clinic) -> None:
    clinic.write("[connectors.youtube]")

    [(health, what, remedy)] = clinic.found("youtube")

    assert health is Health.FAIL
    assert what == "connectors.youtube.api_key is not set: an API key of a project with YouTube Data API v3"
    assert remedy == "get it from https://console.cloud.google.com/apis/credentials"


def test_a_key_that_cannot_be_checked_cheaply_says_so(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2")
    clinic.write("[connectors.youtube]", "api_key_file = 'key'")

    assert clinic.found("youtube") == [
        (Health.OK, "api_key is set", ""),
        (Health.OK, "not checked: the platform has no cheap question that would tell", ""),
    ]


def test_a_token_that_is_refused_fails_and_is_not_shown(clinic: Clinic, serve, tmp_path: Path) -> None:
    platform = serve(Tiktok())
    (tmp_path / "token").write_text("hunter2")
    clinic.connect("tiktok", platform, "token_file = 'token'")

    found = clinic.found("tiktok")

    assert found == [
        (Health.OK, "token is set", ""),
        (
            Health.FAIL,
            "refused: TikTok says 'access_token_invalid'",
            "renew connectors.tiktok.token: get it from https://developers.tiktok.com/apps",
        ),
    ]


def test_a_wrong_setting_fails_by_its_name(clinic: Clinic) -> None:
    clinic.write("[connectors.linkedin_page]", "version = 'newest'")

    [(health, what, _)] = clinic.found("linkedin_page")

    assert (health, what) == (
        Health.FAIL,
        "connectors.linkedin_page: version is not a release such as 202609",
    )


# Grants


def test_without_a_grant_the_login_is_named(clinic: Clinic) -> None:
    clinic.write("[connectors.tiktok]", "client_id = '1'")

    [(health, what, remedy)] = clinic.found("tiktok")

    assert (health, what) == (Health.FAIL, "nobody has granted access, and no token is set")
    assert remedy.startswith("run 'harvester connectors login tiktok'; or set connectors.tiktok.token: ")


def test_a_key_that_is_enough_for_counts_makes_a_missing_grant_a_warning(clinic: Clinic, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2")
    clinic.write("[connectors.x]", "app_token_file = 'key'")

    assert [health for health, *_ in clinic.found("x")] == [Health.OK, Health.WARN]


def test_a_grant_that_works_is_all_well(clinic: Clinic, granted) -> None:
    granted()

    assert clinic.found("tiktok") == [
        (Health.OK, "access was granted on 2027-01-21", ""),
        (Health.OK, "accepted, as contest", ""),
        (Health.OK, "allows user.info.basic, video.list", ""),
        (Health.OK, "renewed by itself", ""),
    ]


def test_a_grant_that_was_taken_back_fails(clinic: Clinic, granted, clock: Clock) -> None:
    granted().revoke()
    clock.forward(minutes=2)

    assert clinic.found("tiktok")[1] == (
        Health.FAIL,
        "refused: 127.0.0.1/v2/oauth/token/ does not accept the grant (invalid_grant)",
        "run 'harvester connectors login tiktok'",
    )


def test_a_scope_that_was_not_granted_is_warned_of(clinic: Clinic, granted) -> None:
    granted(scopes=("user.info.basic",))

    assert (
        Health.WARN,
        "does not allow video.list",
        "run 'harvester connectors login tiktok'",
    ) in clinic.found("tiktok")


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (timedelta(days=8), (Health.OK, "valid until 2027-01-29 20:00 UTC", "")),
        (
            timedelta(days=6),
            (Health.WARN, "expires at 2027-01-27 20:00 UTC", "run 'harvester connectors login tiktok'"),
        ),
    ],
)
def test_a_grant_that_ends_soon_is_warned_of(clinic: Clinic, granted, left: timedelta, found: Any) -> None:
    granted(refresh=None, life=left)

    assert clinic.found("tiktok")[-1] == found


def test_how_soon_is_soon_is_what_alerts_go_by(clinic: Clinic, granted) -> None:
    granted(refresh=None, life=timedelta(days=8))
    clinic.write("[alerts]", "grant_days = 9")

    assert clinic.found("tiktok")[-1][0] is Health.WARN


def test_a_grant_that_has_ended_fails_offline_too(clinic: Clinic, granted, clock: Clock) -> None:
    platform = granted(refresh=None, life=timedelta(days=1))
    clock.forward(days=2)

    assert clinic.found("tiktok", offline=True)[-1][:2] == (Health.FAIL, "expired at 2027-01-22 20:00 UTC")
    assert platform.requests == []


def test_a_long_lived_grant_is_renewed_by_being_asked_in_its_last_week(clinic: Clinic, serve, clock: Clock) -> None:
    oauth = OAuthServer(Tokens(clock), META)
    platform = serve(Threads(), oauth, tokens=oauth.tokens)
    clinic.connect("threads", platform, f"oauth_server = '{platform.origin}'")
    oauth._long_lived["simulated-long"] = clock.at
    oauth.tokens.accept("simulated-long", clock.at + timedelta(days=60))
    keep_new_grant(
        clinic.at, "threads", Granted(access=Secret("simulated-long"), expires_at=clock.at + timedelta(days=60))
    )
    clock.forward(days=55)

    found = clinic.found("threads")

    assert (Health.OK, "valid until 2027-05-16 20:00 UTC", "") in found
    assert oauth.refreshes == 1


def test_a_platform_that_fails_now_is_a_warning(clinic: Clinic, granted) -> None:
    granted().faults.inject(Fail(status=503), on=Kind.GRANT, times=None)

    health, what, _ = clinic.found("tiktok")[1]

    assert health is Health.WARN
    assert what.startswith("could not be asked now: ")


def test_a_clock_that_is_wrong_is_warned_of(clinic: Clinic, granted, clock: Clock) -> None:
    granted()

    late = clinic.found("tiktok", now=lambda: clock.at + timedelta(minutes=3))
    fine = clinic.found("tiktok", now=lambda: clock.at + timedelta(seconds=30))

    wrong = (Health.WARN, "its clock and this machine's differ by 180 s", "let NTP set this machine's clock")
    assert wrong in late
    assert all(health is Health.OK for health, *_ in fine)


# Versions


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (datetime(2026, 5, 1, tzinfo=UTC), (Health.OK, "API version 202508 lasts until 2026-08-17")),
        (datetime(2026, 6, 1, tzinfo=UTC), (Health.WARN, "API version 202508 ends on 2026-08-17")),
        (datetime(2026, 9, 1, tzinfo=UTC), (Health.WARN, "API version 202508 ended on 2026-08-17")),
    ],
)
def test_a_version_that_ends_is_warned_of(clinic: Clinic, now: datetime, found: Any) -> None:
    clinic.write("[connectors.linkedin_page]", "version = '202508'")

    assert clinic.found("linkedin_page", now=lambda: now, offline=True)[-1][:2] == found


def test_no_secret_is_found_in_what_is_found(clinic: Clinic, granted) -> None:
    granted()

    assert "simulated" not in repr(clinic.examined())
