"""What recordings prove: that they exist, and that replaying them through the real client gives what they expect."""

from collections.abc import Iterator

from harvester.connector import CountsLikes, LocatesPosts, NamesLikers, Outcome, Page
from harvester.kit.replay import Call, Crash, Replayed
from harvester.kit.subject import Subject


def is_proven(subject: Subject) -> bool:
    return bool(subject.scenarios)


def speaks_http(subject: Subject) -> bool:
    """Tell whether anything is asked of a server; files have neither pages nor answers."""
    return any(one.exchanges for one in subject.scenarios.values())


def has_recordings(subject: Subject) -> Iterator[str]:
    if not subject.scenarios:
        places = " or ".join(str(place) for place in subject.recordings.looked_in)
        yield f"there is no recording in {places}"
    for name, why in subject.unusable.items():
        yield f"{name}: {why}"


def shows_everything_it_can_do(subject: Subject) -> Iterator[str]:
    kind, held = subject.kind, subject.scenarios.values()
    pages = [sum(step.call is Call.LIST for step in one.steps) for one in subject.replays.values()]
    if issubclass(kind, NamesLikers) and speaks_http(subject) and max(pages, default=0) < 2:
        yield "no recording has two pages of likers"
    if issubclass(kind, NamesLikers) and not any(one.expected_likers for one in held):
        yield "no recording has likers"
    if issubclass(kind, CountsLikes) and not any(one.expected_counts for one in held):
        yield "no recording has a count"
    if issubclass(kind, LocatesPosts) and not any(one.expected_post for one in held):
        yield "no recording locates a post"
    if not any(one.expected_outcome for one in held):
        yield "no recording has an error"


def gives_what_is_expected(subject: Subject) -> Iterator[str]:
    for name, replayed in subject.replays.items():
        wanted = replayed.recording
        pairs = {
            "counts": (replayed.counts, wanted.expected_counts),
            "likers": (replayed.likers, wanted.expected_likers),
            "the outcome": (replayed.outcome, wanted.expected_outcome),
            "the post": (replayed.post, wanted.expected_post or replayed.post),
        }
        for what, (gave, expected) in pairs.items():
            if gave != expected and not (gave is None and not expected):
                yield f"{name}: {what}: {_differ(gave, expected)}{_why(replayed)}"


def asks_what_was_recorded(subject: Subject) -> Iterator[str]:
    for name, replayed in subject.replays.items():
        made, recorded = replayed.tape.made, replayed.tape.recorded
        for number, (ours, theirs) in enumerate(zip(made, recorded, strict=False), start=1):
            if ours != theirs:
                yield f"{name}: request {number} is {ours}, recorded is {theirs}"
        for extra in made[len(recorded) :]:
            yield f"{name}: a request was made that is not recorded: {extra}"
        if len(made) < len(recorded):
            yield f"{name}: {len(recorded) - len(made)} recorded exchanges were never asked for{_stopped(replayed)}"


def _differ(gave: object, expected: object) -> str:
    """Say where two values begin to differ; whole lists would hide it."""
    if isinstance(gave, list) and isinstance(expected, list):
        for number, (ours, theirs) in enumerate(zip(gave, expected, strict=False), start=1):
            if ours != theirs:
                return f"number {number} is {ours}, expected {theirs}"
        return f"{len(gave)} came out, expected {len(expected)}"
    return f"{gave!r:.300} came out, expected {expected!r:.300}"


def _why(replayed: Replayed) -> str:
    last = replayed.steps[-1].gave if replayed.steps else None
    return f" ({last})" if isinstance(last, Outcome | Crash) else ""


def _stopped(replayed: Replayed) -> str:
    last = replayed.steps[-1] if replayed.steps else None
    if last and isinstance(last.gave, Page):
        pages = sum(step.call is Call.LIST for step in replayed.steps)
        return f": the list was taken to end with page {pages}, so its next page was ignored"
    return ""
