"""The simulated Graph API of Facebook Pages, walked by hand over real HTTP and compared with the truth."""

import pytest

from harvester.rehearsal import FacebookPage, Kind, SimulatedPlatform
from harvester.rehearsal.faults import EmptyPage, ForeignNext, Meanwhile, RepeatCursor
from harvester.rehearsal.meta import ALLOWANCE_USED, THROTTLED

PAGE = FacebookPage()
SIGNED = {"Authorization": f"Bearer {PAGE.token}"}


@pytest.fixture
def platform(world):
    with SimulatedPlatform(world, PAGE) as platform:
        yield platform


@pytest.fixture
def post(world, crowd):
    post = world.publish(PAGE)
    crowd(post, 120)
    return post


@pytest.fixture
def get(platform, client):
    """Ask for a path below the version, as the Page unless told otherwise."""

    def get(path, *, headers=SIGNED, **params):
        return client.get(f"{platform.origin}/v26.0/{path}", params=params, headers=headers)

    return get


@pytest.fixture
def reactions(get, post):
    def walk(**params):
        """Walk by `after` until there is no `next`: the profiles, page by page."""
        pages, asked = [], {"limit": "50", **params}
        while True:
            page = get(f"{post.native_id}/reactions", **asked).json()
            pages.append(page["data"])
            if "next" not in page.get("paging", {}):
                return pages
            asked["after"] = page["paging"]["cursors"]["after"]

    return walk


def test_a_walk_until_no_next_finds_every_liker_newest_first(post, reactions):
    pages = reactions()

    assert [len(page) for page in pages] == [50, 50, 20]
    assert [profile["id"] for page in pages for profile in page] == [
        PAGE.actor_id(f"fan-{n}") for n in range(119, -1, -1)
    ]


def test_an_exactly_full_last_page_names_cursors_and_no_next(get, post):
    page = get(f"{post.native_id}/reactions", limit="120", summary="total_count").json()
    whole = get(f"{post.native_id}/reactions", limit="100", after=page["paging"]["cursors"]["before"]).json()

    assert ("next" in page["paging"], page["summary"]["total_count"]) == (True, 120)
    assert (len(whole["data"]), "after" in whole["paging"]["cursors"]) == (100, True)


def test_hidden_likers_are_counted_and_leave_short_or_empty_pages(post, reactions, get):
    for number in range(70, 120):
        post.hide(f"fan-{number}")

    total = get(f"{post.native_id}/reactions", limit="0", summary="total_count").json()

    assert [len(page) for page in reactions()] == [0, 50, 20]
    assert (total["data"], total["summary"]["total_count"]) == ([], 120)


def test_each_liker_reacts_in_one_way_and_one_way_can_be_asked_for(post, reactions, get):
    everyone = [profile for page in reactions() for profile in page]
    thumbs = [profile for page in reactions(type="LIKE") for profile in page]
    view = get(post.native_id, fields="reactions.type(LIKE).summary(total_count).limit(0)").json()

    assert thumbs == [profile for profile in everyone if profile["type"] == "LIKE"]
    assert len(thumbs) < len(everyone)
    assert view["reactions"]["summary"]["total_count"] == len(thumbs)
    assert all(profile["type"] == PAGE.reaction_of(profile["id"]) for profile in everyone)


def test_the_next_page_is_named_by_a_url_that_carries_the_token(get, platform, client, post):
    following = get(f"{post.native_id}/reactions", limit="100").json()["paging"]["next"]

    assert following.startswith(f"{platform.origin}/v26.0/{post.native_id}/reactions?access_token=simulated-token&")
    assert len(client.get(following).json()["data"]) == 20


@pytest.mark.parametrize("author", ["contest", "somebody-else"])
def test_for_anybody_but_the_page_itself_a_post_has_a_count_and_no_likers(world, get, author):
    post = world.publish(PAGE, author=author)
    post.like("amal")
    token = PAGE.foreign_token if author == PAGE.account else PAGE.token

    page = get(f"{post.native_id}/reactions", summary="total_count", headers={"Authorization": f"Bearer {token}"})

    assert page.json() == {"data": [], "summary": {"total_count": 1, "viewer_reaction": "NONE"}}


def test_several_posts_are_counted_at_once_and_one_that_is_gone_fails_them_all(world, get, post):
    other = world.publish(PAGE)
    ids, fields = f"{post.native_id},{other.native_id}", "created_time,reactions.summary(total_count).limit(0)"
    views = get("", ids=ids, fields=fields).json()
    other.remove()
    failed = get("", ids=ids, fields=fields)

    counts = {name: view["reactions"]["summary"]["total_count"] for name, view in views.items()}
    assert counts == {post.native_id: 120, other.native_id: 0}
    assert views[post.native_id]["created_time"] == "2027-01-21T20:00:00+0000"
    assert (failed.status_code, failed.json()["error"]["code"], failed.json()["error"]["error_subcode"]) == (
        400,
        100,
        33,
    )


def test_a_pfbid_address_is_found_among_the_pages_own_posts(world, platform, get, post, clock):
    clock.forward(minutes=1)
    world.publish(PAGE)
    page = PAGE.page_id("contest")

    first = get(f"{page}/posts", fields="id,permalink_url", limit="1").json()
    second = get(
        f"{page}/posts", fields="id,permalink_url", limit="1", after=first["paging"]["cursors"]["after"]
    ).json()

    assert second["data"] == [{"id": post.native_id, "permalink_url": platform.url_of(post)}]
    assert ("next" in first["paging"], "next" in second["paging"]) == (True, False)


def test_without_pfbids_an_address_says_both_ids(world):
    post = world.publish(FacebookPage(has_pfbids=False))
    page, _, story = post.native_id.partition("_")

    assert post.naming.url_of(post, "").endswith(f"?story_fbid={story}&id={page}")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_a_token_that_is_wrong_or_missing_is_error_190(get, post, headers):
    answer = get(f"{post.native_id}/reactions", headers=headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 190)


def test_a_token_is_revoked_between_two_pages(platform, get, post):
    platform.faults.inject(Meanwhile(platform.revoke), on=Kind.LIKES, nth=2)

    answers = [get(f"{post.native_id}/reactions") for _ in range(3)]

    assert [answer.json().get("error", {}).get("code") for answer in answers] == [None, 190, 190]


def test_an_unknown_field_refuses_the_whole_question(get, post):
    assert get(post.native_id, fields="id,hearts").json()["error"]["code"] == 100


def test_faults_of_a_list_and_of_meta_strike_here_too(platform, get, post):
    path = f"{post.native_id}/reactions"
    platform.faults.inject(EmptyPage(), on=Kind.LIKES)
    platform.faults.inject(ForeignNext(), on=Kind.LIKES, nth=2)
    platform.faults.inject(THROTTLED, on=Kind.LIKES, nth=3)
    platform.faults.inject(ALLOWANCE_USED, on=Kind.LIKES, nth=4)

    empty, foreign, throttled, used = (get(path, summary="total_count") for _ in range(4))

    assert (empty.json()["data"], "next" in empty.json()["paging"], empty.json()["summary"]["total_count"]) == (
        [],
        True,
        120,
    )
    assert foreign.json()["paging"]["next"].startswith("http://elsewhere.invalid/v26.0/")
    assert (throttled.status_code, throttled.json()["error"]["code"]) == (400, 4)
    assert '"call_count":100' in used.headers["X-App-Usage"]


def test_a_repeated_cursor_leads_to_the_page_that_gave_it(platform, get, post):
    platform.faults.inject(RepeatCursor(), on=Kind.LIKES, times=None)
    after = get(f"{post.native_id}/reactions").json()["paging"]["cursors"]["after"]

    assert get(f"{post.native_id}/reactions", after=after).json()["paging"]["cursors"]["after"] == after


def test_the_page_says_who_it_is_and_another_pages_token_says_another(get):
    own = get("me", fields="id,name").json()
    foreign = get("me", fields="id", headers={"Authorization": f"Bearer {PAGE.foreign_token}"}).json()

    assert own == {"id": PAGE.page_id("contest"), "name": "contest"}
    assert foreign["id"] != own["id"]
