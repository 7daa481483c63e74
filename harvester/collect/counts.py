"""Reading the number a platform shows for a post, and whether the post is there at all."""

from harvester.collect.http import PoliteSession
from harvester.connector import Connector, Count, CountsLikes, LocatesPosts, Missing, Post


def read_count(connector: Connector, http: PoliteSession, post: Post) -> Count | None:
    """Read a post's count now; None where the platform never says, `Missing` where it leaves the post out."""
    if not isinstance(connector, CountsLikes):
        return None
    for count in connector.fetch_counts(http, (post,)):
        if count.native_id == post.native_id:
            return count
    raise Missing("the platform does not show this post")


def locate(connector: Connector, http: PoliteSession, post: Post) -> Post:
    """Find the post's stable id where its URL does not give it."""
    return connector.locate(http, post) if isinstance(connector, LocatesPosts) else post
