"""Serve one simulated post until killed: `python -m harvester.rehearsal --likers 20000 --dialect mastodon`.

Prints one JSON line, {origin, url, id, likers, published_at}, once it answers; for crash tests and benchmarks.
Where the platform wants a token, it is `simulated-token`.
"""

import argparse
import gc
import sys
from datetime import UTC, datetime, timedelta
from signal import pause

import msgspec

from harvester.rehearsal.arrivals import arrival_times
from harvester.rehearsal.catalogue import DIALECTS
from harvester.rehearsal.server import SimulatedPlatform
from harvester.rehearsal.world import World


def main() -> None:
    arguments = _arguments()
    now = datetime.now(UTC)
    published_at = now - timedelta(hours=arguments.hours)
    gc.disable()
    world = World()
    dialect = DIALECTS[arguments.dialect]
    post = world.publish(dialect, at=published_at)
    times = arrival_times(published_at, number=arguments.likers, until=now, seed=arguments.seed)
    for number, at in enumerate(times, start=1):
        post.like(f"liker-{number}", at)
    likers = post.displayed()
    gc.freeze()
    gc.enable()
    with SimulatedPlatform(world, dialect, port=arguments.port) as platform:
        facts = {"origin": platform.origin, "url": platform.url_of(post), "id": post.native_id, "likers": likers}
        line = msgspec.json.encode(facts | {"published_at": published_at}).decode()
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        pause()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harvester.rehearsal", description="Serve one simulated post.")
    parser.add_argument("--likers", type=int, default=1_000)
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="mastodon")
    parser.add_argument("--hours", type=float, default=24, help="how long ago the post was published")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
