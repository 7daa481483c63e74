"""How long likes stay unseen under the shipped cadence, beside other ways to spend the same requests, and the best."""

import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cascades import Cascade, cascades, least_staleness
from measure import Row, Size

from harvester.collect.cadence import Arrivals, Limits, Spent, Watched, next_polls, rate_of
from harvester.connector import Budget

_BEGIN = datetime(2026, 2, 18, tzinfo=UTC)
LIMITS = Limits(shortest=timedelta(minutes=1), longest=timedelta(hours=6))
BUDGETS = (30, 120)
PLOT = Path(__file__).parents[2] / "docs" / "staleness.svg"
_LOOKS = 8  # as many as the schedule hands to the cadence


@dataclass(slots=True)
class Post:
    """A cascade being watched."""

    number: int
    cascade: Cascade
    looked_at: float
    seen: int = 0
    looks: tuple[Arrivals, ...] = ()
    staleness: float = 0.0
    polls: int = 0

    def poll(self, at: float) -> None:
        likes = self.cascade.likes
        upto = bisect.bisect_right(likes, at)
        self.staleness += (upto - self.seen) * at - sum(likes[self.seen : upto])
        look = Arrivals(since=instant(self.looked_at), until=instant(at), likes=upto - self.seen)
        self.looks = (*self.looks, look)[-_LOOKS:]
        self.seen, self.looked_at, self.polls = upto, at, self.polls + 1

    def close(self) -> None:
        """See the rest when its observation ends, at no cost, whatever the policy."""
        self.poll(self.cascade.end)
        self.polls -= 1

    def watched(self) -> Watched:
        return Watched(
            entry_ids=(self.number,),
            arrivals=self.looks,
            born_at=instant(self.cascade.start),
            last_poll_at=self.looks[-1].until if self.looks else None,
            requests=1,
            window=None,
            not_before=None,
        )


def instant(seconds: float) -> datetime:
    return _BEGIN + timedelta(seconds=seconds)


def seconds(at: datetime) -> float:
    return (at - _BEGIN).total_seconds()


def shipped(contest: Sequence[Cascade], budget: Budget) -> list[Post]:
    """Poll as the cadence says, which plans anew every minute, or later when nothing is due."""
    waiting, posts, done = _posts(contest), [], []
    spent: list[Spent] = []
    now = float(waiting[0].cascade.start)
    while waiting or posts:
        while waiting and waiting[0].cascade.start <= now:
            posts.append(waiting.pop(0))
        ended = [post for post in posts if post.cascade.end <= now]
        for post in ended:
            post.close()
            posts.remove(post)
        done += ended
        horizon = now + 60
        spent = [one for one in spent if one.at > instant(now) - budget.per]
        plan = next_polls([post.watched() for post in posts], [budget], now=instant(now), limits=LIMITS, spent=spent)
        due = [
            (poll, post)
            for poll, post in zip(plan, posts, strict=True)
            if seconds(poll.at) < min(horizon, post.cascade.end)
        ]
        for poll, post in due:
            post.poll(seconds(poll.at))
        spent += [Spent(at=poll.at, requests=1) for poll, _ in due]
        edges = [post.cascade.end for post in posts] + [post.cascade.start for post in waiting[:1]]
        now = horizon if due else min([*(seconds(poll.at) for poll in plan), *edges], default=horizon)
    return done


def ranked(contest: Sequence[Cascade], budget: Budget, rank: Callable[[Post, float], float]) -> list[Post]:
    """Spend the budget evenly, each request on the post that ranks highest."""
    step = budget.per.total_seconds() / budget.requests
    waiting, posts, done = _posts(contest), [], []
    now = float(waiting[0].cascade.start)
    shortest, longest = LIMITS.shortest.total_seconds(), LIMITS.longest.total_seconds()
    while waiting or posts:
        while waiting and waiting[0].cascade.start <= now:
            posts.append(waiting.pop(0))
        for post in [post for post in posts if post.cascade.end <= now]:
            post.close()
            posts.remove(post)
            done.append(post)
        ready = [post for post in posts if now - post.looked_at >= shortest or not post.looks]
        late = [post for post in ready if now - post.looked_at >= longest]
        if late:
            min(late, key=lambda post: post.looked_at).poll(now)
        elif ready:
            max(ready, key=lambda post: rank(post, now)).poll(now)
        now += step
    return done


def fixed(post: Post, now: float) -> float:
    return now - post.looked_at


def proportional(post: Post, now: float) -> float:
    return (now - post.looked_at) * _rate(post, now)


def _rate(post: Post, now: float) -> float:
    return rate_of(post.watched(), instant(now))


def true_rate(post: Post, now: float) -> float:
    """Rank as the best interval would, by the rate as it really is around now."""
    width = max((now - post.cascade.start) * 0.1, 120)
    likes = post.cascade.likes
    low = max(now - width, post.cascade.start)
    near = bisect.bisect_right(likes, now + width) - bisect.bisect_left(likes, low)
    return (now - post.looked_at) ** 2 * (near + 0.05) / (now + width - low)


def mean_staleness(posts: Sequence[Post]) -> float:
    return sum(post.staleness for post in posts) / sum(len(post.cascade.likes) for post in posts)


def _posts(contest: Sequence[Cascade]) -> list[Post]:
    return [Post(number=n, cascade=one, looked_at=one.start) for n, one in enumerate(contest)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Mean seconds a like stayed unseen, per policy, at one budget."""

    budget: Budget
    cadence: float
    fixed: float
    proportional: float
    known_rate: float
    clairvoyant: float


def compare(contest: Sequence[Cascade], budget: Budget) -> Outcome:
    """Let every policy spend the same budget; the clairvoyant gets as many polls as the cadence made."""
    ours = shipped(contest, budget)
    likes = sum(len(one.likes) for one in contest)
    return Outcome(
        budget=budget,
        cadence=mean_staleness(ours),
        fixed=mean_staleness(ranked(contest, budget, fixed)),
        proportional=mean_staleness(ranked(contest, budget, proportional)),
        known_rate=mean_staleness(ranked(contest, budget, true_rate)),
        clairvoyant=least_staleness(contest, sum(post.polls for post in ours)) / likes,
    )


def rows(size: Size) -> Iterator[Row]:
    """Compare on the cascades that nothing was tuned on, and on all; a quick run takes three for one budget."""
    everyone = cascades()
    if size.rounds == 1:
        yield from _rows("3 posts", compare(everyone[:3], Budget(requests=3, per=timedelta(hours=1))))
        return
    halves = {"50 unseen posts": everyone[1::2], "100 posts": everyone}
    outcomes = {
        name: [compare(posts, Budget(requests=an_hour, per=timedelta(hours=1))) for an_hour in BUDGETS]
        for name, posts in halves.items()
    }
    for name, found in outcomes.items():
        for outcome in found:
            yield from _rows(name, outcome)
    draw(outcomes["100 posts"])


def _rows(posts: str, outcome: Outcome) -> Iterator[Row]:
    what, ours = f"staleness, {posts}, {outcome.budget}, cadence", outcome.cadence
    yield _ratio(f"{what} / fixed intervals", ours / outcome.fixed, 0.5)
    yield _ratio(f"{what} / proportional to rate", ours / outcome.proportional, 1)
    yield _ratio(f"{what} / clairvoyant", ours / outcome.clairvoyant, 1.15)
    yield Row(what=f"{what} / knows the rate", goal="", measured=f"{ours / outcome.known_rate:.3g}")


def _ratio(what: str, ratio: float, most: float) -> Row:
    return Row(what=what, goal=f"<= {most:g}", measured=f"{ratio:.3g}", is_reached=ratio <= most)


def draw(outcomes: Sequence[Outcome]) -> None:
    """Save the comparison where docs/numbers.md shows it."""
    import matplotlib  # an extra, and slow to load

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "staleness"
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name in ("fixed", "proportional", "cadence", "known_rate", "clairvoyant"):
        values = [getattr(outcome, name) / 60 for outcome in outcomes]
        axes.loglog([outcome.budget.requests for outcome in outcomes], values, marker="o", label=name.replace("_", " "))
    axes.set(xlabel="requests an hour, for 100 posts", ylabel="minutes a like stays unseen, mean")
    axes.legend()
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})
