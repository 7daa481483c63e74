"""Whatever is wrong with what was typed or with the installation: one line, the right exit code, no traceback."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from harvester.collect.registry import installed

ADD = ("campaign", "add", "other", "--name", "Other", "--start", "2027-03-01", "--end", "2027-04-01")
POST = "https://mastodon.social/@Gargron/109294719267373593"
Refused = Callable[..., str]


def changed(arguments: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    assert old in arguments
    return tuple(new if argument == old else argument for argument in arguments)


# What was typed


@pytest.mark.parametrize("command", [("post", "add", "afcon"), ("try",)])
def test_an_unknown_url_is_answered_with_where_the_known_ones_are_listed(contest, refused: Refused, command) -> None:
    line = refused(*command, "https://friendster.example/42")

    assert "no connector knows the URL 'https://friendster.example/42'" in line
    assert "harvester connectors list" in line


@pytest.mark.parametrize("command", [("post", "add", "afcon"), ("try",)])
def test_a_link_to_a_known_site_that_is_no_post_is_answered_with_that_sites_forms(contest, refused, command) -> None:
    line = refused(*command, "https://bsky.app/profile/alice.example")

    assert "the bluesky connector does not know the URL" in line
    assert ", ".join(installed()["bluesky"].url_forms) in line


def test_nothing_is_added_when_one_of_the_urls_is_unknown(contest, platform, publish, refused: Refused) -> None:
    refused("post", "add", "afcon", platform.url_of(publish(1)), "https://friendster.example/42")

    assert (contest("post", "list", "afcon", "--json").facts, platform.requests) == ([], [])


def test_a_post_that_is_gone_is_one_line(contest, platform, publish, refused: Refused) -> None:
    post = publish(1)
    post.remove()

    line = refused("post", "add", "afcon", platform.url_of(post), code=1)

    assert platform.url_of(post) in line
    assert "does not know this post (HTTP 404)" in line


def test_a_private_url_without_permission_is_refused(contest, refused: Refused) -> None:
    line = refused("post", "add", "afcon", "http://192.168.1.1/@contest/109294719267373593")

    assert line.startswith("192.168.1.1 is a private address: set http.allow_private_hosts = true")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("2027-04-01", "2027-02-01", "campaign 'other' would end 2027-02-01 00:00, "),
        ("2027-04-01", "2027-03-01", "not after its start"),
        ("other", "afcon", "the slug 'afcon' is taken"),
        ("other", "Other", "'Other' is not a slug: expected a-z, 0-9 and hyphens"),
        ("other", "../etc", "'../etc' is not a slug"),
        ("other", "كأس", "is not a slug"),
        ("other", "a" * 64, "is not a slug"),
        ("2027-03-01", "01/03/2027", "'01/03/2027' is not a time: expected ISO 8601"),
        ("2027-03-01", "2026-03-22T02:30", "does not exist: the clocks go forward over it"),
        ("2027-03-01", "", "'' is not a time"),
        ("Other", " ", "the name of a campaign is blank"),
    ],
)
def test_a_wrong_campaign_is_refused(contest, refused: Refused, old: str, new: str, says: str) -> None:
    assert says in refused(*changed(ADD, old, new))
    assert [one["campaign"] for one in contest("campaign", "list", "--json").facts] == ["afcon"]


@pytest.mark.parametrize("end", ["2026-04-01", "2027-01-21T20:00"])
def test_a_campaign_that_is_over_already_is_refused(contest, refused: Refused, end: str) -> None:
    """A mistyped year would be settled, and its floor paid out, before anybody looks again."""
    line = refused(*changed(changed(ADD, "2027-03-01", "2026-03-01"), "2027-04-01", end))

    assert line.startswith(f"campaign 'other' would end {end[:10]} ")
    assert line.endswith("but it is 2027-01-21 20:00 already: expected an end to come")
    assert [one["campaign"] for one in contest("campaign", "list", "--json").facts] == ["afcon"]


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--tz", "Africa/Casablnca"), "did you mean Africa/Casablanca?"),
        (("--tz", "Mars"), "'Mars' is not an IANA time zone"),
        (("--rate", "10MiB"), "'10MiB' is not a volume"),
        (("--rate", "-10MB"), "'-10MB' is not a volume"),
        (("--rate", "0MB"), "needs a rate above zero"),
        (("--rate", "10"), "'10' has no unit"),
        (("--rate", "99999PB"), "a volume holds 0 to"),
        (("--cap", "much"), "'much' is not a volume"),
        (("--cap", "1kB"), "the cap 1 kB is less than one like earns (10 MB)"),
        (("--cap", "0B"), "less than one like earns"),
        (("--cap", ""), "'' is not a volume"),
        (("--floor", "20"), "'20' has no unit: write B, kB, MB, GB or TB after the number, such as 10MB or 20GB"),
        (("--floor", ""), "'' is not a volume"),
        (("--floor", "0GB"), "a floor of nothing guarantees nothing: leave it out"),
    ],
)
def test_a_wrong_option_of_a_campaign_is_refused(contest, refused: Refused, option: tuple[str, str], says: str) -> None:
    assert says in refused(*ADD, *option)


@pytest.mark.parametrize(
    "command",
    [
        ("campaign", "show", "nobody"),
        ("campaign", "rate", "nobody", "20MB", "--reason", "r"),
        ("post", "add", "nobody", POST),
        ("post", "list", "nobody"),
        ("post", "remove", "nobody", POST),
        ("association", "assign", "nobody", "tanger", "--reason", "r"),
        ("winner", "rank", "nobody"),
        ("winner", "assign", "nobody", "Yasmine", "--reason", "r"),
        ("poll", "nobody"),
        ("status", "nobody"),
    ],
)
def test_an_unknown_campaign_is_refused_with_those_that_exist(contest, refused: Refused, command) -> None:
    assert refused(*command) == "no campaign is called 'nobody' (known: afcon)"


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("association", "assign", "afcon", "nobody"), "no association is called 'nobody' (known: tanger)"),
        (("association", "assign", "afcon", "tanger", "--share", "101%"), "'101%' is not a share"),
        (("association", "assign", "afcon", "tanger", "--share", "60"), "'60' is not a share"),
        (("association", "assign", "afcon", "tanger", "--share", "-1%"), "'-1%' is not a share"),
        (("association", "assign", "afcon", "tanger", "--share", "33.33333%"), "at most four decimals"),
        (("winner", "assign", "afcon", "Nobody"), "has no contestant 'Nobody' (known: none yet)"),
        (("campaign", "rate", "afcon", "10 apples"), "'10 apples' is not a volume"),
        (("campaign", "rate", "afcon", "0MB"), "a rate is above zero"),
        (("campaign", "rate", "afcon", "20MB", "--from", "2027-01-20"), "a rate cannot change the past"),
        (("campaign", "rate", "afcon", "20MB", "--from", "noon"), "'noon' is not a time"),
    ],
)
def test_a_wrong_decision_is_refused(contest, refused: Refused, command: tuple[str, ...], says: str) -> None:
    assert says in refused(*command, "--reason", "a reason")


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_decision_without_a_reason_is_refused(read_contest, refused: Refused, reason: str) -> None:
    """A reason that a script left empty is none."""
    for command in (
        ("association", "assign", "afcon", "tanger"),
        ("winner", "assign", "afcon", "Yasmine"),
        ("campaign", "rate", "afcon", "20MB", "--from", "2027-02-01"),
    ):
        assert "reason" in refused(*command, "--reason", reason)


@pytest.mark.parametrize("reason", ["", "  "])
def test_old_likes_are_never_credited_without_a_reason(  # noqa: PLR0917 - fixtures, by name
    contest, clock, platform, publish, refused: Refused, reason: str
) -> None:
    url = platform.url_of(publish(5, at=clock.at.replace(day=1)))

    assert "reason" in refused("post", "add", "afcon", url, "--credit-existing", reason)


def test_shares_over_the_whole_are_refused(contest, refused: Refused) -> None:
    contest("association", "add", "rabat", "--name", "Rabat", "--city", "Rabat", "--region", "Centre")
    contest("association", "assign", "afcon", "tanger", "--share", "60%", "--reason", "first")

    line = refused("association", "assign", "afcon", "rabat", "--share", "40.0001%", "--reason", "second")

    assert line == "only 40% of campaign 'afcon' is left: lower another association's share first"


def test_an_association_slug_is_taken_once(contest, refused: Refused) -> None:
    again = ("association", "add", "tanger", "--name", "Another", "--city", "Tangier", "--region", "Nord")

    assert refused(*again) == "the association slug 'tanger' is taken: choose another"
    assert "is not a slug" in refused(*changed(again, "tanger", "Tanger Solidarité"))


@pytest.mark.parametrize("blank", ["", " "])
def test_blank_names_are_refused(contest, refused: Refused, blank: str) -> None:
    whole = ("association", "add", "rabat", "--name", "Rabat Enfance", "--city", "Rabat", "--region", "Centre")

    for old, what in {"Rabat Enfance": "name", "Rabat": "city", "Centre": "region"}.items():
        assert refused(*changed(whole, old, blank)).startswith(f"the {what} of the association 'rabat' is blank")
    assert refused(*whole, "--name-ar", blank).startswith("the Arabic name of the association 'rabat' is blank")
    assert refused("post", "add", "afcon", POST, "--entrant", blank).startswith("the name of a contestant is blank")


def test_a_post_that_was_never_added_cannot_be_removed(contest, refused: Refused) -> None:
    assert refused("post", "remove", "afcon", POST) == f"campaign 'afcon' has no post {POST}"
    assert refused("post", "remove", "afcon", "rubbish") == "campaign 'afcon' has no post rubbish"


@pytest.mark.parametrize(
    "command",
    [
        ("campaign", "add", "other", "--name", "Other", "--start", "2027-03-01"),
        ("campaign", "add", "other", "--name", "Other", "--start", "a", "--end", "b", "--keeps", "maybe"),
        ("winner", "assign", "afcon", "Yasmine"),
        ("status", "--jsn"),
        ("poll", "a", "b"),
        ("try",),
    ],
)
def test_a_command_that_is_not_one_is_a_usage_error_that_shows_how(run, command: tuple[str, ...]) -> None:
    said = run(*command)

    assert (said.code, said.out) == (2, "")
    assert "Usage: " in said.err


# What is wrong with the installation


@pytest.mark.parametrize(
    "command",
    [
        ("campaign", "list"),
        ("post", "list", "afcon"),
        ("association", "list"),
        ("winner", "rank", "afcon"),
        ("poll",),
        ("status",),
        ("db", "upgrade"),
        ("db", "backup", "copy.db"),
    ],
)
def test_without_a_configuration_every_command_says_how_to_make_one(refused: Refused, command) -> None:
    line = refused(*command)

    assert line == "there is no configuration file config.toml: run 'harvester init' first, or name one with --config"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[http]\ncontct = 'me'\n", "config.toml: unknown key http.contct (known here: "),
        ("[http\n", "config.toml is not TOML: "),
        ("[sweep]\nthreads = 'many'\n", "config.toml: sweep.threads: "),
        ("[database]\nurl = 'mysql://db.example/a'\n", "database.url"),
        ("[connectors.friendster]\n", "no connector is called 'friendster'"),
        ("[keys]\nmaster = 'hunter2'\n", "keys.master is a secret"),
    ],
)
def test_a_wrong_configuration_is_one_line(refused: Refused, folder: Path, text: str, says: str) -> None:
    (folder / "config.toml").write_text(text)

    for command in (("init",), ("status",)):
        line = refused(*command)
        assert says in line
        assert "hunter2" not in line


def test_a_place_where_no_database_can_be_is_one_line(run, folder: Path) -> None:
    (folder / "config.toml").write_text("[database]\nurl = 'sqlite:///config.toml/deep/a.db'\n")

    said = run("init")

    assert said.code in (1, 2)
    assert said.err.startswith("harvester: ")
    assert "config.toml/deep" in said.err
    assert said.err.count("\n") == 1


def test_a_misspelt_variable_is_one_line(contest, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_HTP__CONTACT", "me")

    assert refused("status").startswith("environment: HARVESTER_HTP__CONTACT names no section")


def test_a_wrong_setting_of_a_connector_is_one_line(
    contest, platform, publish, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = platform.url_of(publish(1))
    contest("post", "add", "afcon", url)
    monkeypatch.setenv("HARVESTER_CONNECTORS__MASTODON__BUDGET", "plenty")

    for command in (("poll",), ("try", url), ("post", "add", "afcon", url)):
        assert refused(*command).startswith("connectors.mastodon.budget: 'plenty' is not a budget")


def test_an_installation_that_was_never_initialised_says_so(run, refused: Refused, folder: Path) -> None:
    (folder / "config.toml").write_text("")

    assert refused("status") == f"the database sqlite:///{folder}/harvester.db is empty: run 'harvester init'"
    assert not (folder / "harvester.db").exists()


@pytest.mark.parametrize("command", [("status",), ("poll",), ("db", "upgrade"), ("db", "backup", "c.db"), ("init",)])
def test_the_database_of_a_newer_harvester_is_refused(contest, refused: Refused, folder: Path, command) -> None:
    with sqlite3.connect(folder / "harvester.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    assert "is of a newer harvester (revision 9999): upgrade harvester" in refused(*command)


def test_a_file_that_is_no_database_is_one_line(contest, refused: Refused, folder: Path) -> None:
    for path in folder.glob("harvester.db*"):
        if path.is_file():
            path.unlink()
    (folder / "harvester.db").write_bytes(b"something else entirely" * 200)

    line = refused("status", code=1)

    assert line == f"the database sqlite:///{folder}/harvester.db: file is not a database"


def test_another_master_key_is_one_line(read_contest, refused: Refused, folder: Path) -> None:
    key = folder / "keys" / "master.key"
    key.write_bytes(Fernet.generate_key())

    assert refused("poll") == f"the key in {key} does not open campaign 'afcon': another master key made it"


def test_no_second_contest_is_made_under_another_master_key(contest, refused: Refused, folder: Path) -> None:
    (folder / "keys" / "master.key").write_bytes(Fernet.generate_key())
    second = ("campaign", "add", "second", "--name", "S", "--start", "2027-01-01", "--end", "2027-02-01")

    assert "does not open campaign 'afcon'" in refused(*second)


def test_a_damaged_missing_or_readable_master_key_is_one_line(contest, refused: Refused, folder: Path) -> None:
    key = folder / "keys" / "master.key"
    key.chmod(0o644)
    assert refused("poll") == f"{key} can be read by others: run chmod 600 {key}"

    key.chmod(0o600)
    key.write_text("hunter2")
    assert refused("poll").startswith(f"{key} does not hold a master key")

    key.unlink()
    assert refused("poll").startswith(f"there is no master key at {key}")


def test_what_needs_no_key_works_without_one(read_contest, folder: Path) -> None:
    (folder / "keys" / "master.key").unlink()

    assert read_contest("status", "afcon").code == 0
    assert read_contest("winner", "rank", "afcon").code == 0


def test_a_copy_where_none_can_be_made_is_one_line(contest, refused: Refused) -> None:
    assert refused("db", "backup", "nowhere/copy.db") == "the folder nowhere does not exist"
    assert refused("db", "backup", "keys") == "keys exists: name a new file"
