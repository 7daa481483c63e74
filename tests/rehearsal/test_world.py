"""The truth of a simulated post: what was liked, taken back and hidden, by any instant."""

from datetime import timedelta

from harvester.rehearsal import Mastodon, World
from harvester.rehearsal.world import SimulatedPost


def ids(post: SimulatedPost, *names: str) -> frozenset[str]:
    return frozenset(map(post.naming.actor_id, names))


def test_a_scheduled_like_shows_only_when_its_time_has_come(world, clock):
    post = world.publish(Mastodon())
    post.like("amal", clock() + timedelta(minutes=1))

    before = (post.displayed(), post.likers())
    clock.forward(minutes=1)

    assert before == (0, frozenset())
    assert (post.displayed(), post.likers()) == (1, ids(post, "amal"))


def test_an_unlike_leaves_the_liker_among_those_who_ever_liked(world, clock):
    post = world.publish(Mastodon())
    post.like("amal")
    post.like("badr")
    post.unlike("amal", clock() + timedelta(seconds=1))
    clock.forward(seconds=1)

    assert (post.likers(), post.standing(), post.displayed()) == (ids(post, "amal", "badr"), ids(post, "badr"), 1)


def test_the_truth_can_be_asked_for_any_instant_of_the_past(world, clock):
    post = world.publish(Mastodon())
    post.like("amal")
    post.unlike("amal", clock() + timedelta(hours=1))
    kick_off = clock()
    clock.forward(hours=2)

    assert (post.standing(kick_off), post.displayed(kick_off), post.displayed()) == (ids(post, "amal"), 1, 0)


def test_a_hidden_liker_is_counted_and_not_listed(world):
    post = world.publish(Mastodon())
    post.like("amal")
    post.like("badr")
    post.hide("amal")

    assert (post.displayed(), post.listed()) == (2, ids(post, "badr"))


def test_liking_twice_is_one_like(world):
    post = world.publish(Mastodon())
    post.like("amal")
    post.like("amal")

    assert post.displayed() == 1


def test_a_removed_post_can_come_back(world, clock):
    post = world.publish(Mastodon())
    post.remove(clock() + timedelta(hours=1))
    seen = [post.is_visible]
    clock.forward(hours=1)
    seen.append(post.is_visible)
    post.restore()

    assert [*seen, post.is_visible] == [True, False, True]


def test_people_keep_their_ids_in_another_world():
    first, second = (World().publish(Mastodon(), author="contest") for _ in range(2))

    assert first.naming.actor_id("amal") == second.naming.actor_id("amal")


def test_a_count_is_hidden_and_shown_when_its_time_has_come(world, clock):
    post = world.publish(Mastodon())
    post.hide_count(clock() + timedelta(hours=1))
    post.show_count(clock() + timedelta(hours=2))
    seen = []
    for _ in range(3):
        seen.append(post.count_is_hidden)
        clock.forward(hours=1)

    assert seen == [False, True, False]


def test_a_number_that_drifts_changes_no_truth_and_is_never_negative(world, clock):
    post = world.publish(Mastodon())
    post.like("amal")
    post.drift(-5, clock() + timedelta(hours=1))
    post.drift(+5, clock() + timedelta(hours=2))
    shown = []
    for _ in range(3):
        shown.append(post.displayed())
        clock.forward(hours=1)

    assert (shown, post.standing()) == ([1, 0, 1], ids(post, "amal"))
