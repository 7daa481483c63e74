"""Pauses: 429 in every form that servers say it, and the instant that must come out."""

from collections.abc import Iterator
from datetime import timedelta

import httpx

from harvester.connector import Throttled
from harvester.kit.hostile import answered_otherwise
from harvester.kit.replay import START
from harvester.kit.subject import Subject
from harvester.rehearsal.faults import Reset

_PAUSE = timedelta(seconds=30)
_ROUNDING = timedelta(seconds=1)


def obeys_every_pause(subject: Subject) -> Iterator[str]:
    for name, replayed, step in subject.facts():
        for form in (None, *Reset):
            header = dict([form.header(now=START, pause=_PAUSE)]) if form else {}
            answer = httpx.Response(429, headers=header, json={"error": "Too many requests"})
            said = answered_otherwise(replayed.connector, step, 0, answer)
            if not isinstance(said, Throttled):
                yield f"{name}: {step.call} makes {said} of 429 ({form or 'no header'}), expected Throttled"
            elif form and abs(said.until - START - _PAUSE) > _ROUNDING:
                yield f"{name}: {step.call} waits until {said.until} ({form}), expected {START + _PAUSE}"
            elif said.until <= START:
                yield f"{name}: {step.call} waits until {said.until} (no header), which is over"
