"""Simulated social platforms on loopback: real APIs over real HTTP, a truth to compare with, arrivals and faults.

Nothing here is a real network. `World` holds what truly happened, a dialect says it the way one API does,
`SimulatedPlatform` serves it, and its `faults` make it misbehave; an `OAuthServer` grants access to it.
"""

from harvester.rehearsal.arrivals import arrival_times
from harvester.rehearsal.bluesky import Bluesky
from harvester.rehearsal.catalogue import DIALECTS
from harvester.rehearsal.dialect import Kind
from harvester.rehearsal.facebook import FacebookPage
from harvester.rehearsal.instagram import Instagram
from harvester.rehearsal.mastodon import GOTOSOCIAL, HOLLO, SHARKEY, TAKAHE, Ids, Mastodon
from harvester.rehearsal.oauth import GrantRules, OAuthServer
from harvester.rehearsal.server import SimulatedPlatform
from harvester.rehearsal.threads import Threads
from harvester.rehearsal.tiktok import Tiktok
from harvester.rehearsal.tokens import Tokens
from harvester.rehearsal.world import SimulatedPost, World
from harvester.rehearsal.youtube import Youtube

__all__ = [
    "DIALECTS",
    "GOTOSOCIAL",
    "HOLLO",
    "SHARKEY",
    "TAKAHE",
    "Bluesky",
    "FacebookPage",
    "GrantRules",
    "Ids",
    "Instagram",
    "Kind",
    "Mastodon",
    "OAuthServer",
    "SimulatedPlatform",
    "SimulatedPost",
    "Threads",
    "Tiktok",
    "Tokens",
    "World",
    "Youtube",
    "arrival_times",
]
