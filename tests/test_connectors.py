"""The contract every installed connector keeps: each check of the kit, on its own recordings.

A new connector is found by itself, and fails here while it has no recording.
"""

import re
from functools import cache
from pathlib import Path

import pytest

from harvester.collect.registry import claims_on, installed
from harvester.connector import Connector
from harvester.kit import CHECKS, Check, Subject, find_recordings, run
from harvester.kit.subject import proofs_of

DOCS = Path(__file__).parents[1] / "docs" / "connectors.md"

each_connector = pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in installed().items()])
each_check = pytest.mark.parametrize("check", [pytest.param(check, id=check.name) for check in CHECKS])


@cache
def subject_of(kind: type[Connector]) -> Subject:
    """Replay a connector's recordings once for all checks."""
    return Subject(kind=kind, recordings=find_recordings(kind))


@each_connector
@each_check
def test_every_connector_passes_every_check_of_the_kit(kind: type[Connector], check: Check) -> None:
    assert list(run(check, subject_of(kind)).problems) == []


@each_connector
def test_a_connector_is_in_the_documentation(kind: type[Connector]) -> None:
    row = re.search(rf"^\| `{kind.name}` \|.*$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert row, f"{DOCS.name} has no row for {kind.name}"
    assert [proof for proof in proofs_of(subject_of(kind)) if proof not in row[0]] == []


STATUS = "109294719267373593"
RECORD = "3k7qmjev5lr2s"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "likes",
        "https://",
        "https://[",
        "javascript:alert(1)",
        f"ftp://mastodon.social/@user/{STATUS}",
        f"//mastodon.social/@user/{STATUS}",
        # a host that is not what it looks like
        f"https://notbsky.app/profile/alice.example/post/{RECORD}",
        f"https://bsky.app.evil.example/profile/alice.example/post/{RECORD}",
        f"https://www.bsky.app/profile/alice.example/post/{RECORD}",
        f"https://bsky.app:8443/profile/alice.example/post/{RECORD}",
        f"https://bsky.app@evil.example/profile/alice.example/post/{RECORD}",
        f"https://bsky.app:443@evil.example/profile/alice.example/post/{RECORD}",
        f"https://bsky.app\\@evil.example/profile/alice.example/post/{RECORD}",
        f"https://bsky.аpp/profile/alice.example/post/{RECORD}",
        f"https://mastodon.social@evil.example/@user/{STATUS}",
        f"https://mаstodon.social/@user/{STATUS}",
        f"https://mastodon.social./@user/{STATUS}",
        f"https://mastodon.social:0/@user/{STATUS}",
        f"https://mastodon.social:99999/@user/{STATUS}",
        f"https://mastodon.social:https/@user/{STATUS}",
        # a path that is not a post
        f"https://bsky.app/profile/alice.example/post/{RECORD}/liked-by",
        f"https://bsky.app/profile/alice.example/feed/{RECORD}",
        f"https://bsky.app/profile/alice/post/{RECORD}",
        f"https://bsky.app/profile/did:plc:/post/{RECORD}",
        "https://bsky.app/profile/alice.example/post/",
        f"at://did:plc:ic6zqvuw5ulmfpjiwnhsr2ns/app.bsky.feed.generator/{RECORD}",
        f"at://did:plc:ic6zqvuw5ulmfpjiwnhsr2ns/app.bsky.feed.post/{RECORD}/x",
        f"https://mastodon.social/@user/{STATUS}/embed",
        f"https://mastodon.social/@user/{STATUS}x/",
        f"https://mastodon.social/@user/0{STATUS}",
        f"https://mastodon.social/@user/{STATUS}%0a",
        f"https://mastodon.social/@us\ner/{STATUS}",
        f"https://mastodon.social/@\u202euser/{STATUS}",
        f"https://mastodon.social//@user/{STATUS}",
        f"https://mastodon.social/@user@/{STATUS}",
        "https://mastodon.social/@user/followers",
        "https://mastodon.social/@user/12345",
        "https://pixelfed.example/p/user/CxYz123_",
        # other networks
        "https://x.com/@user/1234567890",
        "https://x.com/user/likes/1234567890",
        "https://twitter.com/user/lists/1234567890",
        "https://www.tiktok.com/@user/live/7234567890123456789",
        "https://m.tiktok.com/@user/7234567890123456789",
        "https://www.youtube.com/@channel/shorts123",
        "https://medium.com/@writer/ten-likes-4f3c2a1b0d9e",
        "https://blog.medium.com/@writer/ten-likes-4f3c2a1b0d9e",
        "https://www.threads.net/@user/replies/C8abcdefghi",
        "https://threads.com/@user/123456789",
        "https://www.instagram.com/stories/C8abcdefghi/",
        "https://instagram.com/p/user/123456789",
        "https://m.facebook.com/@user/123456789",
        "https://t.me/@channel/123456",
        "https://vk.com/@group/1234567",
    ],
)
def test_a_url_that_only_looks_like_a_post_is_nobodys(url: str) -> None:
    assert claims_on(url) == []
