"""`winner draw`: among those whose like was credited, with its proof, or refused with the reason."""

from hashlib import sha256


def drawn(run, *more: str):
    words = ("--number", "3", "--seed", "4 8 15 16 23 42", "--reason", "three phones")
    return run("winner", "draw", "afcon", *words, *more)


def test_a_draw_says_who_won_and_how_to_repeat_it(read_contest, clock) -> None:
    clock.forward(days=30)
    read_contest("poll", "--full")

    facts, said = drawn(read_contest, "--json").facts, drawn(read_contest)

    assert (facts["campaign"], facts["candidates"], facts["seed"]) == ("afcon", 210, "4 8 15 16 23 42")
    assert (facts["reason"], facts["author"], facts["drawn_at"]) == ("three phones", "the test", "2027-02-20T20:00:00Z")
    hashes = [sha256(b"4 8 15 16 23 42afcon" + bytes.fromhex(one["pseudonym"])).digest() for one in facts["winners"]]
    assert (len(hashes), hashes) == (3, sorted(hashes))
    assert all(one["handle"].startswith("fan-") for one in facts["winners"])
    assert f"SHA-256 of all candidates: {facts['candidates_sha256']}" in said.words
    assert "3 of 210 likers drawn, by the seed '4 8 15 16 23 42': three phones" in said.words
    for place, one in enumerate(facts["winners"], start=1):
        assert f"{place} {one['pseudonym']} {one['handle']} {one['url']}" in said.words


def test_a_draw_before_the_end_or_without_a_reason_is_refused(read_contest, refused) -> None:
    words = ("winner", "draw", "afcon", "--number", "1", "--seed", "4 8 15")

    assert "has not ended" in refused(*words, "--reason", "a phone")
    assert "needs a reason" in refused(*words, "--reason", " ")


def test_a_draw_where_a_number_earned_names_the_posts(read_contest, platform, publish, clock, refused) -> None:
    counted = platform.url_of(publish(5))
    read_contest("post", "add", "afcon", counted, "--basis", "count")
    clock.forward(days=30)
    read_contest("poll", "--full")

    words = ("winner", "draw", "afcon", "--number", "1", "--seed", "4 8 15", "--reason", "a phone")

    assert refused(*words) == (f"a draw among likers is not possible: these posts only show a number: {counted}")
