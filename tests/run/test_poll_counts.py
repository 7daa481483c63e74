"""One pass over posts that only show a number: in batches, each post by itself, and exact whatever is killed."""

import os
import random
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harvester.clock import utc_now
from harvester.collect.registry import installed
from harvester.config import HttpSettings, Settings
from harvester.connector import Basis, GrantLost, Missing, Refused
from harvester.contest.campaigns import find_campaign
from harvester.contest.entries import AddedPost, NewEntry, add_posts, remove_entry
from harvester.rehearsal import Kind, Mastodon, SimulatedPlatform, World
from harvester.report.views import StatusView, status_of
from harvester.run.poll import poll
from harvester.run.reader import EntryResult
from harvester.run.trial import try_posts
from harvester.store.database import Database
from harvester.store.installation import Installation
from harvester.store.kinds import SweepOutcome
from tests.collect.test_crash import Nursery, startup_of, without_pytest
from tests.factories import KICK_OFF, Clock, Contest

DIALECT = Mastodon()
COMPLETE, FAILED = SweepOutcome.COMPLETE, SweepOutcome.FAILED

# A connector that can name likers and is counted all the same, as some platforms are for the price of names.
_COUNTING = """
import os
from pathlib import Path
import msgspec
from harvester.connector import Basis, Count, Post, Traits

NUMBERS, ERRORS, ASKED, PUBLISHED = {}, {}, [], []

class Counting:
    name = "counting"
    traits = Traits(batch_max=3, basis=Basis.COUNT)
    hosts = ("counting.example",)
    url_forms = ("https://counting.example/REALM/ID",)
    settings_type = msgspec.defstruct("CountingSettings", [])

    def __init__(self, settings):
        self.origins = ()

    @classmethod
    def recognise(cls, url):
        realm, _, native_id = url.removeprefix("https://counting.example/").partition("/")
        return Post(platform=cls.name, native_id=native_id, realm=f"counting:{realm}", url=url) if native_id else None

    def fetch_page(self, http, post, cursor):
        raise AssertionError("its likers are not asked for")

    def fetch_counts(self, http, posts):
        ASKED.append((posts[0].realm, tuple(post.native_id for post in posts)))
        for post in posts:
            if error := ERRORS.get(post.native_id):
                raise error
        return tuple(self.count(post) for post in posts)

    def count(self, post):
        if file := os.environ.get("COUNTING_NUMBER"):
            return Count(native_id=post.native_id, likes=int(Path(file).read_text()))
        published_at = PUBLISHED[-1] if PUBLISHED else None
        return Count(native_id=post.native_id, likes=NUMBERS.get(post.native_id), published_at=published_at)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the connector, installed as any other is: through its metadata."""
    site = tmp_path_factory.mktemp("site")
    metadata = site / "counting_connector-1.0.dist-info"
    metadata.mkdir()
    (site / "counting_connector.py").write_text(_COUNTING)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: counting-connector\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[harvester.connectors]\ncounting = counting_connector:Counting\n")
    return site


@pytest.fixture
def counting(site: Path) -> Iterator[ModuleType]:
    """The connector, installed here; its posts were published at kick-off."""
    sys.path.insert(0, str(site))
    invalidate_caches()
    installed.cache_clear()
    module = import_module("counting_connector")
    module.PUBLISHED.append(KICK_OFF)
    yield module
    sys.path.remove(str(site))
    sys.modules.pop("counting_connector")
    installed.cache_clear()


@pytest.fixture
def settings() -> Settings:
    return Settings(http=HttpSettings(allow_private_hosts=True, attempts=1, longest_wait_seconds=0))


class Night:
    """A contest and its poll."""

    def __init__(self, contest: Contest, settings: Settings) -> None:
        self.contest = contest
        self.at = Installation(
            database=contest.database,
            settings=settings,
            master=contest.master,
            now=contest.clock,
            sleep=lambda _: None,
        )

    def add(self, *urls: str, **stated: Any) -> tuple[AddedPost, ...]:
        new = [NewEntry(pasted_url=url, **stated) for url in urls]
        return add_posts(self.at, self.contest.facts, new)

    def poll(self) -> tuple[EntryResult, ...]:
        results = poll(self.at, [self.contest.facts], wants_full=False)
        self.contest.clock.forward(minutes=1)
        return results

    @property
    def credited(self) -> list[int]:
        return [one.credited for one in self.contest.status.entries]


@pytest.fixture
def night(contest: Contest, settings: Settings) -> Night:
    return Night(contest, settings)


def url(native_id: object, realm: str = "here") -> str:
    return f"https://counting.example/{realm}/{native_id}"


def test_a_request_reads_at_most_as_many_posts_of_one_realm_as_the_platform_allows(
    night: Night, counting: ModuleType
) -> None:
    counting.NUMBERS |= {str(number): number for number in range(9)}
    night.add(*(url(number, "there" if number % 4 == 0 else "here") for number in range(9)))
    counting.ASKED.clear()
    results = night.poll()
    assert sorted(counting.ASKED) == [
        ("counting:here", ("1", "2", "3")),
        ("counting:here", ("5", "6", "7")),
        ("counting:there", ("0", "4", "8")),
    ]
    assert {(one.outcome, one.new) for one in results} == {(COMPLETE, 0)}
    assert night.credited == [*range(9)]


def test_one_dead_post_and_one_revoked_token_never_stop_the_others(night: Night, counting: ModuleType) -> None:
    counting.NUMBERS |= dict.fromkeys("abcdef", 1)
    night.add(*(url(post, "there" if post in "ef" else "here") for post in "abcdef"))
    counting.NUMBERS |= dict.fromkeys("abcdef", 5)
    counting.ERRORS |= {"b": Missing("not known"), "d": Refused("private"), "e": GrantLost("wants a credential")}
    results = {one.url[-1]: one for one in night.poll()}
    assert {post for post, one in results.items() if one.outcome is FAILED} == set("bdef")
    assert {post: one.credited for post, one in results.items() if one.outcome is COMPLETE} == {"a": 4, "c": 4}
    assert night.credited == [5, 1, 5, 1, 1, 1]


def test_a_platform_that_names_likers_is_counted_where_its_traits_say_so(night: Night, counting: ModuleType) -> None:
    counting.NUMBERS["1"] = 7
    (added,) = night.add(url(1))
    assert (added.basis, night.poll()[0].outcome, night.credited) == (Basis.COUNT, COMPLETE, [7])


def test_a_platform_that_names_likers_is_counted_when_a_person_wants_it(night: Night, clock: Clock) -> None:
    with SimulatedPlatform(World(clock), DIALECT) as platform:
        post = platform.world.publish(DIALECT)
        for number in range(100):
            post.like(f"fan-{number}")
        (added,) = night.add(platform.url_of(post), basis=Basis.COUNT)
        post.like("late")
        (result,) = night.poll()
        assert (added.basis, added.displayed, result.credited, night.credited) == (Basis.COUNT, 100, 1, [101])
        assert (night.contest.status.entries[0].held, platform.asked(Kind.LIKES)) == (None, ())


@pytest.mark.parametrize(
    ("stated", "likes"),
    [({}, (0, 7)), ({"credit_existing": "agreed"}, (7, 0)), ({"published_at": KICK_OFF}, (7, 0))],
)
def test_the_number_of_a_post_when_it_is_added_is_kept_and_booked(
    night: Night, counting: ModuleType, stated: dict[str, Any], likes: tuple[int, int]
) -> None:
    counting.PUBLISHED.clear()
    counting.NUMBERS["1"] = 7
    (added,) = night.add(url(1), **stated)
    status = night.contest.status
    assert (status.likes.credited, status.likes.baseline) == likes
    assert (added.displayed, added.is_older_than_window) == (7, not stated)
    counting.NUMBERS["1"] = 9
    night.poll()
    assert night.credited == [likes[0] + 2]


def test_a_post_added_again_earns_only_what_is_new(night: Night, counting: ModuleType) -> None:
    counting.NUMBERS["1"] = 7
    night.add(url(1))
    with night.contest.writing() as session:
        remove_entry(session, night.contest.facts, url(1), None)
    counting.NUMBERS["1"] = 9
    (added,) = night.add(url(1), basis=Basis.IDENTITY)
    assert (added.basis, night.credited) == (Basis.COUNT, [9])


def test_a_defect_of_the_connector_ends_its_batch_alone_and_is_not_taken_for_the_last_reading(
    night: Night, counting: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    counting.NUMBERS |= {"1": 7, "2": 7}
    night.add(url(1), url(2, "there"))
    counting.NUMBERS["2"] = 9
    counting.ERRORS["1"] = KeyError("a defect of the connector")
    results = night.poll()
    assert [(one.outcome, one.credited) for one in results] == [(FAILED, 0), (COMPLETE, 2)]
    assert [one.last_sweep.outcome for one in night.contest.status.entries if one.last_sweep] == [FAILED, COMPLETE]
    assert night.credited == [7, 9]
    assert "a defect of the connector" in caplog.text


def test_a_trial_of_a_counted_post_earns_the_number_it_shows(
    settings: Settings, counting: ModuleType, clock: Clock
) -> None:
    counting.NUMBERS |= {"1": 7, "2": None}
    trial = try_posts([url(1), url(2)], settings, now=clock, sleep=lambda _: None)
    assert [(one.basis, one.displayed, one.held, one.gap, one.likes) for one in trial.posts] == [
        (Basis.COUNT, 7, None, None, 7),
        (Basis.COUNT, None, None, None, 0),
    ]
    assert (trial.likes, trial.bytes) == (7, 70_000_000)


# Real processes.

POSTS, KILLS = 24, 10


class Scene:
    """A contest of posts that all show the number in a file, in a database of its own."""

    def __init__(self, folder: Path, database_url: str, site: Path) -> None:
        self._file = folder / "number"
        self.environment = without_pytest(os.environ) | {
            "PYTHONPATH": str(site),
            "COUNTING_NUMBER": str(self._file),
            "HARVESTER_CONFIG": str(folder / "config.toml"),
            "HARVESTER_DATABASE__URL": database_url,
        }
        self.database = Database(database_url)
        self.number = 0
        self.rise()

    def rise(self) -> None:
        """Let every post show one like more."""
        self.number += 1
        self._file.write_text(str(self.number))

    def set_up(self, nursery: Nursery) -> None:
        window = ("--start", "2020-01-01", "--end", "2100-01-01")
        links = [url(number, f"realm-{number % 2}") for number in range(POSTS)]
        assert nursery.run("init") == 0, nursery.said()
        assert nursery.run("campaign", "add", "cup", "--name", "The cup", *window) == 0, nursery.said()
        assert nursery.run("post", "add", "cup", *links, "--published", "2021-01-01") == 0, nursery.said()

    @property
    def status(self) -> StatusView:
        with self.database.reading() as session:
            return status_of(session, find_campaign(session, "cup"), utc_now())

    @property
    def is_exact(self) -> bool:
        """Tell whether every like that any post ever showed is credited once."""
        likes, credited = self.status.likes.credited, self.status.bytes.credited
        return (likes, credited) == (POSTS * self.number, POSTS * self.number * 10_000_000)


@pytest.fixture
def scene(tmp_path: Path, database_url: str, site: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path, database_url, site)
    yield scene
    scene.database.engine.dispose()


@pytest.mark.crash
def test_readings_killed_at_any_instant_end_exact(scene: Scene, tmp_path: Path) -> None:
    chance, left_at = random.Random(KILLS), set()
    with closing(Nursery(scene.environment, tmp_path)) as nursery:
        scene.set_up(nursery)
        start = startup_of(nursery)
        for _ in range(KILLS):
            scene.rise()
            code = nursery.run("poll", kill_after=start * chance.uniform(0.5, 2.5))
            assert code in (-signal.SIGKILL, 0), nursery.said()
            left_at.add(scene.status.likes.credited)
            assert scene.status.likes.credited * 10_000_000 == scene.status.bytes.credited
        assert len(left_at) > 2, f"the kills missed the work: {left_at}"
        assert nursery.run("poll") == 0, nursery.said()
        assert scene.is_exact
        transfers = scene.status.checkpoint
        assert nursery.run("poll") == 0, nursery.said()
        assert scene.status.checkpoint == transfers


@pytest.mark.crash
def test_two_processes_that_read_the_same_posts_at_once_credit_them_once(scene: Scene, tmp_path: Path) -> None:
    with ExitStack() as stack:
        nurseries = [stack.enter_context(closing(Nursery(scene.environment, tmp_path))) for _ in range(2)]
        threads = stack.enter_context(ThreadPoolExecutor(2))
        scene.set_up(nurseries[0])
        for _ in range(4):
            scene.rise()
            assert list(threads.map(lambda nursery: nursery.run("poll"), nurseries)) == [0, 0], nurseries[0].said()
            assert scene.is_exact
