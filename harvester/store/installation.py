"""An installation at work: its settings, its opened database and master key, and what time it is there."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from harvester.clock import Now, utc_now
from harvester.config import Settings
from harvester.store.database import Database
from harvester.store.keys import MasterKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What every job works with; a rehearsal brings its own time and patience."""

    database: Database
    settings: Settings
    master: MasterKey
    now: Now = utc_now
    sleep: Callable[[float], None] = time.sleep
