"""What an examination finds: how bad it is, and what a person can do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """How bad a finding is: `warn` works today, `fail` does not."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at: `about` what, `what` was found, and what a person can do about it."""

    about: str
    health: Health
    what: str
    remedy: str = ""


def ok(about: str, what: str) -> Finding:
    return Finding(about=about, health=Health.OK, what=what)


def warn(about: str, what: str, remedy: str = "") -> Finding:
    return Finding(about=about, health=Health.WARN, what=what, remedy=remedy)


def fail(about: str, what: str, remedy: str = "") -> Finding:
    return Finding(about=about, health=Health.FAIL, what=what, remedy=remedy)
