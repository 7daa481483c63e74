"""What is checked, and what a check finds: a subject in, problems as sentences out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from harvester.connector import Connector, Page, Post, Provenance
from harvester.kit.recordings import Exchange, Recording, Recordings
from harvester.kit.replay import Call, Replayed, Step, open_connector, replay


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A connector and what proves it."""

    kind: type[Connector]
    recordings: Recordings

    @property
    def scenarios(self) -> Mapping[str, Recording]:
        return self.recordings.scenarios

    @cached_property
    def unusable(self) -> Mapping[str, str]:
        """Say why a scenario cannot be replayed at all: its settings or its first link."""
        return {name: why for name, one in self.scenarios.items() if (why := _obstacle(self.kind, one))}

    @cached_property
    def replays(self) -> Mapping[str, Replayed]:
        """Replay every scenario that can be."""
        return {name: replay(self.kind, one) for name, one in self.scenarios.items() if name not in self.unusable}

    def steps(self, *calls: Call) -> Iterator[tuple[str, Replayed, Step]]:
        """Give the steps of these calls (all, when none is named) that took an exchange, with their scenario."""
        for name, replayed in self.replays.items():
            for step in replayed.steps:
                if step.exchanges and (not calls or step.call in calls):
                    yield name, replayed, step

    def facts(self, *calls: Call) -> Iterator[tuple[str, Replayed, Step]]:
        """Give the steps that brought a value rather than an outcome."""
        return (found for found in self.steps(*calls) if isinstance(found[2].gave, tuple | Page | Post))

    def going_on(self) -> Iterator[tuple[str, Replayed, Step]]:
        """Give the first page of every recorded list that has another one."""
        for name, replayed, step in self.facts(Call.LIST):
            if step.cursor is None and isinstance(step.gave, Page) and step.gave.cursor is not None:
                yield name, replayed, step


def _obstacle(kind: type[Connector], recording: Recording) -> str:
    try:
        open_connector(kind, recording.settings)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is the answer)
        return f"its settings are refused: {error}"
    return "" if kind.recognise(recording.urls[0]) else f"the connector does not know {recording.urls[0]}"


Problems = Iterable[str]


def always_applies(_: Subject) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A named rule: `find` gives the problems, `applies` says whether this connector can have them."""

    name: str
    find: Callable[[Subject], Problems]
    applies: Callable[[Subject], bool] = always_applies
    simulated: bool = False


class Verdict(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "does not apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    check: str
    verdict: Verdict
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What all checks found, and what proves it: scenarios, their exchanges by provenance, and a simulation or not."""

    connector: str
    findings: tuple[Finding, ...]
    scenarios: int
    proven_by: Mapping[str, int]
    is_simulated: bool

    @property
    def is_sound(self) -> bool:
        return all(one.verdict is not Verdict.FAILED for one in self.findings)

    def __str__(self) -> str:
        """Say it in a line: 'mastodon: 23 checks passed, 2 do not apply; proven by 6 recorded exchanges'."""
        ended = Counter(one.verdict for one in self.findings)
        failed = f"{ended[Verdict.FAILED]} failed, " if ended[Verdict.FAILED] else ""
        idle = ended[Verdict.NOT_APPLICABLE]
        proofs = ", ".join(f"{number} {kind}" for kind, number in self.proven_by.items())
        proven = f"{proofs} exchanges" if proofs else f"{self.scenarios} scenarios without an exchange"
        quirks = "a simulated platform" if self.is_simulated else "recordings alone"
        apply = "does not apply" if idle == 1 else "do not apply"
        return (
            f"{self.connector}: {failed}{ended[Verdict.PASSED]} checks passed, {idle} {apply};"
            f" proven by {proven}; quirks by {quirks}"
        )


def proofs_of(subject: Subject) -> dict[str, int]:
    """Count the exchanges of each provenance, strongest first."""
    held: list[Exchange] = [each for one in subject.scenarios.values() for each in one.exchanges]
    found = Counter(exchange.provenance for exchange in held)
    return {kind.value: found[kind] for kind in Provenance if found[kind]}
