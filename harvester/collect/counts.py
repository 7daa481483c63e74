"""Reading the numbers a platform shows for posts, and whether the posts are there at all."""

from collections.abc import Mapping, Sequence

from harvester.collect.http import PoliteSession
from harvester.connector import Connector, Count, CountsLikes, LocatesPosts, Missing, Post

NOT_SHOWN = "the platform does not show this post"


def read_count(connector: Connector, http: PoliteSession, post: Post) -> Count | None:
    """Read a post's count now; None where the platform never says, `Missing` where it leaves the post out."""
    if not isinstance(connector, CountsLikes):
        return None
    found = read_counts(connector, http, [post]).get(post.native_id)
    if found is None:
        raise Missing(NOT_SHOWN)
    return found


def read_counts(connector: Connector, http: PoliteSession, posts: Sequence[Post]) -> Mapping[str, Count]:
    """Read several counts in one request, by native id; a post that is gone is left out."""
    assert isinstance(connector, CountsLikes)
    return {count.native_id: count for count in connector.fetch_counts(http, posts)}


def locate(connector: Connector, http: PoliteSession, post: Post) -> Post:
    """Find the post's stable id where its URL does not give it."""
    return connector.locate(http, post) if isinstance(connector, LocatesPosts) else post
