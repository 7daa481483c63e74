"""Where recordings are looked for, what becomes of their settings, and a connector that has none."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.bluesky import Bluesky
from harvester.kit import CHECKS, Recordings, Subject, Verdict, find_recordings, run
from harvester.kit.links import lookalikes

RECORDINGS = Path(__file__).parents[1] / "recordings"


class Unproven(Bluesky):
    """Has no recordings beside this file."""


def test_recordings_are_found_beside_the_module_or_in_the_tests_beside_its_folder() -> None:
    found = find_recordings(Bluesky)
    assert found.folder == RECORDINGS / "bluesky"
    assert found.looked_in[0].parts[-3:] == ("connectors", "recordings", "bluesky")


def test_a_connector_without_recordings_fails_one_check_that_says_where_they_were_looked_for() -> None:
    subject = Subject(kind=Unproven, recordings=find_recordings(Unproven))
    findings = {check.name: run(check, subject) for check in CHECKS}
    (problem,) = findings["has recordings that can be replayed"].problems
    assert str(Path(__file__).parent / "recordings" / "bluesky") in problem
    assert findings["survives hostile answers"].verdict is Verdict.NOT_APPLICABLE


def test_a_setting_that_names_a_folder_is_relative_to_the_recording(tmp_path: Path) -> None:
    written = {"what": "files", "urls": ["x"], "exchanges": [], "settings": {"import_folder": "files", "name": "files"}}
    (tmp_path / "one.json").write_text(json.dumps(written), "utf-8")
    (recording,) = Recordings(folder=tmp_path).scenarios.values()
    assert recording.settings == {"import_folder": str(tmp_path / "files"), "name": "files"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"nope": 1}}, "its settings are refused: Object contains unknown field `nope`"),
        ({"urls": ["https://likes.example/1"]}, "the connector does not know https://likes.example/1"),
    ],
)
def test_a_scenario_that_cannot_be_replayed_says_why(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    written = {"what": "", "urls": [Bluesky.url_forms[0]], "exchanges": []} | changes
    (tmp_path / "one.json").write_text(json.dumps(written), "utf-8")
    subject = Subject(kind=Bluesky, recordings=Recordings(folder=tmp_path))
    assert words in subject.unusable["one"]
    assert subject.replays == {}


@pytest.mark.parametrize(
    "url",
    [
        "https://notbsky.app/profile/a.example/post/3k7",
        "https://bsky.app.evil.example/profile/a.example/post/3k7",
        "https://bsky.app@evil.example/profile/a.example/post/3k7",
        "https://bsky.app:8443/profile/a.example/post/3k7",
        "https://bskу.app/profile/a.example/post/3k7",
        "https://bsky.app./profile/a.example/post/3k7",
        "https://bsky.app/profile/a.example/post/3k7/no/such/page/of/a/post",
        "https://bsky.app/profile/a.example/post/3\x00k7",
    ],
)
def test_a_lookalike_of_each_kind_is_derived_from_a_link(url: str) -> None:
    assert url in set(lookalikes("https://bsky.app/profile/a.example/post/3k7", Bluesky))
