"""Settings: a TOML file, overridden by `HARVESTER_SECTION__KEY` environment variables, checked before anything runs.

A secret never stands in the TOML file: it comes from the environment, or from the file that a `*_file` key names.
Relative paths are relative to the configuration file.
"""

from harvester.config.loading import load_settings, read_secret_file
from harvester.config.sections import (
    ENVIRONMENT_PREFIX,
    AlertSettings,
    DaemonSettings,
    DatabaseSettings,
    HttpSettings,
    KeySettings,
    PrivacySettings,
    ScheduleSettings,
    Settings,
    SweepSettings,
)

__all__ = [
    "ENVIRONMENT_PREFIX",
    "AlertSettings",
    "DaemonSettings",
    "DatabaseSettings",
    "HttpSettings",
    "KeySettings",
    "PrivacySettings",
    "ScheduleSettings",
    "Settings",
    "SweepSettings",
    "load_settings",
    "read_secret_file",
]
