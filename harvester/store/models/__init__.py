"""The tables. What happened is appended and never edited; triggers in the migrations refuse anything else.

Rows never leave the core: every room above gives frozen values. Volumes are 64-bit bytes, instants aware UTC.
"""

from harvester.store.models.contests import Allocation, Association, Campaign, Entrant, Rate, Settlement, Winner
from harvester.store.models.entries import Entry, Hole, Observation, Reading, SealedHandles, Supporter, Sweep
from harvester.store.models.ledger import Account, Transfer
from harvester.store.models.operations import Alert, Night, StoredGrant

__all__ = [
    "APPEND_ONLY",
    "Account",
    "Alert",
    "Allocation",
    "Association",
    "Campaign",
    "Entrant",
    "Entry",
    "Hole",
    "Night",
    "Observation",
    "Rate",
    "Reading",
    "SealedHandles",
    "Settlement",
    "StoredGrant",
    "Supporter",
    "Sweep",
    "Transfer",
    "Winner",
]

APPEND_ONLY = ("transfer", "rate", "allocation", "winner", "reading", "hole", "settlement", "night")
"""The tables whose rows no statement may change or remove."""
