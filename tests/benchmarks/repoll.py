"""How many requests a re-poll makes, counts included, on a platform that lists its newest likers first."""

from collections.abc import Iterator
from math import ceil

from measure import Row
from stage import contest, new_sqlite

from harvester.rehearsal.mastodon import Mastodon
from harvester.rehearsal.server import SimulatedPlatform
from harvester.rehearsal.world import SimulatedPost, World

PAGE = 80
NEW_LIKES = (0, 1, 79, 80, 200)


def rows() -> Iterator[Row]:
    world = World()
    post = world.publish(Mastodon())
    with SimulatedPlatform(world, Mastodon()) as platform, new_sqlite() as url:
        _like(post, 5 * PAGE)
        with contest(url, platform.origin, platform.url_of(post)) as ready:
            ready.poll(full=True, credited=5 * PAGE)
            for new in NEW_LIKES:
                _like(post, new)
                before = len(platform.requests)
                ready.poll(full=False, credited=new)
                requests, most = len(platform.requests) - before, ceil(new / PAGE) + 1
                what = f"requests of a re-poll with {new} new likes"
                yield Row(what=what, goal=f"<= {most}", measured=str(requests), is_reached=requests <= most)


def _like(post: SimulatedPost, number: int) -> None:
    known = post.displayed()
    for liker in range(known, known + number):
        post.like(f"liker-{liker}")
