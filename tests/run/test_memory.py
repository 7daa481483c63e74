"""A harvest is flat: a post of 200,000 likers takes no more memory than its pages."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.crash

LIKERS, MOST_BYTES = 200_000, 150_000_000

_TRY = """
import json, resource, subprocess, sys
command = [sys.executable, "-c", "from harvester.cli.main import main; main()", "try", sys.argv[1], "--json"]
tried = subprocess.run(command, stdout=subprocess.PIPE)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"code": tried.returncode, "likes": json.loads(tried.stdout)["likes"], "peak": peak}))
"""


@pytest.fixture
def popular_post() -> Iterator[str]:
    """A post that 200,000 people like, served by a process of its own; gives its URL."""
    command = [sys.executable, "-m", "harvester.rehearsal", "--likers", str(LIKERS), "--dialect", "mastodon"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout
        try:
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux alone")
def test_trying_a_post_of_two_hundred_thousand_likers_stays_small(popular_post: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "HARVESTER_HTTP__ALLOW_PRIVATE_HOSTS": "true",
        "HARVESTER_CONNECTORS__MASTODON__BUDGET": "off",
    }
    run = subprocess.run(
        [sys.executable, "-c", _TRY, popular_post], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, check=True
    )
    tried = json.loads(run.stdout)
    assert (tried["code"], tried["likes"]) == (0, LIKERS)
    assert tried["peak"] * 1024 < MOST_BYTES, f"{tried['peak'] / 1000:.0f} MB"
