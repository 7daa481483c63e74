"""The access tokens that a simulated platform accepts, and until when; one that is revoked never comes back."""

from datetime import datetime

from harvester.clock import Now


class Tokens:
    """What a platform accepts now; shared with the `OAuthServer` that grants, when there is one."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._ends: dict[str, datetime | None] = {}

    def accept(self, token: str, until: datetime | None = None) -> None:
        """Accept a token from now on, or until it expires."""
        self._ends[token] = until

    def accepts(self, token: str | None) -> bool:
        if token is None or token not in self._ends:
            return False
        end = self._ends[token]
        return end is None or self._now() < end

    def revoke(self) -> None:
        """Accept none of the tokens that were accepted until now."""
        self._ends.clear()
