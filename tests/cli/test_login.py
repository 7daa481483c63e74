"""`harvester connectors login`: through a browser that really comes back, by hand, and every way it can end."""

import socket
import subprocess
import sys
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import httpx
import pytest

from harvester.rehearsal import Kind, OAuthServer, SimulatedPlatform, Threads, Tiktok, Tokens, World
from harvester.rehearsal.faults import Fail
from harvester.rehearsal.oauth import META, TIKTOK
from tests.cli.conftest import Clock, Run, Said

LOGIN = ("connectors", "login", "tiktok")
Browse = Callable[[str], None]


@pytest.fixture
def oauth(clock: Clock) -> OAuthServer:
    return OAuthServer(Tokens(clock), TIKTOK)


@pytest.fixture
def granting(
    world: World, home: Run, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimulatedPlatform]:
    """A platform that grants access to our app, which the settings name."""
    with SimulatedPlatform(world, Tiktok(), oauth, tokens=oauth.tokens) as platform:
        configure(monkeypatch, platform, "TIKTOK")
        yield platform


def configure(monkeypatch: pytest.MonkeyPatch, platform: SimulatedPlatform, name: str) -> None:
    section = {
        "CLIENT_ID": "simulated-client",
        "CLIENT_SECRET": "simulated-secret",
        "API": platform.origin,
        "OAUTH_SERVER": platform.origin,
    }
    monkeypatch.setenv("HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS", "true")
    for key, value in section.items():
        monkeypatch.setenv(f"HARVESTER_CONNECTORS__{name}__{key}", value)


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Browse], list[str]]]:
    """Put a browser on the desktop: it visits, in a thread of its own, the address it is opened with."""
    threads: list[Thread] = []

    def install(visit: Browse) -> list[str]:
        opened: list[str] = []

        def open_(url: str) -> bool:
            opened.append(url)
            threads.append(Thread(target=visit, args=(url,)))
            threads[-1].start()
            return True

        monkeypatch.setenv("DISPLAY", ":0")
        monkeypatch.setattr(webbrowser, "open", open_)
        return opened

    yield install
    for thread in threads:
        thread.join()


def visit(url: str) -> None:
    page = httpx.get(url, follow_redirects=True)
    assert "you can close this window" in page.text


def test_a_browser_that_comes_back_brings_a_grant(granting, run: Run, oauth: OAuthServer, browser) -> None:
    opened = browser(visit)

    said = run(*LOGIN)

    assert said.code == 0
    assert said.out == (
        "tiktok: access granted by contest, until 2027-01-21 22:00 UTC, then renewed by itself\n"
        "scopes: user.info.basic, video.list\n"
    )
    assert opened[0] in said.err
    assert f"redirect URI: {httpx.URL(opened[0]).params['redirect_uri']}" in said.err
    assert oauth.logins == 1


def test_a_grant_is_used_by_the_commands_that_follow(granting, run: Run, browser) -> None:
    browser(visit)
    run(*LOGIN)

    said = run("doctor")

    assert "ok   tiktok: access was granted by contest on 2027-01-21" in said.out
    assert "ok   tiktok: accepted, as contest" in said.out


def test_polls_go_on_when_the_token_has_ended(contest: Run, granting, clock: Clock, oauth, browser) -> None:
    browser(visit)
    assert contest(*LOGIN).code == 0
    post = granting.world.publish(Tiktok(), author="contest")
    assert contest("post", "add", "afcon", granting.url_of(post)).code == 0
    clock.forward(hours=3)
    for number in range(40):
        post.like(f"fan-{number}")

    said = contest("poll", "afcon", "--json")

    assert (said.code, said.facts["entries"][0]["credited"]) == (0, 40)
    assert oauth.refreshes == 1


def test_json_holds_facts_and_no_token(granting, run: Run, browser) -> None:
    browser(visit)

    said = run(*LOGIN, "--json")

    assert said.facts == {
        "connector": "tiktok",
        "account": "contest",
        "scopes": ["user.info.basic", "video.list"],
        "scopes_not_granted": [],
        "expires_at": "2027-01-21T22:00:00Z",
        "renews_itself": True,
    }
    assert "simulated-" not in said.out


def test_nothing_secret_is_printed(granting, run: Run, browser) -> None:
    browser(visit)

    said = run(*LOGIN)

    secrets = ("simulated-code", "simulated-access", "simulated-refresh", "simulated-secret", "verifier")
    assert [secret for secret in secrets if secret in said.out + said.err] == []


def test_the_port_can_be_chosen_so_that_an_app_can_know_it(granting, run: Run, browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    opened = browser(visit)

    assert run(*LOGIN, "--port", str(port)).code == 0
    assert httpx.URL(opened[0]).params["redirect_uri"] == f"http://127.0.0.1:{port}/callback"


def test_a_port_that_is_taken_is_one_line(granting, refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        line = refused(*LOGIN, "--port", str(port))

    assert line == f"port {port} of this machine cannot be listened on: address already in use"


def last_line(said: Said) -> str:
    """Give what was wrong, after the lines that invite a person."""
    assert said.out == ""
    return said.err.splitlines()[-1]


def test_a_person_who_says_no_is_one_line(granting, run: Run, oauth: OAuthServer, browser) -> None:
    oauth.denies = True
    browser(visit)

    said = run(*LOGIN)

    assert (said.code, last_line(said)) == (1, "harvester: access was not granted (access_denied)")


def test_a_browser_from_another_login_is_refused(granting, run: Run, oauth: OAuthServer, browser) -> None:
    def forge(url: str) -> None:
        httpx.get(httpx.URL(url).params["redirect_uri"], params={"code": "stolen", "state": "guessed"})

    browser(forge)

    said = run(*LOGIN)

    assert (said.code, oauth.logins) == (1, 0)
    assert last_line(said) == "harvester: the browser came back from another login than this one: begin again"


def test_other_pages_and_idle_connections_do_no_harm(granting, run: Run, browser) -> None:
    def wander(url: str) -> None:
        back = httpx.URL(httpx.URL(url).params["redirect_uri"])
        with socket.create_connection((back.host, back.port or 0)):
            assert httpx.get(back.copy_with(path="/favicon.ico")).status_code == 404
            visit(url)

    browser(wander)

    assert run(*LOGIN).code == 0


def test_a_browser_that_never_comes_back_is_one_line(granting, run: Run, browser) -> None:
    browser(lambda _: None)

    said = run(*LOGIN, "--wait", "1")

    assert (said.code, last_line(said)) == (
        1,
        "harvester: the browser did not come back within 1 seconds: try --manual",
    )


def test_a_grant_that_the_platform_does_not_honour_is_said(granting, run: Run, browser) -> None:
    granting.faults.inject(Fail(status=403), on=Kind.GRANT, about="/v2/user/info/")
    browser(visit)

    said = run(*LOGIN)

    assert said.code == 1
    assert "the grant is stored, but the platform did not say whose it is: " in last_line(said)


# By hand


@pytest.fixture
def manual(folder: Path, granting) -> Callable[..., Said]:
    """Run the real command in a process of its own, and paste what a person makes of the address it shows."""

    def run(paste: Callable[[str], str], *options: str) -> Said:
        command = [sys.executable, "-c", "from harvester.cli.main import main; main()", *LOGIN, "--manual", *options]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, text=True, cwd=folder, **pipes) as process:
            assert process.stderr
            lines = iter(process.stderr.readline, "")
            address = next(line.strip() for line in lines if line.startswith("http"))
            out, err = process.communicate(paste(address) + "\n", timeout=60)
        return Said(code=process.returncode, out=out, err=err)

    return run


def ended_at(url: str) -> str:
    """Give the address a browser ends at, where nothing answers."""
    return httpx.get(url).headers["location"]


def code_at(url: str) -> str:
    return httpx.URL(ended_at(url)).params["code"]


@pytest.mark.parametrize("paste", [ended_at, code_at, lambda url: f"  {code_at(url)}#_ "])
def test_what_the_browser_ended_at_can_be_pasted(manual, oauth: OAuthServer, paste: Callable[[str], str]) -> None:
    said = manual(paste)

    assert said.code == 0, said.err
    assert said.out.startswith("tiktok: access granted by contest, until ")
    assert oauth.logins == 1


def test_an_app_may_have_a_public_redirect_address(manual) -> None:
    public = "https://operator.example/harvester?from=tiktok"

    said = manual(ended_at, "--redirect", public)

    assert said.code == 0, said.err


def test_a_pasted_address_of_another_login_is_refused(manual, oauth: OAuthServer) -> None:
    said = manual(lambda url: "http://127.0.0.1:8765/callback?code=stolen&state=guessed")

    assert (said.code, oauth.logins) == (1, 0)
    assert "came back from another login" in said.err


def test_a_pasted_code_that_is_none_is_refused_without_repeating_it(manual) -> None:
    said = manual(lambda url: "not-a-code")

    assert said.code == 1
    assert "does not accept the grant (invalid_grant)" in said.err
    assert "not-a-code" not in said.err


def test_nothing_pasted_is_one_line(manual) -> None:
    assert manual(lambda url: "").err.endswith("harvester: nothing was pasted: begin again\n")


# What a login needs, and who needs none


def test_a_login_without_an_app_says_what_is_missing_and_where_to_get_it(home: Run, refused) -> None:
    line = refused(*LOGIN)

    assert line.startswith("connectors.tiktok.client_id is not set: the id of your app on the platform; get it from ")


def test_a_login_without_proof_needs_the_apps_secret(home: Run, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_CONNECTORS__THREADS__CLIENT_ID", "1")

    assert refused("connectors", "login", "threads").startswith("connectors.threads.client_secret is not set: ")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("youtube", "youtube has no login: set connectors.youtube.api_key, an API key of a project with "),
        ("mastodon", "mastodon has no login: it needs nothing more"),
        ("friendster", "no connector is called 'friendster'"),
    ],
)
def test_a_connector_without_a_login_says_what_it_needs_instead(home: Run, refused, name: str, says: str) -> None:
    assert refused("connectors", "login", name).startswith(says)


def test_a_token_that_would_be_used_instead_is_pointed_out(granting, refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_CONNECTORS__TIKTOK__TOKEN", "hunter2")

    line = refused(*LOGIN)

    assert line == "connectors.tiktok.token is set and used instead of a login: take it out first"


def test_a_redirect_without_the_manual_way_is_refused(granting, refused) -> None:
    assert "--manual" in refused(*LOGIN, "--redirect", "https://operator.example/")


def test_a_first_token_is_exchanged_for_a_long_lived_one(
    world: World, home: Run, clock: Clock, browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    oauth = OAuthServer(Tokens(clock), META)
    browser(visit)
    with SimulatedPlatform(world, Threads(), oauth, tokens=oauth.tokens) as platform:
        configure(monkeypatch, platform, "THREADS")

        said = home("connectors", "login", "threads")

    assert (said.code, said.out.splitlines()[0]) == (
        0,
        "threads: access granted by contest, until 2027-03-22 20:00 UTC, then renewed by itself",
    )
