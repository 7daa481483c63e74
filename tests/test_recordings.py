"""Where recordings come from: every source is named in their README, and none is under a licence we cannot pass on."""

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "recordings"
MAY_BE_PASSED_ON = {"MIT", "MIT OR Apache-2.0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0"}


def _sources() -> list[dict[str, str] | str]:
    files = [json.loads(file.read_text("utf-8")) for file in FOLDER.glob("*/*.json")]
    return [exchange["source"] for file in files for exchange in file["exchanges"]]


def test_every_source_is_named_in_the_readme_and_may_be_passed_on() -> None:
    named = (FOLDER / "README.md").read_text("utf-8")
    sources = [source for source in _sources() if isinstance(source, dict)]
    assert sources
    assert {
        source["repo"].removeprefix("github.com/") for source in sources if source["repo"][11:] not in named
    } == set()
    assert {source["licence"] for source in sources} <= MAY_BE_PASSED_ON


def test_what_is_handwritten_says_what_it_was_shaped_after() -> None:
    assert [source for source in _sources() if isinstance(source, str) and not source.strip()] == []
