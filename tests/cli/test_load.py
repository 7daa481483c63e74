"""`harvester campaign load`: a whole contest from a file, as often as wanted; nothing is written when it is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harvester.rehearsal import Kind
from harvester.rehearsal.faults import Fail

CONTEST = """
entrants = ["Yasmine", "Omar"]

[campaign]
slug = "afcon"
name = "AFCON"
start = "2027-01-21"
end = "2027-02-18"
rate = "10MB"

[[association]]
slug = "tanger"
name = "Tanger Solidarité"
city = "Tangier"
region = "Nord"
share = "60%"

[[post]]
url = "URL"
entrant = "Yasmine"
"""


@pytest.fixture
def write(folder: Path) -> Callable[[str], str]:
    def make(text: str) -> str:
        (folder / "contest.toml").write_text(text, encoding="utf-8")
        return "contest.toml"

    return make


@pytest.fixture
def contest_file(write, platform, publish) -> str:
    """A file whose one post has five likers."""
    return str(write(CONTEST.replace("URL", platform.url_of(publish(5)))))


def test_a_file_makes_the_whole_contest(home, contest_file: str) -> None:
    loaded = home("campaign", "load", contest_file)
    home("poll")

    view = home("status", "afcon", "--json").facts

    assert (loaded.code, loaded.err) == (0, "")
    assert loaded.out.splitlines()[:2] == ["campaign afcon: added", "association tanger: added"]
    assert view["bytes"] == {"credited": 50_000_000, "pool": 20_000_000, "pledged": 30_000_000} | dict.fromkeys(
        ("committed", "delivered"), 0
    )
    ranked = home("winner", "rank", "afcon", "--json").facts
    assert [(one["entrant"], one["likes"]) for one in ranked] == [("Yasmine", 5), ("Omar", 0)]


def test_loading_it_again_changes_nothing_and_asks_no_platform(home, contest_file: str, platform, folder: Path) -> None:
    home("campaign", "load", contest_file)
    home("poll")
    before = (home("status", "afcon", "--json").out, home("campaign", "show", "afcon", "--json").out)
    platform.requests.clear()

    again = home("campaign", "load", contest_file, "--json")

    assert (again.code, again.facts) == (0, {"campaign": "afcon", "is_new": False, "associations": [], "posts": []})
    assert (home("status", "afcon", "--json").out, home("campaign", "show", "afcon", "--json").out) == before
    assert platform.requests == []


def test_what_was_added_to_the_file_is_added_to_the_contest(home, contest_file: str, folder: Path) -> None:
    home("campaign", "load", contest_file)
    more = '[[association]]\nslug = "rabat"\nname = "Rabat"\ncity = "Rabat"\nregion = "Centre"\n'
    (folder / contest_file).write_text((folder / contest_file).read_text() + more)

    assert home("campaign", "load", contest_file, "--json").facts["associations"] == ["rabat"]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('end = "2027-02-18"', 'end = "2027-02-19"', "exists with end "),
        ('start = "2027-01-21"', 'start = "2027-01-20"', "exists with start "),
        ('rate = "10MB"', 'rate = "20MB"', "exists with first rate 10 MB, the file says 20 MB"),
        ('rate = "10MB"', 'cap = "5TB"', "exists with cap None, the file says 5 TB"),
        ('rate = "10MB"', 'keeps = "standing"', "exists with keeps ever, the file says standing"),
        ('rate = "10MB"', 'unique_per = "campaign"', "exists with unique_per post, the file says campaign"),
        ('city = "Tangier"', 'city = "Tétouan"', "association 'tanger' exists with other details"),
    ],
)
def test_changed_rules_are_refused(  # noqa: PLR0917 - fixtures, by name
    home, contest_file: str, folder: Path, refused, old: str, new: str, says: str
) -> None:
    home("campaign", "load", contest_file)
    text = (folder / contest_file).read_text()
    assert old in text
    (folder / contest_file).write_text(text.replace(old, new))

    assert says in refused("campaign", "load", contest_file)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[campaign]", "[campaign]\nrat = '10MB'", "campaign: 'rat' is not known (known here: slug, name, start, "),
        ("[campaign]", "[campain]\nx = 1\n[campaign]", "'campain' is not known (known here: campaign, "),
        ("[[post]]", "[[post]]\nentrnt = 'x'", "post number 1: 'entrnt' is not known (known here: url, "),
        ("[[association]]", "[[association]]\ncountry = 'MA'", "association number 1: 'country' is not known"),
        ('slug = "afcon"\n', "", "campaign: slug is missing"),
        ('name = "AFCON"', "name = 5", 'campaign.name: write it in quotes, such as "AFCON 2027"'),
        ('slug = "afcon"', 'slug = "AFCON 2027"', "is not a slug"),
        ('rate = "10MB"', 'rate = "10MiB"', "'10MiB' is not a volume"),
        ('rate = "10MB"', 'rate = "0MB"', "needs a rate above zero"),
        ('rate = "10MB"', 'floor = "20"', "'20' has no unit"),
        ('rate = "10MB"', 'floor = ""', "'' is not a volume"),
        ('rate = "10MB"', "floor = 20", 'campaign.floor: write it in quotes, such as "20GB"'),
        ('rate = "10MB"', "cap = 5.5", 'campaign.cap: write it in quotes, such as "5TB"'),
        ("[campaign]", "[[campaign]]", "campaign: write [campaign], once, with single brackets"),
        ("[[association]]", "[association]", "association: write [[association]], with double brackets"),
        ('entrants = ["Yasmine", "Omar"]', "entrants = 'Yasmine'", "entrants: write a list in brackets, such as "),
        ('entrants = ["Yasmine", "Omar"]', "entrants = ['Yasmine', ' ']", "the name of a contestant is blank"),
        (
            'entrants = ["Yasmine", "Omar"]',
            "entrants = ['Yasmine', 5]",
            "entrants number 2: write it in quotes, such as ",
        ),
        ('name = "AFCON"', "name = ''", "the name of a campaign is blank"),
        ('region = "Nord"', "region = ' '", "the region of the association 'tanger' is blank"),
        ('entrant = "Yasmine"', "entrant = ''", "the name of a contestant is blank"),
        ('"2027-01-21"\nend = "2027-02-18"', '"2026-01-21"\nend = "2026-02-18"', "expected an end to come"),
        ('rate = "10MB"', 'cap = "1MB"', "the cap 1 MB is less than one like earns"),
        ('rate = "10MB"', 'keeps = "maybe"', "campaign.keeps: 'maybe' is not known (known here: ever, standing)"),
        ('start = "2027-01-21"', 'start = "tomorrow"', "'tomorrow' is not a time"),
        ('start = "2027-01-21"', "start = 2027-01-21", 'campaign.start: write it in quotes, such as "2027-06-19"'),
        ('end = "2027-02-18"', 'end = "2027-01-20"', "not after its start"),
        ('end = "2027-02-18"', 'timezone = "Europe/Paris"\nend = "2027-10-31T02:30"', "happens twice"),
        ('rate = "10MB"', 'timezone = "Africa/Casablnca"', "did you mean Africa/Casablanca?"),
        ('share = "60%"', 'share = "120%"', "'120%' is not a share"),
        ('share = "60%"', 'share = "0.6"', "'0.6' is not a share"),
        ('entrant = "Yasmine"', 'published = "yesterday"', "'yesterday' is not a time"),
        ("[[post]]", "[[post]]\nurl = 'https://friendster.example/42'\n[[post]]", "no connector knows the URL"),
        ("[[association]]", "[[association", "contest.toml"),
    ],
)
def test_a_wrong_file_is_one_line_and_nothing_is_written(  # noqa: PLR0917 - fixtures, by name
    home, contest_file: str, folder: Path, refused, platform, old: str, new: str, says: str
) -> None:
    text = (folder / contest_file).read_text()
    assert old in text
    (folder / contest_file).write_text(text.replace(old, new, 1))

    assert says in refused("campaign", "load", contest_file)
    assert (home("campaign", "list", "--json").facts, home("association", "list", "--json").facts) == ([], [])
    assert platform.requests == []


def test_shares_over_the_whole_are_refused_and_nothing_is_written(
    home, contest_file: str, folder: Path, refused
) -> None:
    more = '[[association]]\nslug = "rabat"\nname = "Rabat"\ncity = "Rabat"\nregion = "Centre"\nshare = "50%"\n'
    (folder / contest_file).write_text((folder / contest_file).read_text() + more)

    assert "only 40% of campaign 'afcon' is left" in refused("campaign", "load", contest_file)
    assert home("campaign", "list", "--json").facts == []


def test_a_file_that_is_not_there_or_not_text_is_one_line(home, folder: Path, refused) -> None:
    (folder / "picture.toml").write_bytes(b"\xff\xd8\xff")

    assert refused("campaign", "load", "nowhere.toml").startswith("nowhere.toml cannot be read: ")
    assert refused("campaign", "load", "picture.toml").startswith("picture.toml cannot be read: it is not UTF-8")


def test_what_adding_a_post_says_is_said_of_a_file_too(home, write, platform, publish, clock) -> None:
    old, unreadable = publish(5, at=clock.at.replace(day=1)), publish(2, author="closed")
    platform.faults.inject(Fail(status=403), on=Kind.POST, about=unreadable.native_id)
    urls = [platform.url_of(post) for post in (old, unreadable)]
    file = write(CONTEST.replace("URL", urls[0]) + f'[[post]]\nurl = "{urls[1]}"\n')

    said = home("campaign", "load", file)

    assert said.code == 0
    assert f"added: {urls[0]}: published 2027-01-01 20:00, 5 likes shown" in said.out
    assert "its likes so far are the baseline and earn nothing" in said.out
    assert f"added: {urls[1]}: publication unknown, likes not shown" in said.out
    assert "it could not be read now" in said.out


def test_a_post_that_is_gone_leaves_the_rest_and_the_exit_code_tells(home, write, platform, publish) -> None:
    gone = publish(1)
    gone.remove()
    file = write(CONTEST.replace("URL", platform.url_of(gone)))

    said = home("campaign", "load", file)

    assert said.code == 1
    assert "not added" in said.out + said.err
    assert [one["campaign"] for one in home("campaign", "list", "--json").facts] == ["afcon"]
