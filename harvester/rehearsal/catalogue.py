"""Every platform that can be simulated, by the name of the connector that reads it, in its usual setting."""

from harvester.rehearsal.bluesky import Bluesky
from harvester.rehearsal.dialect import Dialect
from harvester.rehearsal.facebook import FacebookPage
from harvester.rehearsal.instagram import Instagram
from harvester.rehearsal.mastodon import Mastodon
from harvester.rehearsal.threads import Threads
from harvester.rehearsal.tiktok import Tiktok
from harvester.rehearsal.youtube import Youtube

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (Mastodon(), Bluesky(), FacebookPage(), Instagram(), Threads(), Tiktok(), Youtube())
}
