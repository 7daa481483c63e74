"""Why an answer gave no facts: seven outcomes, and no other."""

from datetime import datetime

from harvester.errors import HarvesterError


class Outcome(HarvesterError):
    """Why an answer gave no facts; one of the seven below, and no other."""


class Throttled(Outcome):
    """The platform asks to be left alone until `until`."""

    def __init__(self, until: datetime, message: str = "the platform asked for a pause") -> None:
        super().__init__(message)
        self.until = until


class Exhausted(Throttled):
    """A budget is spent until `until`."""


class GrantLost(Outcome):
    """A credential is missing, refused or expired: a person has to act."""


class Missing(Outcome):
    """The post is not there, or no longer shown; nothing says for how long."""


class Refused(Outcome):
    """The platform answers, but not this question for this caller."""


class Unstable(Outcome):
    """The platform failed in a way that usually passes: time-outs, 5xx, broken connections."""


class ContractBroken(Outcome):
    """The answer is not what the API promises; the message is the evidence."""
