"""The errors every room may raise, and the exit code each deserves; `cli` turns them into one line, once."""

from typing import ClassVar


class HarvesterError(Exception):
    """Something a person must read: what, which, and what was expected."""

    exit_code: ClassVar[int] = 1


class UsageError(HarvesterError):
    """The command was given something it cannot work with; nothing was changed."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """A setting, a key file or the environment is wrong."""


class SettledError(HarvesterError):
    """The campaign is settled: the transaction that would have credited more was rolled back."""


class StoreError(HarvesterError):
    """The database refused: full, locked or unreadable; the transaction was rolled back."""
