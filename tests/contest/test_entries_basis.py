"""What an entry is credited by: its platform's habit, or a person's word where the platform can keep it."""

import pytest

from harvester.connector import Basis, Http, Page, Post, Traits
from harvester.contest.entries import basis_of
from harvester.errors import UsageError
from tests.factories import CountingPlatform, FakePlatform


class CountedByDefault(FakePlatform):
    """Names likers, for a price: it is counted unless a person says otherwise."""

    @property
    def traits(self) -> Traits:
        return Traits(basis=Basis.COUNT)


class OnlyNames:
    """Names likers, and has no number."""

    name = "names"
    traits = Traits()

    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        raise AssertionError


@pytest.mark.parametrize(
    ("platform", "wanted", "basis"),
    [
        (FakePlatform(), None, Basis.IDENTITY),
        (FakePlatform(), Basis.IDENTITY, Basis.IDENTITY),
        (FakePlatform(), Basis.COUNT, Basis.COUNT),
        (CountedByDefault(), None, Basis.COUNT),
        (CountedByDefault(), Basis.IDENTITY, Basis.IDENTITY),
        (CountingPlatform(), None, Basis.COUNT),
        (CountingPlatform(), Basis.COUNT, Basis.COUNT),
        (OnlyNames(), None, Basis.IDENTITY),
    ],
)
def test_the_platforms_habit_holds_unless_a_person_says_otherwise(
    platform: FakePlatform, wanted: Basis | None, basis: Basis
) -> None:
    assert basis_of(platform, wanted) is basis


@pytest.mark.parametrize(
    ("platform", "wanted", "words"),
    [
        (CountingPlatform(), Basis.IDENTITY, "counting does not say who liked.*--basis count"),
        (OnlyNames(), Basis.COUNT, "names does not count likes.*--basis identity"),
    ],
)
def test_what_a_platform_cannot_tell_is_refused_with_what_it_can(
    platform: FakePlatform, wanted: Basis, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        basis_of(platform, wanted)
