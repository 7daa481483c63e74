"""Every installed connector before mutated answers, the same ones in every run.

A few thousand cases in a usual run; `HARVESTER_FUZZ_CASES=100000` spreads that many over all connectors.
"""

import os

import pytest

from harvester.collect.registry import installed
from harvester.connector import Connector
from harvester.kit import Subject, find_recordings
from harvester.kit.fuzz import fuzz

CASES = int(os.environ.get("HARVESTER_FUZZ_CASES", "4000"))


@pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in installed().items()])
def test_only_outcomes_and_valid_values_come_of_mutated_answers(kind: type[Connector]) -> None:
    subject = Subject(kind=kind, recordings=find_recordings(kind))
    assert list(fuzz(subject, cases=CASES // len(installed()), seed=2027)) == []
