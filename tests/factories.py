"""What tests of the count are made of: a clock turned by hand, a platform in memory, a contest in a real database.

A pytest plugin (tests/conftest.py names it), so its fixtures are everywhere.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from cryptography.fernet import Fernet
from sqlmodel import Session, select

from harvester.books.credit import Desk
from harvester.books.ledger import campaign_accounts, distribute
from harvester.collect.http import PoliteClient
from harvester.collect.progress import Ending
from harvester.collect.readings import read_entries
from harvester.collect.registry import Platform
from harvester.collect.sweep import Job, sweep_entry
from harvester.config import HttpSettings
from harvester.connector import Basis, Count, Http, Like, LikeTime, Order, Page, Post, Traits
from harvester.contest.associations import AssociationFacts, add_association, assign_association
from harvester.contest.campaigns import CampaignFacts, NewCampaign, add_campaign, change_rate, find_campaign
from harvester.report.views import EntryView, StatusView, status_of
from harvester.store.database import Database
from harvester.store.keys import CampaignKey, MasterKey
from harvester.store.kinds import Keeps, SweepOutcome, UniquePer
from harvester.store.models import Entry
from harvester.volume import Volume

KICK_OFF = datetime(2027, 1, 21, 20, tzinfo=UTC)
"""Now, when a test begins; a contest of `make_contest` began an hour ago."""

HIDDEN = "hidden"


@dataclass(slots=True)
class Clock:
    """Time that stands still until a test moves it."""

    at: datetime = KICK_OFF

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


class NoSettings(msgspec.Struct):
    """A connector without a choice."""


@dataclass
class FakePlatform:
    """A connector over a list in memory, newest liker first, with cursors that hold while the list changes.

    It lists only the newest `depth_limit`. `displayed` overrides the count it shows; `before` says what happens at the
    nth request for a page (from 1): an error is raised, a page is the answer, anything else is called and its page, if
    it gives one, is the answer.
    """

    name: ClassVar[str] = "fake"
    hosts: ClassVar[tuple[str, ...]] = ()
    url_forms: ClassVar[tuple[str, ...]] = ("fake://post",)
    settings_type: ClassVar[type[msgspec.Struct]] = NoSettings
    origins: ClassVar[tuple[str, ...]] = ()

    likers: Sequence[str] = ()
    page_max: int = 2
    order: Order = Order.SERVER_DESC
    time: LikeTime = LikeTime.NONE
    cursor_life: timedelta = timedelta(hours=1)
    depth_limit: int | None = None
    handle_retention: timedelta | None = None
    published_at: datetime | None = None
    displayed: int | str | None = None
    before: dict[int, Any] = field(default_factory=dict)
    count_error: Exception | None = None
    asked: list[tuple[str | None, int]] = field(default_factory=list)
    times: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self._rows: list[tuple[int, str]] = []
        self.like(*reversed(self.likers))

    @property
    def traits(self) -> Traits:
        return Traits(
            order=self.order,
            time=self.time,
            page_max=self.page_max,
            cursor_life=self.cursor_life,
            depth_limit=self.depth_limit,
            handle_retention=self.handle_retention,
        )

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        return None

    def like(self, *names: str) -> None:
        """Like, one after the other; the last one is listed first."""
        for name in names:
            self._rows.insert(0, (next(self._numbers), name))

    def unlike(self, *names: str) -> None:
        self._rows = [row for row in self._rows if row[1] not in names]

    @property
    def standing(self) -> list[str]:
        return [name for _, name in self._rows]

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        if self.count_error:
            raise self.count_error
        likes = len(self._rows) if self.displayed is None else self.displayed
        shown = likes if isinstance(likes, int) else None
        return tuple(Count(native_id=post.native_id, likes=shown, published_at=self.published_at) for post in posts)

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        self.asked.append((cursor, http.page_size))
        act = self.before.pop(len(self.asked), None)
        if isinstance(act, Exception):
            raise act
        answer = act() if callable(act) else act
        return answer if isinstance(answer, Page) else self._page(cursor, http.page_size)

    def _page(self, cursor: str | None, size: int) -> Page:
        listed = self._rows[: self.depth_limit]
        rest = [row for row in listed if cursor is None or row[0] < int(cursor)]
        likes = tuple(Like(actor=name, handle=f"@{name}", at=self.times.get(name)) for _, name in rest[:size])
        return Page(likes=likes, cursor=str(rest[size - 1][0]) if len(rest) > size else None)


@dataclass
class CountingPlatform:
    """A connector that only counts: `numbers` by native id, HIDDEN for a hidden one; a post without a number is gone.

    `before` says what happens at the nth request (from 1): an error is raised, anything else is called. `spoilt` names
    the posts with which no request succeeds, and the error that each one causes.
    """

    name: ClassVar[str] = "counting"
    hosts: ClassVar[tuple[str, ...]] = ()
    url_forms: ClassVar[tuple[str, ...]] = ("counting://post",)
    settings_type: ClassVar[type[msgspec.Struct]] = NoSettings
    origins: ClassVar[tuple[str, ...]] = ()

    numbers: dict[str, int | str] = field(default_factory=dict)
    batch_max: int = 50
    published_at: datetime | None = None
    before: dict[int, Any] = field(default_factory=dict)
    spoilt: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def traits(self) -> Traits:
        return Traits(batch_max=self.batch_max)

    @classmethod
    def recognise(cls, url: str) -> Post | None:
        return None

    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        self.asked.append(tuple(post.native_id for post in posts))
        act = self.before.pop(len(self.asked), None)
        for error in (act, *(self.spoilt.get(post.native_id) for post in posts)):
            if isinstance(error, Exception):
                raise error
        if act:
            act()
        return tuple(self._count(post.native_id) for post in posts if post.native_id in self.numbers)

    def _count(self, native_id: str) -> Count:
        number = self.numbers[native_id]
        likes = number if isinstance(number, int) else None
        return Count(native_id=native_id, likes=likes, published_at=self.published_at)


def page_of(*likers: str, cursor: str | None = None) -> Page:
    """Write a page by hand."""
    return Page(likes=tuple(Like(actor=name) for name in likers), cursor=cursor)


def scripted(*pages: Page, displayed: int | str | None = HIDDEN, **traits: Any) -> FakePlatform:
    """Make a platform that gives these pages in this order, whatever is asked."""
    return FakePlatform(before=dict(enumerate(pages, start=1)), displayed=displayed, **traits)


def _no_network(_: httpx.Request) -> httpx.Response:
    raise AssertionError("a platform in memory needs no network")


@dataclass
class Contest:
    """A campaign in a real database, and the steps of a night by hand."""

    database: Database
    clock: Clock
    master: MasterKey
    slug: str

    @property
    def facts(self) -> CampaignFacts:
        with self.database.reading() as session:
            return find_campaign(session, self.slug)

    @property
    def key(self) -> CampaignKey:
        return self.master.open_campaign_key(self.facts.sealed_key, self.slug)

    @property
    def status(self) -> StatusView:
        with self.database.reading() as session:
            return status_of(session, self.facts, self.clock())

    def entry(self, entry_id: int) -> EntryView:
        """Give what `status` says of one entry."""
        with self.database.reading() as session:
            native_id = session.get_one(Entry, entry_id).native_id
        return next(one for one in self.status.entries if one.post_id == native_id)

    def add_entry(self, native_id: str = "1", *, realm: str = "fake:here", **stated: Any) -> int:
        """Put a post into the campaign; by default it was published when the contest began."""
        row = {"published_at": self.facts.rules.starts_at, "basis": Basis.IDENTITY} | stated
        with self.database.writing() as session:
            entry = Entry(
                campaign_id=self.facts.id,
                connector="fake",
                realm=realm,
                native_id=native_id,
                url=f"https://fake.example/{native_id}",
                pasted_url=f"https://fake.example/{native_id}",
                added_at=self.clock(),
                **row,
            )
            session.add(entry)
            session.flush()
            assert entry.id is not None
            return entry.id

    def job(self, entry_id: int, platform: Any, **other: Any) -> Job:
        """Describe a sweep as `poll` would."""
        with self.database.reading() as session:
            entry = session.get_one(Entry, entry_id)
            accounts = campaign_accounts(session, entry.campaign_id)
        rules = self.facts.rules
        client = PoliteClient(HttpSettings(), now=self.clock, transport=httpx.MockTransport(_no_network))
        desk = Desk(
            entry_id=entry_id,
            accounts=accounts,
            rules=rules,
            seal=self.key.seal if platform.traits.handle_retention else None,
            handles_expire_at=self.clock() + (platform.traits.handle_retention or timedelta(0)),
        )
        job = Job(
            database=self.database,
            platform=Platform(platform, client),
            post=Post(platform="fake", native_id=entry.native_id, realm=entry.realm, url=entry.url),
            desk=desk,
            key=self.key,
            published_at=entry.published_at,
            credits_existing=entry.credit_existing is not None,
            now=self.clock,
            should_stop=lambda: False,
        )
        return replace(job, **other)

    def sweep(self, entry_id: int, platform: Any, *, full: bool = False, **other: Any) -> Ending:
        """Sweep an entry; a minute passes."""
        ending = sweep_entry(self.job(entry_id, platform, **other), wants_full=full)
        self.clock.forward(minutes=1)
        return ending

    def read(self, entry_ids: Sequence[int], platform: Any, **other: Any) -> Mapping[int, Ending]:
        """Read entries that are only counted, in one batch; a minute passes."""
        endings = read_entries([self.job(entry_id, platform, **other) for entry_id in entry_ids])
        self.clock.forward(minutes=1)
        return endings

    def distribute(self) -> int:
        with self.database.writing() as session:
            return distribute(session, self.facts.id, reason="credited likes", author="test", at=self.clock())

    def add_association(self, slug: str) -> None:
        with self.database.writing() as session:
            add_association(session, AssociationFacts(slug=slug, name=slug, city="Rabat", region="Rabat"))

    def assign(self, slug: str, share_ppm: int | None) -> int:
        with self.database.writing() as session:
            return assign_association(
                session, self.facts, slug, share_ppm, reason="decided", author="test", now=self.clock()
            )

    def change_rate(self, rate: int, valid_from: datetime) -> None:
        with self.database.writing() as session:
            change_rate(
                session, self.facts, Volume(rate), valid_from, reason="decided", author="test", now=self.clock()
            )

    @contextmanager
    def writing(self) -> Iterator[Session]:
        with self.database.writing() as session:
            yield session

    def rows(self, table: type[Any], **wanted: Any) -> list[Any]:
        """Read rows of a table, in order of their key."""
        with self.database.reading() as session:
            return list(session.exec(select(table).filter_by(**wanted).order_by(*table.__table__.primary_key)))


COMPLETE = Ending(outcome=SweepOutcome.COMPLETE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An up-to-date database, once of each kind: `database_url` makes it so for whom asks for this."""
    database = Database(database_url)
    database.check_is_current()
    yield database
    database.engine.dispose()


@pytest.fixture
def make_contest(database: Database, clock: Clock) -> Callable[..., Contest]:
    """Make a campaign that began an hour ago and lasts 30 days, 10 bytes a like, unless said otherwise."""
    return partial(_make_contest, database, clock, count(1))


@pytest.fixture
def contest(make_contest: Callable[..., Contest]) -> Contest:
    return make_contest()


@pytest.fixture
def make_contest_on(clock: Clock) -> Iterator[Callable[..., Contest]]:
    """Make a campaign in a database of one kind: `make_contest_on(postgresql_url)`."""
    numbers = count(1)
    with ExitStack() as stack:

        def make(url: str, **rules: Any) -> Contest:
            database = Database(url)
            stack.callback(database.engine.dispose)
            database.upgrade()
            return _make_contest(database, clock, numbers, **rules)

        yield make


def _make_contest(
    database: Database,
    clock: Clock,
    numbers: Iterator[int],
    *,
    rate: int = 10,
    cap: int | None = None,
    floor: int | None = None,
    keeps: Keeps = Keeps.EVER,
    unique_per: UniquePer = UniquePer.POST,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Contest:
    starts_at = starts_at or clock() - timedelta(hours=1)
    new = NewCampaign(
        slug=f"contest-{next(numbers)}",
        name="A contest",
        starts_at=starts_at,
        ends_at=ends_at or starts_at + timedelta(days=30),
        zone=ZoneInfo("Africa/Casablanca"),
        rate=Volume(rate),
        cap=Volume(cap) if cap else None,
        floor=Volume(floor) if floor else None,
        keeps=keeps,
        unique_per=unique_per,
    )
    master = MasterKey(Fernet.generate_key().decode(), "the test")
    with database.writing() as session:
        add_campaign(session, master, new, author="test", now=starts_at)
    return Contest(database, clock, master, new.slug)
