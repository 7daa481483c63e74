"""Settings: the example is the truth, a mistake is one line that names its key, and no line ever shows a secret."""

import os
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from harvester.collect.registry import installed
from harvester.config import Settings, load_settings
from harvester.errors import ConfigError

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"
PASSWORD = "hunter2-of-the-database"


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in [name for name in os.environ if name.startswith("HARVESTER_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Write a configuration file."""

    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path: Path | None, says: str) -> str:
    """Load settings that are wrong, and give the one line that says why."""
    with pytest.raises(ConfigError, match=says) as error:
        load_settings(path)
    message = str(error.value)
    assert "\n" not in message
    assert "hunter2" not in message
    return message


# The example


def test_the_example_loads_as_it_stands_and_says_the_defaults(tmp_path: Path) -> None:
    shutil.copy(EXAMPLE, tmp_path / "config.toml")

    assert load_settings(tmp_path / "config.toml") == load_settings(None)


def test_the_example_explains_every_key() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    missing = [
        f"{section}.{key}"
        for section, model in _sections().items()
        for key in model.model_fields
        if not re.search(rf"(?m)^(# )?{key} = |HARVESTER_{section}__{key}\b".replace("keys", "KEYS"), text)
        and f"HARVESTER_{section}__{key}".upper() not in text
    ]

    assert missing == []
    assert [f"[{section}]" for section in _sections() if f"\n[{section}]\n" not in text] == []


def test_every_key_of_the_example_stands_below_words_that_explain_it() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    bare = [line for before, line in pairwise(lines) if " = " in line and before.startswith("[")]

    assert bare == []


@pytest.mark.parametrize("name", sorted(installed()))
def test_a_section_of_its_own_is_accepted_for_every_connector(name: str, written) -> None:
    path = written(f'[connectors.{name}]\nbudget = "off"\n')

    assert load_settings(path).connectors == {name: {"budget": "off"}}


def _sections() -> dict[str, type[BaseModel]]:
    sections = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {name: kind for name, kind in sections.items() if isinstance(kind, type) and issubclass(kind, BaseModel)}


# What is refused


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[http]\ncontct = 'me'\n", r"unknown key http\.contct \(known here: .*contact.*\)"),
        ("[htp]\ncontact = 'me'\n", r"unknown key htp \(known here: .*http.*\)"),
        ("contact = 'me'\n", r"unknown key contact \(known here: .*http.*\)"),
        ("http = 'me'\n", r"http: expected a table$"),
        ("[http]\nattempts = true\n", r"http\.attempts: expected a number, not true or false$"),
        ("[alerts]\ngap_percent = true\n", r"alerts\.gap_percent: expected a number, not true or false$"),
        ("[alerts]\nurls_file = 5\n", r"alerts\.urls_file: expected the path of a file$"),
        ("[schedule]\ntimezone = 'Mars'\n", r"schedule\.timezone: 'Mars' is not an IANA time zone"),
        (
            "[schedule]\nshortest_interval_seconds = 100\nlongest_interval_seconds = 60\n",
            r"schedule: shortest_interval_seconds \(100\) is more than longest_interval_seconds \(60\)$",
        ),
        ("[http]\nattempts = 'often'\n", r"http\.attempts: "),
        ("[http]\nattempts = 0\n", r"http\.attempts: .*greater than or equal to 1"),
        ("[http]\nread_seconds = 0\n", r"http\.read_seconds: .*greater than 0"),
        ("[http]\nread_seconds = nan\n", r"http\.read_seconds: "),
        ("[http]\nlongest_wait_seconds = nan\n", r"http\.longest_wait_seconds: "),
        ("[http]\nallow_private_hosts = 'perhaps'\n", r"http\.allow_private_hosts: "),
        ("[sweep]\nthreads = 1.5\n", r"sweep\.threads: "),
        ("[privacy]\nhandle_days = -1\n", r"privacy\.handle_days: "),
        ("[connectors]\nmastodon = 'off'\n", r"connectors\.mastodon: "),
        ("http = [\n", r"config\.toml is not TOML: "),
        ("[http]\n[http]\n", r"config\.toml is not TOML: "),
    ],
)
def test_a_mistake_in_the_file_names_its_key(written, text: str, says: str) -> None:
    assert "config.toml" in refused(written(text), says)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9464", "*:9464", ":9464", "127.0.0.1", "127.0.0.1:0x1", "127.0.0.1:65536", "a b:1"]
)
def test_what_is_no_address_to_listen_on_is_refused_with_the_form_of_one(written, address: str) -> None:
    refused(written(f"[daemon]\nlisten = '{address}'\n"), r"daemon\.listen: '.*' is not HOST:PORT, such as 127")


@pytest.mark.parametrize("address", ["", "localhost:0", "0.0.0.0:9464", "[::1]:9464", "::1:9464", "db-1.example:80"])
def test_an_address_to_listen_on_is_accepted(written, address: str) -> None:
    assert load_settings(written(f"[daemon]\nlisten = '{address}'\n")).daemon.listen == address


def test_a_mark_that_editors_put_before_a_text_is_harmless(written, tmp_path: Path) -> None:
    (tmp_path / "urls").write_text("\ufeffjson://one.example\n")

    alerts = load_settings(written("\ufeff[alerts]\nurls_file = 'urls'\n")).alerts

    assert [url.get_secret_value() for url in alerts.urls] == ["json://one.example"]
    assert alerts.urls_file == tmp_path / "urls"


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    refused(tmp_path / "config.toml", r"there is no configuration file .*config\.toml: run 'harvester init' first")


def test_a_folder_and_a_file_that_is_not_text_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(b"\xff\xfe[http]")

    refused(tmp_path, "cannot be read: is a directory")
    refused(tmp_path / "config.toml", "cannot be read: it is not UTF-8 text")


# The environment


def test_the_environment_wins_over_the_file_key_by_key(written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_HTTP__CONTACT", "environment")

    http = load_settings(written("[http]\ncontact = 'file'\nattempts = 7\n")).http

    assert (http.contact, http.attempts) == ("environment", 7)


def test_a_connector_is_set_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_CONNECTORS__MASTODON__BUDGET", "off")

    assert load_settings(None).connectors == {"mastodon": {"budget": "off"}}


@pytest.mark.parametrize("variable", ["HARVESTER_HTP__CONTACT", "HARVESTER_HTTPS__CONTACT", "HARVESTER___CONTACT"])
def test_a_misspelt_section_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, PASSWORD)

    refused(None, rf"environment: {variable} names no section \(sections: .*http.*\)")


@pytest.mark.parametrize("variable", ["HARVESTER_HTTP__CONTCT", "HARVESTER_DATABASE__URI"])
def test_a_misspelt_key_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, PASSWORD)

    refused(None, f"^environment: {variable}: unknown key")


@pytest.mark.parametrize("variable", ["HARVESTER_DATABASE_URL", "HARVESTER_HTTP_CONTACT", "HARVESTER_KEYS_MASTER"])
def test_a_single_underscore_after_the_section_is_refused_not_ignored(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The likeliest slip of all: the contest would quietly run on another database."""
    monkeypatch.setenv(variable, PASSWORD)

    refused(None, variable)


@pytest.mark.parametrize("variable", ["HARVESTER_CONFIG", "HARVESTER_AUTHOR"])
def test_variables_of_the_command_line_are_no_settings(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "x")

    assert load_settings(None).http.contact == ""


@pytest.mark.parametrize(
    "variable",
    ["HARVESTER_HTTP__ATTEMPTS", "HARVESTER_KEYS__MASTER__X", "HARVESTER_HTTP", "HARVESTER_CONNECTORS"],
)
def test_a_wrong_value_in_the_environment_is_one_line_without_it(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, PASSWORD)

    refused(None, f"^environment: {variable}: (input should be|expected a table in JSON)")


def test_what_the_environment_gives_is_not_blamed_on_the_file(written, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written("[http]\nattempts = 7\n[schedule]\nlongest_interval_seconds = 60\n")
    for variable, value in {
        "HARVESTER_HTTP__ATTEMPTS": "often",
        "HARVESTER_HTTP": '{"attempts": 0}',
        "HARVESTER_SCHEDULE__SHORTEST_INTERVAL_SECONDS": "100",
    }.items():
        with monkeypatch.context() as patch:
            patch.setenv("HARVESTER_HTTP__CONTACT", "me")
            patch.setenv("HARVESTER_SCHEDULE__NIGHTLY", "04:00")
            patch.setenv(variable, value)
            assert "config.toml" not in refused(path, f"^environment: {variable}: ")


def test_what_the_file_gives_is_not_blamed_on_the_environment(written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_HTTP", '{"contact": "me"}')
    monkeypatch.setenv("HARVESTER_SCHEDULE__NIGHTLY", "04:00")

    refused(written("[http]\nattempts = 0\n"), r"config\.toml: http\.attempts: ")
    refused(written("[schedule]\nlongest_interval_seconds = 1\n"), r"config\.toml: schedule: ")


# Secrets


@pytest.mark.parametrize(
    "text",
    [
        f"[keys]\nmaster = '{PASSWORD}'\n",
        f"[connectors.mastodon]\ntoken = '{PASSWORD}'\n",
        f"[connectors.mastodon.tokens]\n'social.example' = '{PASSWORD}'\n",
        f"[connectors.other]\nclient_secret = '{PASSWORD}'\n",
        f"[connectors.other]\napi_key = '{PASSWORD}'\n",
        f"[alerts]\nurls = ['json://me:{PASSWORD}@hooks.example']\n",
        f"[database]\nurl = 'postgresql+psycopg://me:{PASSWORD}@db.example/harvester'\n",
        f"[database]\nurl = 'postgresql+psycopg://me:{PASSWORD}/%40@db.example/harvester'\n",
        f"[database]\nurl = 'postgresql+psycopg://db.example/harvester?user=me&password={PASSWORD}'\n",
    ],
)
def test_a_secret_in_the_file_is_refused(written, text: str) -> None:
    refused(written(text), r"config\.toml: .* is a secret: (give it as HARVESTER_|put it in a file)")


def test_a_refused_table_of_tokens_names_the_key_that_works(written) -> None:
    path = written("[connectors.mastodon.tokens]\n'social.example' = 'hunter2'\n")

    message = refused(path, "is a secret")

    assert "connectors.mastodon.tokens_file" in message
    assert "SOCIAL__EXAMPLE" not in message


def test_a_database_url_without_a_password_may_stand_in_the_file(written) -> None:
    url = "postgresql+psycopg://harvester@db.example:5432/harvester"

    assert load_settings(written(f"[database]\nurl = '{url}'\n")).database.url == url


def test_secrets_are_read_from_the_files_that_are_named(written, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"postgresql+psycopg://me:{PASSWORD}@db.example/harvester\n")
    (tmp_path / "token").write_text("  a-token \n")
    path = written(
        "[database]\nurl_file = 'url'\n"
        "[connectors.mastodon.tokens_file]\n'social.example' = 'token'\n"
        "[connectors.other]\napi_key_file = 'token'\n"
    )

    settings = load_settings(path)

    assert settings.database.url == f"postgresql+psycopg://me:{PASSWORD}@db.example/harvester"
    assert settings.connectors == {
        "mastodon": {"tokens": {"social.example": "a-token"}},
        "other": {"api_key": "a-token"},
    }


@pytest.mark.parametrize(
    "text",
    [
        "[database]\nurl_file = 'nowhere'\n",
        "[connectors.mastodon.tokens_file]\n'social.example' = 'nowhere'\n",
        "[alerts]\nurls_file = 'nowhere'\n",
        "[connectors.other]\napi_key_file = 'nowhere'\n",
    ],
)
def test_a_missing_secret_file_is_one_line_that_names_it(written, text: str) -> None:
    key = r"(database\.url|connectors\.mastodon\.tokens|alerts\.urls|connectors\.other\.api_key)_file"
    says = r"the file that it names cannot be read: no such file or directory; expected the path of a file$"

    refused(written(text), rf"^{key}(\.social\.example)?: {says}")


@pytest.mark.parametrize("key", ["[connectors.other]\napi_key_file", "[alerts]\nurls_file", "[database]\nurl_file"])
@pytest.mark.parametrize(
    ("value", "says"),
    [
        (PASSWORD, "the file that it names cannot be read: no such file or directory"),
        (PASSWORD * 20, "the file that it names cannot be read: file name too long"),
        (f"json://me:{PASSWORD}@hooks.example", "expected the path of a file, not the address itself"),
    ],
)
def test_a_secret_in_the_place_of_its_file_is_not_shown(written, key: str, value: str, says: str) -> None:
    refused(written(f"{key} = '{value}'\n"), says)


def test_the_master_key_of_the_environment_does_not_show_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_KEYS__MASTER", PASSWORD)

    settings = load_settings(None)

    assert settings.keys.master is not None
    assert settings.keys.master.get_secret_value() == PASSWORD
    assert "hunter2" not in repr(settings)


def test_the_addresses_of_alerts_come_from_the_environment_and_a_file_and_do_not_show_themselves(
    written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "urls").write_text(f"# the night shift\njson://{PASSWORD}@one.example\n\n json://two.example \n")
    monkeypatch.setenv("HARVESTER_ALERTS__URLS", f'["json://{PASSWORD}@three.example"]')

    alerts = load_settings(written("[alerts]\nurls_file = 'urls'\n")).alerts

    assert [url.get_secret_value() for url in alerts.urls] == [
        f"json://{PASSWORD}@three.example",
        f"json://{PASSWORD}@one.example",
        "json://two.example",
    ]
    assert "hunter2" not in repr(alerts)


@pytest.mark.parametrize("value", [PASSWORD, f"json://me:{PASSWORD}@hooks.example", f'[["{PASSWORD}"]]'])
def test_a_wrong_list_of_addresses_is_one_line_without_them(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("HARVESTER_ALERTS__URLS", value)

    refused(
        None, "^environment: HARVESTER_ALERTS__URLS: (expected a list in JSON, such as '\\[\"mailto://|input should be)"
    )


# Paths


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("database.url", "sqlite:///data/a.db", "sqlite:///{folder}/data/a.db"),
        ("database.url", "sqlite:////srv/a.db", "sqlite:////srv/a.db"),
        ("keys.master_file", "k/master", "{folder}/k/master"),
        ("keys.master_file", "/srv/master", "/srv/master"),
        ("keys.signing_file", "k/signing", "{folder}/k/signing"),
    ],
)
def test_a_relative_path_is_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: str, expected: str
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    section, name = key.split(".")
    (folder / "config.toml").write_text(f"[{section}]\n{name} = '{value}'\n")
    monkeypatch.chdir(folder.parent)

    settings: Any = load_settings(Path("etc/config.toml"))

    assert str(getattr(getattr(settings, section), name)) == expected.format(folder=folder)
