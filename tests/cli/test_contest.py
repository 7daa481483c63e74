"""A whole contest by commands alone: from the empty folder to the pledge, and the JSON that other programs rely on."""

import re
import stat
from pathlib import Path

import pytest

from harvester.collect.registry import installed
from harvester.rehearsal import Bluesky, Kind, Mastodon
from harvester.rehearsal.faults import Fail

RATE = 10_000_000

STATUS_KEYS = {
    *("at", "campaign", "state", "window", "rate_bytes", "likes", "bytes", "beneficiaries", "entries", "checkpoint"),
    "settlement",
}
WINDOW_KEYS = {"start", "end", "timezone"}
LIKES_KEYS = {"credited", "uncertain", "quarantined", "reversed", "over_cap", "baseline"}
BYTES_KEYS = {"credited", "pool", "pledged", "committed", "delivered"}
BENEFICIARY_KEYS = {"association", "share", "pledged_bytes"}
ENTRY_KEYS = (
    *("url", "connector", "post_id", "entrant", "basis", "displayed", "held", "gap", "credited", "state"),
    *("last_sweep", "next_poll_at", "next_poll_reason", "displayed_at", "holes", "unseen"),
)
SWEEP_KEYS = {"at", "outcome", "reason", "pages", "requests", "new"}
CHECKPOINT_KEYS = {"size", "root"}


def test_a_contest_from_the_first_like_to_the_pledge(run, platform, publish) -> None:
    first, second = publish(200, author="yasmine"), publish(130, dialect=Bluesky(), author="omar")
    for number in range(7):
        first.hide(f"fan-{number}")
    steps = [
        run("init"),
        run("campaign", "add", "afcon", "--name", "AFCON", "--start", "2027-01-21", "--end", "2027-02-18"),
        run("association", "add", "tanger", "--name", "Tanger", "--city", "Tangier", "--region", "Nord"),
        run("post", "add", "afcon", platform.url_of(first), "--entrant", "Yasmine"),
        run("post", "add", "afcon", platform.url_of(second), "--entrant", "Omar"),
        run("poll", "afcon", "--full"),
        run("association", "assign", "afcon", "tanger", "--reason", "chosen by the winner"),
    ]

    view = run("status", "afcon", "--json").facts

    assert [(said.code, said.err) for said in steps] == [(0, "")] * len(steps)
    likers = len(first.listed()) + len(second.listed())
    assert likers == 193 + 130
    assert view["likes"] == dict.fromkeys(LIKES_KEYS, 0) | {"credited": likers}
    assert view["bytes"] == dict.fromkeys(BYTES_KEYS, 0) | {"credited": likers * RATE, "pledged": likers * RATE}
    assert view["beneficiaries"] == [{"association": "tanger", "share": 1.0, "pledged_bytes": likers * RATE}]
    assert [(entry["entrant"], entry["displayed"], entry["held"], entry["gap"]) for entry in view["entries"]] == [
        ("Yasmine", 200, 193, 7),
        ("Omar", 130, 130, 0),
    ]


def test_the_json_of_a_status_has_exactly_the_promised_keys(read_contest) -> None:
    read_contest("association", "assign", "afcon", "tanger", "--share", "60%", "--reason", "chosen")

    view = read_contest("status", "afcon", "--json").facts

    assert set(view) == STATUS_KEYS
    assert (set(view["window"]), set(view["likes"]), set(view["bytes"])) == (WINDOW_KEYS, LIKES_KEYS, BYTES_KEYS)
    assert (set(view["checkpoint"]), len(view["entries"])) == (CHECKPOINT_KEYS, 2)
    assert {frozenset(one) for one in view["beneficiaries"]} == {frozenset(BENEFICIARY_KEYS)}
    assert {frozenset(entry) for entry in view["entries"]} == {frozenset(ENTRY_KEYS)}
    assert {frozenset(entry["last_sweep"]) for entry in view["entries"]} == {frozenset(SWEEP_KEYS)}


def test_a_status_says_what_the_entry_is_and_how_its_sweep_ended(contest, platform, publish) -> None:
    post = publish(120)
    contest("post", "add", "afcon", platform.url_of(post), "--entrant", "Yasmine")
    contest("poll", "--full")

    [entry] = contest("status", "afcon", "--json").facts["entries"]

    assert entry.pop("last_sweep") == {
        "at": "2027-01-21T20:00:00Z",
        "outcome": "complete",
        "reason": None,
        "pages": 2,
        "requests": 4,
        "new": 120,
    }
    assert entry == {
        "url": platform.url_of(post),
        "connector": "mastodon",
        "post_id": post.native_id,
        "entrant": "Yasmine",
        "basis": "identity",
        "displayed": 120,
        "displayed_at": "2027-01-21T20:00:00Z",
        "held": 120,
        "gap": 0,
        "credited": 120,
        "state": "open",
        "next_poll_at": None,
        "next_poll_reason": None,
        "holes": 0,
        "unseen": 0,
    }


def test_a_status_before_the_first_sweep_knows_no_numbers_it_was_not_told(contest, platform, publish) -> None:
    contest("post", "add", "afcon", platform.url_of(publish(3)))

    view = contest("status", "afcon", "--json").facts
    [entry] = view["entries"]

    assert (entry["displayed"], entry["held"], entry["gap"], entry["last_sweep"]) == (3, None, None, None)
    assert (view["state"], view["rate_bytes"]) == ("running", RATE)
    assert view["window"] == {
        "start": "2027-01-21T00:00:00Z",
        "end": "2027-02-18T00:00:00Z",
        "timezone": "Africa/Casablanca",
    }


def test_a_second_full_poll_changes_nothing(read_contest) -> None:
    def settled() -> object:
        view = read_contest("status", "afcon", "--json").facts
        return view["likes"], view["bytes"], view["checkpoint"], [one["credited"] for one in view["entries"]]

    before = settled()
    again = read_contest("poll", "--full", "--json")

    assert again.code == 0
    assert [entry["new"] for entry in again.facts["entries"]] == [0, 0]
    assert settled() == before


def test_status_without_a_campaign_lists_them_all(contest) -> None:
    contest("campaign", "add", "ramadan", "--name", "Ramadan", "--start", "2027-02-08", "--end", "2027-03-10")

    assert [view["campaign"] for view in contest("status", "--json").facts] == ["afcon", "ramadan"]
    assert "afcon" in contest("status").out
    assert "ramadan" in contest("status").out


def test_settled_contests_come_last(contest, clock) -> None:
    contest("campaign", "add", "spring", "--name", "Spring", "--start", "2027-03-01", "--end", "2027-05-01")
    clock.forward(days=60)
    assert contest("campaign", "settle", "afcon").code == 0

    assert [view["campaign"] for view in contest("status", "--json").facts] == ["spring", "afcon"]


def test_a_status_for_people_shows_shown_held_and_gap_side_by_side(contest, platform, publish) -> None:
    post = publish(1_200)
    post.hide("fan-0")
    contest("post", "add", "afcon", platform.url_of(post))
    contest("poll", "--full")

    shown = contest("status", "afcon").words

    assert "1,200 1,199 1 1,199" in shown
    assert "1,199 likes credited: 11.99 GB (a like is 10 MB now)" in shown
    assert "waiting for an association: 11.99 GB" in shown
    assert "the platform shows more likes than it names (1); only named likers are credited" in shown


def test_a_status_of_nothing_says_what_to_do(home) -> None:
    assert home("status").out == "no contest yet: add one with 'harvester campaign add'\n"
    assert home("status", "--json").facts == []


# init


def test_init_makes_everything_and_doing_it_again_keeps_it(run, folder: Path) -> None:
    first = run("init")
    contents = {path: path.read_bytes() for path in (folder / "config.toml", *sorted((folder / "keys").iterdir()))}
    again = run("init")

    assert (first.code, again.code, first.err, again.err) == (0, 0, "", "")
    assert {path.name for path in contents} == {"config.toml", "master.key", "signing.key"}
    assert {path: path.read_bytes() for path in contents} == contents
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "keys").iterdir()} == {0o600}
    assert (folder / "harvester.db").exists()


def test_init_elsewhere_keeps_everything_beside_the_configuration(run, folder: Path) -> None:
    assert run("init", "--config", "etc/harvester.toml").code == 0

    made = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"etc/harvester.toml", "etc/harvester.db", "etc/keys/master.key", "etc/keys/signing.key"} <= made
    assert all(path.startswith("etc/") for path in made)


def test_the_configuration_may_be_named_by_a_variable(run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_CONFIG", "etc/harvester.toml")

    assert run("init").code == 0
    assert run("status", "--json").facts == []
    assert not (folder / "config.toml").exists()


@pytest.mark.parametrize("name", ["Khatwat Khir خطوة خير", "100% likes", "likes #1", "likes?", "a:b@c"])
def test_a_folder_may_have_any_name(run, folder: Path, name: str) -> None:
    made = [run("init", "--config", f"{name}/config.toml"), run("status", "--config", f"{name}/config.toml")]

    assert [(said.code, said.err) for said in made] == [(0, ""), (0, "")]
    assert (folder / name / "harvester.db").is_file()


def test_init_never_replaces_a_lost_master_key(contest, folder: Path) -> None:
    (folder / "keys" / "master.key").unlink()

    refusal = contest("init")

    assert refusal.code == 2
    assert re.fullmatch(r"harvester: the database has campaigns, but their master key .* is missing: .*\n", refusal.err)
    assert not (folder / "keys" / "master.key").exists()


# campaign


def test_a_campaign_is_shown_as_it_was_asked_for(home) -> None:
    added = home(
        *("campaign", "add", "afcon", "--name", "AFCON 2027", "--start", "2027-06-19T20:00", "--end", "2027-07-19"),
        *("--tz", "Europe/Paris", "--rate", "20MB", "--cap", "5TB", "--keeps", "standing", "--unique-per", "campaign"),
        "--json",
    )
    expected = {
        "campaign": "afcon",
        "name": "AFCON 2027",
        "state": "scheduled",
        "window": {"start": "2027-06-19T18:00:00Z", "end": "2027-07-18T22:00:00Z", "timezone": "Europe/Paris"},
        "keeps": "standing",
        "unique_per": "campaign",
        "cap_bytes": 5_000_000_000_000,
        "floor_bytes": None,
        "settled_at": None,
        "rates": [{"bytes": 20_000_000, "from": "2027-01-21T20:00:00Z"}],
    }

    assert (added.code, added.facts) == (0, expected)
    assert home("campaign", "show", "afcon", "--json").facts == expected
    assert home("campaign", "list", "--json").facts == [expected]
    assert "a like is 20 MB" in home("campaign", "show", "afcon").out
    assert "AFCON 2027" in home("campaign", "list").out


def test_the_state_follows_the_clock(contest, clock) -> None:
    states = []
    for days in (0, 27, 1):
        clock.forward(days=days)
        states.append(contest("campaign", "show", "afcon", "--json").facts["state"])

    assert states == ["running", "running", "ended"]


def test_a_new_rate_counts_from_its_time_on_and_changes_nothing_before(contest, clock, platform, publish) -> None:
    post = publish(10)
    contest("post", "add", "afcon", platform.url_of(post))
    contest("poll")
    changed = contest("campaign", "rate", "afcon", "20MB", "--from", "2027-01-23", "--reason", "finals", "--json")
    clock.forward(days=3)
    post.like("late")
    contest("poll")

    assert [(rate["bytes"], rate["from"]) for rate in changed.facts["rates"]] == [
        (10_000_000, "2027-01-21T00:00:00Z"),
        (20_000_000, "2027-01-23T00:00:00Z"),
    ]
    assert contest("status", "afcon", "--json").facts["bytes"]["credited"] == 10 * 10_000_000 + 20_000_000
    assert "a like is 20 MB from 2027-01-23 00:00" in contest("campaign", "show", "afcon").out


# post


def test_several_posts_are_added_at_once_and_one_that_is_gone_stops_none(contest, platform, publish) -> None:
    good, gone = publish(3), publish(2)
    gone.remove()

    said = contest("post", "add", "afcon", platform.url_of(gone), platform.url_of(good), "--json")

    assert said.code == 3
    assert [(one["url"], one["outcome"]) for one in said.facts] == [
        (platform.url_of(gone), "failed"),
        (platform.url_of(good), "complete"),
    ]
    assert [entry["url"] for entry in contest("post", "list", "afcon", "--json").facts] == [platform.url_of(good)]


def test_two_urls_of_one_post_are_one_entry(contest, platform, publish) -> None:
    post = publish(1)
    url = platform.url_of(post)
    contest("post", "add", "afcon", url)

    again = contest("post", "add", "afcon", url.replace("/@contest/", "/users/contest/statuses/"))

    assert again.code == 1
    assert f"campaign 'afcon' already has this post, as {url}" in again.out + again.err
    assert len(contest("post", "list", "afcon", "--json").facts) == 1


def test_likes_from_before_the_contest_are_the_baseline_unless_credited_with_a_reason(
    contest, clock, platform, publish
):
    old = [publish(5, at=clock.at.replace(day=1), author=author) for author in ("one", "two")]
    plain = contest("post", "add", "afcon", platform.url_of(old[0]))
    credited = contest("post", "add", "afcon", platform.url_of(old[1]), "--credit-existing", "agreed with the sponsor")
    contest("poll")

    view = contest("status", "afcon", "--json").facts

    assert "its likes so far are the baseline and earn nothing" in plain.out
    assert "baseline" not in credited.out
    assert (view["likes"]["baseline"], view["likes"]["credited"]) == (5, 5)


def test_a_post_that_cannot_be_read_now_is_added_and_says_so(contest, platform, publish) -> None:
    post = publish(3)
    platform.faults.inject(Fail(status=403), on=Kind.POST)

    said = contest("post", "add", "afcon", platform.url_of(post))

    assert said.code == 0
    assert "publication unknown, likes not shown" in said.out
    assert "it could not be read now" in said.out


def test_a_removed_post_is_read_no_more_keeps_its_credits_and_may_come_back(read_contest, platform) -> None:
    url = next(one["url"] for one in read_contest("post", "list", "afcon", "--json").facts if one["entrant"] == "Omar")
    removed = read_contest("post", "remove", "afcon", url)
    polled = read_contest("poll", "--json").facts["entries"]
    again = read_contest("post", "remove", "afcon", url)
    back = read_contest("post", "add", "afcon", url)

    assert (removed.code, removed.out) == (0, f"{url} is no longer read; its credits stay\n")
    assert url not in [one["url"] for one in polled]
    assert (again.code, again.err) == (2, f"harvester: campaign 'afcon' has no post {url}\n")
    assert back.code == 0
    assert read_contest("status", "afcon", "--json").facts["likes"]["credited"] == 210


def test_the_list_of_posts_shows_each_with_its_contestant(read_contest) -> None:
    listed = read_contest("post", "list", "afcon").words

    assert re.search(r"mastodon \d+ Yasmine open identity 120 complete", listed)
    assert re.search(r"bluesky at://\S+ Omar open identity 90 complete", listed)


# association and winner


def test_associations_share_a_contest_and_follow_what_is_credited(read_contest) -> None:
    read_contest("association", "add", "rabat", "--name", "Rabat", "--city", "Rabat", "--region", "Centre")
    first = read_contest(
        "association", "assign", "afcon", "rabat", "--share", "33.3333%", "--reason", "second", "--json"
    )
    rest = read_contest("association", "assign", "afcon", "tanger", "--reason", "all that is left")

    view = read_contest("status", "afcon", "--json").facts

    assert (first.code, rest.code) == (0, 0)
    assert rest.out == "tanger gets 66.6667% of afcon: 1.4 GB pledged so far\n"
    assert {one["association"]: one["share"] for one in view["beneficiaries"]} == {
        "rabat": 0.333333,
        "tanger": 0.666667,
    }
    assert sum(one["pledged_bytes"] for one in view["beneficiaries"]) == view["bytes"]["pledged"] == 210 * RATE
    assert view["bytes"]["pool"] == 0


def test_a_share_of_zero_takes_it_back(read_contest) -> None:
    read_contest("association", "assign", "afcon", "tanger", "--reason", "first choice")
    taken = read_contest("association", "assign", "afcon", "tanger", "--share", "0%", "--reason", "withdrew")

    view = read_contest("status", "afcon", "--json").facts

    assert taken.code == 0
    assert (view["bytes"]["pool"] + view["bytes"]["pledged"], view["bytes"]["credited"]) == (210 * RATE, 210 * RATE)


def test_associations_are_listed(contest) -> None:
    assert contest("association", "list", "--json").facts == [
        {
            "slug": "tanger",
            "name": "Tanger Solidarité",
            "name_ar": None,
            "name_fr": None,
            "city": "Tangier",
            "region": "Nord",
        }
    ]
    assert "Tanger Solidarité" in contest("association", "list").out


def test_contestants_are_ranked_and_a_winner_is_named_once(read_contest) -> None:
    named = read_contest("winner", "assign", "afcon", "Yasmine", "--reason", "most credited likes", "--json")
    again = read_contest("winner", "assign", "afcon", "Yasmine", "--reason", "once more")

    first, second = read_contest("winner", "rank", "afcon", "--json").facts
    assert first == {"rank": 1, "entrant": "Yasmine", "likes": 120, "posts": 1, "is_winner": True}
    assert second == {"rank": 2, "entrant": "Omar", "likes": 90, "posts": 1, "is_winner": False}
    assert (named.code, named.facts) == (0, first)
    assert (again.code, again.err) == (2, "harvester: 'Yasmine' is already a winner of 'afcon'\n")
    assert "1 Yasmine 120 1 winner" in read_contest("winner", "rank", "afcon").words


def test_equal_likes_share_a_rank(contest, platform, publish) -> None:
    for name, likers in (("Amal", 3), ("Badr", 3), ("Chama", 2)):
        contest("post", "add", "afcon", platform.url_of(publish(likers, author=name.lower())), "--entrant", name)
    contest("poll")

    ranked = contest("winner", "rank", "afcon", "--json").facts

    assert [(one["rank"], one["entrant"]) for one in ranked] == [(1, "Amal"), (1, "Badr"), (3, "Chama")]


# poll


def test_a_poll_says_what_it_found(contest, platform, publish) -> None:
    contest("post", "add", "afcon", platform.url_of(publish(7)))

    said = contest("poll", "afcon", "--json")

    assert said.code == 0
    [entry] = said.facts["entries"]
    assert (said.facts["outcome"], entry["new"], entry["credited"], entry["reason"]) == ("complete", 7, 7, None)
    assert said.err == ""


def test_one_dead_post_stops_no_other_and_the_exit_code_tells(contest, platform, publish) -> None:
    good, dead = publish(3, author="one"), publish(2, author="two")
    contest("post", "add", "afcon", platform.url_of(good), platform.url_of(dead))
    dead.remove()
    some = contest("poll")
    good.remove()
    none = contest("poll")

    assert (some.code, none.code) == (3, 1)
    assert "missing since 2027-01-21 20:00 UTC" in some.words
    assert contest("status", "afcon", "--json").facts["likes"]["credited"] == 3


def test_a_poll_of_nothing_is_complete(contest) -> None:
    said = contest("poll")

    assert (said.code, said.out) == (0, "no post to read: add one with 'harvester post add'\n")


# db and connectors


def test_the_database_is_upgraded_and_copied(contest, folder: Path) -> None:
    upgraded = contest("db", "upgrade")
    copied = contest("db", "backup", "copy.db")
    again = contest("db", "backup", "copy.db")

    assert (upgraded.code, upgraded.out) == (0, f"the database sqlite:///{folder}/harvester.db is up to date\n")
    assert (copied.code, copied.out) == (0, "backup written to copy.db\n")
    assert (again.code, again.err) == (2, "harvester: copy.db exists: name a new file\n")


def test_every_connector_is_listed_with_what_its_platform_tells(run) -> None:
    facts = run("connectors", "list", "--json").facts
    table = run("connectors", "list").out

    assert [one["connector"] for one in facts] == list(installed())
    for one in facts:
        assert one["connector"] in table
        assert one["urls"] == list(installed()[one["connector"]].url_forms)


@pytest.mark.parametrize("dialect", [Mastodon(), Bluesky()], ids=lambda dialect: dialect.name)
def test_every_platform_goes_through_the_same_commands(contest, platform, publish, dialect) -> None:
    contest("post", "add", "afcon", platform.url_of(publish(101, dialect=dialect)))
    contest("poll")

    assert contest("status", "afcon", "--json").facts["likes"]["credited"] == 101
