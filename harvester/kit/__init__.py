"""The connector kit: what proves that a connector keeps the contract, for authors in this repository and outside it.

`check_connector(Kind)` runs every check of `CHECKS` on a connector and its recordings and gives a `Report`;
`harvester connectors check NAME` prints it.
"""

from harvester.kit.checks import CHECKS, check_connector, run
from harvester.kit.recordings import Recording, Recordings, find_recordings
from harvester.kit.subject import Check, Finding, Report, Subject, Verdict

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "Recording",
    "Recordings",
    "Report",
    "Subject",
    "Verdict",
    "check_connector",
    "find_recordings",
    "run",
]
