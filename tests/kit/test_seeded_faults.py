"""A check that cannot fail is worth nothing: each fault is put into a real connector, and the kit must name it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from connectors.bluesky import Bluesky
from connectors.mastodon import Mastodon
from connectors.vk import Vk
from connectors.youtube import Youtube
from harvester.connector import (
    Connector,
    Count,
    GrantLost,
    Http,
    Like,
    Outcome,
    Page,
    Post,
    Refused,
    decode,
    origin_of,
)
from harvester.kit import CHECKS, Subject, find_recordings, run


class HiddenIsZero(Bluesky):
    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(replace(count, likes=count.likes or 0) for count in super().fetch_counts(http, posts))


class HiddenIsZeroToo(Youtube):
    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(replace(count, likes=count.likes or 0) for count in super().fetch_counts(http, posts))


class NextPageIgnored(Mastodon):
    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        return replace(super().fetch_page(http, post, cursor), cursor=None)


class CursorNotSent(Bluesky):
    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        return super().fetch_page(http, post, None)


class EmptyPageEnds(Bluesky):
    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        page = super().fetch_page(http, post, cursor)
        return page if page.likes else replace(page, cursor=None)


class _Account(msgspec.Struct):
    id: str | int


class IdIsANumber(Mastodon):
    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        response = http.get(cursor or f"{post.origin}/api/v1/statuses/{post.native_id}/favourited_by")
        likes = tuple(Like(actor=str(int(account.id))) for account in decode(response, list[_Account]))
        return Page(likes=likes, cursor=None)


class IdIsAFloat(Vk):
    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        page = super().fetch_page(http, post, cursor)
        return replace(page, likes=tuple(replace(like, actor=f"{float(like.actor):.0f}") for like in page.likes))


class CountsItsOwnList(Bluesky):
    def fetch_counts(self, http: Http, posts: Sequence[Post]) -> tuple[Count, ...]:
        return tuple(
            Count(native_id=post.native_id, likes=len(self.fetch_page(http, post, None).likes)) for post in posts
        )


class ErrorIsAnEmptyList(Bluesky):
    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        try:
            return super().fetch_page(http, post, cursor)
        except Outcome:
            return Page(likes=(), cursor=None)


class ForeignHostFollowed(Mastodon):
    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        page = super().fetch_page(http, post, cursor)
        self.origins += (origin_of(page.cursor or ""),)
        return page


class TokenInAMessage(Mastodon):
    def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
        try:
            return super().fetch_page(http, post, cursor)
        except GrantLost as error:
            raise GrantLost(f"refused: {[token.reveal() for token in self._tokens.values()]}") from error


class BodyInAMessage(Youtube):
    def explain(self, response: Any) -> Outcome | None:
        return None if response.is_success else Refused(response.text)


class PauseForgotten(Bluesky):
    def explain(self, response: Any) -> Outcome | None:
        return Refused("too many requests") if response.status_code == 429 else None


class TakesEveryHost(Bluesky):
    @classmethod
    def recognise(cls, url: str) -> Post | None:
        return super().recognise(url) or super().recognise(
            f"https://bsky.app/{url.partition('//')[2].partition('/')[2]}"
        )


FAULTS = [
    (HiddenIsZero, "takes hidden for unknown, not zero", "read as 0"),
    (HiddenIsZeroToo, "takes hidden for unknown, not zero", "read as 0"),
    (NextPageIgnored, "asks what was recorded", "its next page was ignored"),
    (CursorNotSent, "sends the cursor on", "is not sent"),
    (CursorNotSent, "lists rightly on a simulated platform", "the sweep ends failed"),
    (EmptyPageEnds, "goes on after a short page", "is taken for the end of the list"),
    (IdIsANumber, "keeps ids as they are", "an id is text in this API"),
    (IdIsAFloat, "keeps ids as they are", "read as a number that cannot hold it"),
    (CountsItsOwnList, "refuses nobody beside a count", "an empty list beside a count is accepted"),
    (ErrorIsAnEmptyList, "takes no error for a fact", "takes 200 with the error body"),
    (ErrorIsAnEmptyList, "takes no missing list for nobody", "instead of a list is taken for 0 likers"),
    (ForeignHostFollowed, "follows nobody elsewhere", "which only an answer named"),
    (TokenInAMessage, "shows no secret", "shows a token in its message"),
    (BodyInAMessage, "shows no secret", "shows a token in its message"),
    (PauseForgotten, "obeys every pause", "expected Throttled"),
    (TakesEveryHost, "takes no lookalike for a post", "only looks like a post"),
]


def problems(kind: type[Connector], recorded_for: type[Any], name: str) -> tuple[str, ...]:
    """Run one check on a connector, with the recordings of the one that it was made from."""
    (check,) = (one for one in CHECKS if one.name == name)
    return run(check, Subject(kind=kind, recordings=find_recordings(recorded_for))).problems


@pytest.mark.parametrize(("faulty", "check", "words"), FAULTS, ids=[f"{one[0].__name__}-{one[1]}" for one in FAULTS])
def test_the_kit_names_a_fault_and_acquits_the_connector_without_it(faulty: type[Any], check: str, words: str) -> None:
    (honest,) = faulty.__bases__
    assert problems(honest, honest, check) == ()
    assert any(words in problem for problem in problems(faulty, honest, check))


def test_a_crash_is_none_of_the_seven_outcomes() -> None:
    class Crashes(Bluesky):
        def fetch_page(self, http: Http, post: Post, cursor: str | None) -> Page:
            body = http.get(f"{self.origins[0]}/xrpc/app.bsky.feed.getLikes", params={"uri": post.native_id}).json()
            return Page(likes=tuple(Like(actor=one["actor"]["did"]) for one in body["likes"]), cursor=None)

    found = problems(Crashes, Bluesky, "survives hostile answers")
    assert any("none of the seven outcomes" in problem for problem in found)
