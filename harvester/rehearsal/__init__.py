"""Simulated social platforms on loopback: real APIs over real HTTP, a truth to compare with, arrivals and faults.

Nothing here is a real network. `World` holds what truly happened, a dialect says it the way one API does,
`SimulatedPlatform` serves it, and its `faults` make it misbehave.
"""

from harvester.rehearsal.arrivals import arrival_times
from harvester.rehearsal.bluesky import Bluesky
from harvester.rehearsal.dialect import Kind
from harvester.rehearsal.mastodon import GOTOSOCIAL, HOLLO, SHARKEY, TAKAHE, Ids, Mastodon
from harvester.rehearsal.server import SimulatedPlatform
from harvester.rehearsal.world import SimulatedPost, World

__all__ = [
    "GOTOSOCIAL",
    "HOLLO",
    "SHARKEY",
    "TAKAHE",
    "Bluesky",
    "Ids",
    "Kind",
    "Mastodon",
    "SimulatedPlatform",
    "SimulatedPost",
    "World",
    "arrival_times",
]
