"""A night or a closing comes before polls: it waits for their page at most, and keeps new ones off."""

from threading import Thread

from harvester.run.claims import Claims


def test_a_poll_of_a_claimed_post_does_not_begin() -> None:
    claims = Claims()
    with claims.claim([1, 2]) as polled:
        assert polled == frozenset()
        with claims.poll([2, 3]) as of_claimed, claims.poll([3]) as of_another:
            assert (of_claimed, of_another) == (False, True)
    with claims.poll([2, 3]) as is_free:
        assert is_free


def test_a_claim_names_the_posts_that_have_a_poll_and_asks_it_to_end() -> None:
    claims = Claims()
    with claims.poll([1]), claims.claim([1, 2]) as polled:
        assert (polled, claims.are_claimed([1]), claims.are_claimed([3])) == (frozenset({1}), True, False)
    assert not claims.are_claimed([1])


def test_a_claim_waits_until_the_polls_have_ended() -> None:
    claims, order = Claims(), []

    def read_to_the_end() -> None:
        with claims.claim([1]) as polled:
            claims.wait_for(polled)
            order.append("the closing begins")

    with claims.poll([1]):
        closing = Thread(target=read_to_the_end)
        closing.start()
        while not claims.are_claimed([1]):
            pass
        order.append("the poll ends")
    closing.join(timeout=30)
    assert order == ["the poll ends", "the closing begins"]


def test_two_claims_of_a_post_both_keep_polls_off() -> None:
    claims = Claims()
    with claims.claim([1]):
        with claims.claim([1]):
            pass
        with claims.poll([1]) as is_free:
            assert not is_free
