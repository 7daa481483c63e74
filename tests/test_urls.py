"""Every form of a post's link belongs to exactly one connector, and what only looks like one to none."""

import pytest

from harvester.collect.registry import claims_on, installed

FORMS = {
    "bluesky": (
        "https://bsky.app/profile/alice.example/post/3k7qmjev5lr2s",
        "https://bsky.app/profile/did:plc:ic6zqvuw5ulmfpjiwnhsr2ns/post/3k7qmjev5lr2s?ref=share",
        "at://did:plc:ic6zqvuw5ulmfpjiwnhsr2ns/app.bsky.feed.post/3k7qmjev5lr2s",
    ),
    "csv": ("csv://snapchat/AX-12", "csv://partner_2027/118"),
    "discord": (
        "https://discord.com/channels/41771983423143937/155101607195836416/866034000852942849",
        "https://ptb.discord.com/channels/41771983423143937/155101607195836416/866034000852942849",
        "https://discordapp.com/channels/41771983423143937/155101607195836416/866034000852942849/",
    ),
    "facebook_page": (
        "https://www.facebook.com/khatwatkhir/posts/10158762930471234",
        "https://www.facebook.com/khatwatkhir/posts/ten-likes/10158762930471234/",
        "https://www.facebook.com/khatwatkhir/posts/pfbid02abcDEFghiJKLmnoPQRstuVWXyz1234567890",
        "https://m.facebook.com/story.php?story_fbid=10158762930471234&id=104958162837",
        "https://www.facebook.com/permalink.php?story_fbid=10158762930471234&id=104958162837",
        "https://www.facebook.com/permalink.php?id=104958162837&story_fbid=pfbid02abcDEFghiJKLmnoPQRstuVWXyz12345678",
        "https://web.facebook.com/khatwatkhir/videos/10158762930471234/",
        "https://www.facebook.com/khatwatkhir/photos/a.104958162837/10158762930471234/?type=3",
        "https://www.facebook.com/watch?v=10158762930471234",
        "https://www.facebook.com/watch/?v=10158762930471234&ref=sharing",
        "https://www.facebook.com/photo?fbid=10158762930471234&set=a.104958162837",
        "https://www.facebook.com/photo/?fbid=10158762930471234",
        "https://ar-ar.facebook.com/reel/10158762930471234",
        "https://www.facebook.com/share/p/1AbCdEfGhI/",
        "https://www.facebook.com/share/v/1AbCdEfGhI/?mibextid=wwXIfr",
        "https://fb.watch/aBcDeFgHiJ/",
    ),
    "flickr": (
        "https://www.flickr.com/photos/khatwatkhir/52123456789/",
        "https://www.flickr.com/photos/12345678@N00/52123456789/in/photostream/",
        "https://flic.kr/p/2npqRsT",
    ),
    "instagram": (
        "https://www.instagram.com/p/C8abcdefghi/",
        "https://instagram.com/reel/C8abcdefghi/?igsh=MzRlODBiNWFlZA==",
        "https://www.instagram.com/reels/C8abcdefghi/",
        "https://www.instagram.com/tv/C8abcdefghi/",
        "https://www.instagram.com/khatwatkhir/p/C8abcdefghi/",
        "https://www.instagram.com/khatwatkhir/reel/C8abcdefghi/",
    ),
    "linkedin_page": (
        "https://www.linkedin.com/feed/update/urn:li:activity:7123456789012345678",
        "https://www.linkedin.com/feed/update/urn:li:share:7123456789012345678/",
        "https://www.linkedin.com/feed/update/urn%3Ali%3AugcPost%3A7123456789012345678",
        "https://www.linkedin.com/posts/khatwatkhir_ten-likes-activity-7123456789012345678-aBcD",
        "https://ma.linkedin.com/posts/khatwatkhir_ten-likes-ugcPost-7123456789012345678-aBcD?utm_source=share",
    ),
    "mastodon": (
        "https://mastodon.social/@user/109294719267373593",
        "https://social.example/@user@mastodon.social/109294719267373593",
        "https://mastodon.social/web/@user/109294719267373593",
        "https://mastodon.social/deck/@user/109294719267373593",
        "https://mastodon.social/users/user/statuses/109294719267373593",
        "https://gotosocial.example/@user/statuses/01FBVD42CQ3ZEEVMW180SBX03B",
        "https://pixelfed.example/p/user/612345678901234567",
    ),
    "misskey": ("https://misskey.io/notes/9abcdefghi", "https://social.example/notes/01h2abcdefghijklmnop"),
    "peertube": (
        "https://tube.example/w/kkGMgK9ZtnKfYAgnEtQxbv",
        "https://tube.example/w/9c9de5e8-0a1e-484a-b099-e80766180a6d",
        "https://tube.example/videos/watch/9c9de5e8-0a1e-484a-b099-e80766180a6d",
    ),
    "pinterest": ("https://www.pinterest.com/pin/813744226420795884/", "https://pin.it/4aBcDeFgH"),
    "telegram": (
        "https://t.me/khatwatkhir/118",
        "https://t.me/s/khatwatkhir/118",
        "https://t.me/c/1234567890/118",
        "https://t.me/khatwatkhir/7/118",
    ),
    "threads": (
        "https://www.threads.net/@khatwatkhir/post/C8abcdefghi",
        "https://www.threads.com/@khatwatkhir/post/C8abcdefghi?xmt=AQ",
        "https://threads.net/t/C8abcdefghi/",
    ),
    "tiktok": (
        "https://www.tiktok.com/@khatwatkhir/video/7234567890123456789",
        "https://www.tiktok.com/@khatwatkhir/photo/7234567890123456789?is_from_webapp=1",
        "https://vm.tiktok.com/ZMabcdefg/",
        "https://vt.tiktok.com/ZSabcdefg/",
        "https://www.tiktok.com/t/ZTabcdefg/",
    ),
    "tumblr": (
        "https://khatwatkhir.tumblr.com/post/167892345678",
        "https://khatwatkhir.tumblr.com/post/167892345678/ten-likes",
        "https://www.tumblr.com/khatwatkhir/167892345678/ten-likes",
    ),
    "vimeo": (
        "https://vimeo.com/76979871",
        "https://vimeo.com/76979871/a1b2c3d4e5",
        "https://player.vimeo.com/video/76979871",
    ),
    "vk": (
        "https://vk.com/wall-1_395554",
        "https://m.vk.com/wall-1_395554",
        "https://vk.com/feed?w=wall-1_395554",
        "https://vk.com/club1?z=photo-1_456239017%2Fwall-1_395554",
        "https://vk.com/video-1_456239018",
        "https://vk.ru/clip-1_456239019",
    ),
    "x": (
        "https://x.com/khatwatkhir/status/1234567890123456789",
        "https://twitter.com/khatwatkhir/status/1234567890123456789?s=20",
        "https://mobile.twitter.com/khatwatkhir/statuses/1234567890123456789",
        "https://x.com/i/web/status/1234567890123456789",
        "https://x.com/i/status/1234567890123456789",
        "https://x.com/khatwatkhir/status/1234567890123456789/photo/1",
    ),
    "youtube": (
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?list=PLabc&v=dQw4w9WgXcQ&t=42s",
        "https://m.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://youtu.be/dQw4w9WgXcQ?si=abc",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/live/dQw4w9WgXcQ?feature=share",
        "https://www.youtube.com/embed/dQw4w9WgXcQ",
    ),
}
EVERY_FORM = [pytest.param(name, url, id=url) for name, urls in FORMS.items() for url in urls]
FREE_ENDS = {  # the id is in the query, or a slug of any words follows it
    "https://www.flickr.com/photos/12345678@N00/52123456789/in/photostream/",
    "https://khatwatkhir.tumblr.com/post/167892345678/ten-likes",
    "https://www.tumblr.com/khatwatkhir/167892345678/ten-likes",
    "https://vk.com/feed?w=wall-1_395554",
    "https://vk.com/club1?z=photo-1_456239017%2Fwall-1_395554",
    *FORMS["csv"],
}
WITH_A_SITE = [
    pytest.param(url, id=url)
    for name, urls in FORMS.items()
    if installed()[name].hosts
    for url in urls
    if url.startswith("https://")
]


def test_no_connector_is_left_out() -> None:
    assert set(FORMS) == set(installed())


@pytest.mark.parametrize(("name", "url"), EVERY_FORM)
def test_every_form_of_a_link_belongs_to_exactly_one_connector(name: str, url: str) -> None:
    assert [post.platform for post in claims_on(url)] == [name]


@pytest.mark.parametrize(("name", "url"), EVERY_FORM)
def test_what_a_person_pastes_around_a_link_does_not_matter(name: str, url: str) -> None:
    (post,) = claims_on(url)
    (pasted,) = claims_on(f"  {url}\n")
    assert (pasted.native_id.strip(), pasted.realm) == (post.native_id, post.realm)


@pytest.mark.parametrize("url", WITH_A_SITE)
@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("https://", "https://evil.example@"),
        ("https://", "https://user:password@"),
        ("https://", "ftp://"),
        ("https://", "//"),
        ("https://", "https:/"),
        ("https://", "javascript:https://"),
    ],
)
def test_a_link_whose_beginning_is_not_what_it_seems_is_nobodys(url: str, what: str, instead: str) -> None:
    assert claims_on(url.replace(what, instead, 1)) == []


@pytest.mark.parametrize("url", WITH_A_SITE)
@pytest.mark.parametrize("site", ["not{}", "{}.evil.example", "{}x"])
def test_a_site_with_nearly_the_same_name_is_nobodys(url: str, site: str) -> None:
    (post,) = claims_on(url)
    hosts = [host for host in installed()[post.platform].hosts if host in url]
    assert hosts
    assert claims_on(url.replace(hosts[0], site.format(hosts[0]), 1)) == []


@pytest.mark.parametrize("url", WITH_A_SITE)
@pytest.mark.parametrize(
    "host", ["{}.evil.example", "{}:8443", "{}.", "{}@evil.example", "{}\\@evil.example", "{}%2eevil"]
)
def test_a_link_whose_host_is_not_what_it_seems_is_nobodys(url: str, host: str) -> None:
    scheme, _, rest = url.partition("://")
    real, _, path = rest.partition("/")
    assert claims_on(f"{scheme}://{host.format(real)}/{path}") == []


@pytest.mark.parametrize("url", WITH_A_SITE)
@pytest.mark.parametrize(
    ("letter", "homograph"), [("a", "а"), ("e", "е"), ("o", "о"), ("t", "т"), ("i", "і"), ("x", "х")]
)
def test_a_host_in_letters_that_only_look_alike_is_nobodys(url: str, letter: str, homograph: str) -> None:
    scheme, _, rest = url.partition("://")
    real, _, path = rest.partition("/")
    assert letter not in real or claims_on(f"{scheme}://{real.replace(letter, homograph)}/{path}") == []


@pytest.mark.parametrize("url", sorted({url for urls in FORMS.values() for url in urls} - FREE_ENDS))
@pytest.mark.parametrize("junk", ["/../../admin", "%0a", "%00", "\u202e", "\u200b", "<script>"])
def test_a_path_with_junk_at_its_end_is_nobodys(url: str, junk: str) -> None:
    path, mark, query = url.partition("?")
    assert claims_on(f"{path.rstrip('/')}{junk}{mark}{query}") == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "likes",
        "https://",
        "https://[",
        "https://notinstagram.com/p/C8abcdefghi/",
        "https://instagram.com.evil.example/p/C8abcdefghi/",
        "https://www.instagram.com/khatwatkhir/",
        "https://www.instagram.com/stories/khatwatkhir/3141592653589793238/",
        "https://www.facebook.com/khatwatkhir",
        "https://www.facebook.com/groups/1234567890/posts/10158762930471234/",
        "https://www.youtube.com/@khatwatkhir",
        "https://www.youtube.com/playlist?list=PLabcdefghi",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQQ",
        "https://www.tiktok.com/@khatwatkhir",
        "https://x.com/khatwatkhir",
        "https://x.com/khatwatkhir/status/12345678901234567890123",
        "https://www.linkedin.com/company/khatwatkhir",
        "https://t.me/khatwatkhir",
        "https://t.me/joinchat/AAAAAEHbEkejzxUjAUCfYg",
        "https://discord.com/channels/@me/155101607195836416/866034000852942849",
        "https://discord.gg/abcdef",
        "https://vk.com/khatwatkhir",
        "https://vimeo.com/khatwatkhir",
        "https://www.flickr.com/photos/khatwatkhir/",
        "https://www.pinterest.com/khatwatkhir/board/",
        "https://www.threads.net/@khatwatkhir",
        "https://www.tumblr.com/khatwatkhir",
        "https://tube.example/w/p/kkGMgK9ZtnKfYAgnEtQxbv",
        "https://misskey.io/@khatwatkhir",
        "csv://../../etc/passwd",
        "csv://snapchat/",
        "csv:///AX-12",
        "https://medium.com/@writer/ten-likes-4f3c2a1b0d9e",
        "https://www.reddit.com/r/Morocco/comments/abc123/ten_likes/",
    ],
)
def test_a_link_that_is_no_post_is_nobodys(url: str) -> None:
    assert claims_on(url) == []
