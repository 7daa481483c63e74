"""Settings: a TOML file, overridden by `HARVESTER_SECTION__KEY` environment variables, checked before anything runs.

A secret never stands in the TOML file: it comes from the environment, or from the file that a `*_file` key names.
Relative paths are relative to the configuration file.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from harvester.clock import time_zones
from harvester.errors import ConfigError

ENVIRONMENT_PREFIX = "HARVESTER_"

_SECRET = re.compile(r"token|secret|password|api_key|keys\.master$|alerts\.urls$")
_PASSWORD = re.compile(r"://[^@?]*:[^@?]+@|[?&]password=")

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(_Section):
    """Where everything is kept; a URL with a password comes from the environment or from `url_file`."""

    url: str = "sqlite:///harvester.db"
    url_file: Path | None = None


class KeySettings(_Section):
    """The master key wraps every campaign's key; the signing key signs what leaves the machine."""

    master_file: Path = Path("keys/master.key")
    master: SecretStr | None = None
    signing_file: Path = Path("keys/signing.key")


class HttpSettings(_Section):
    """How the polite client behaves towards every platform."""

    contact: str = ""
    allow_private_hosts: bool = False
    connect_seconds: Seconds = 10
    read_seconds: Seconds = 30
    whole_seconds: Seconds = 120
    attempts: int = Field(default=5, ge=1, le=20)
    longest_wait_seconds: float = Field(default=60, ge=0, le=3600)
    largest_body_bytes: int = Field(default=16_000_000, ge=1_000)


class SweepSettings(_Section):
    """How a poll walks its posts."""

    threads: int = Field(default=4, ge=1, le=64)


class PrivacySettings(_Section):
    """How long a liker's handle may be kept, sealed, to reach winners; 0 keeps none."""

    handle_days: int = Field(default=30, ge=0, le=3650)


class ScheduleSettings(_Section):
    """When the machine looks by itself: nights in `timezone`, polls no oftener and no rarer than these intervals."""

    nightly: time = time(3, 30)
    timezone: str = "Africa/Casablanca"
    shortest_interval_seconds: Seconds = 60
    longest_interval_seconds: Seconds = 21_600
    grace_hours: int = Field(default=48, ge=0, le=24 * 60)
    reports_folder: Path = Path("reports")

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if name not in time_zones():
            raise ValueError(f"{name!r} is not an IANA time zone, such as Africa/Casablanca")
        return name

    @field_validator("nightly")
    @classmethod
    def _is_on_the_zones_clocks(cls, at: time) -> time:
        if at.tzinfo is not None:
            raise ValueError("a time such as 03:30, on the clocks of schedule.timezone")
        return at


class AlertSettings(_Section):
    """Whom to tell, as Apprise URLs, which hold secrets; and what is worth telling."""

    urls_file: Path | None = None
    urls: tuple[SecretStr, ...] = ()
    gap_percent: float = Field(default=5, ge=0, le=100)
    gap_likes: int = Field(default=20, ge=1)
    fall_percent: float = Field(default=5, ge=0, le=100)
    milestone_likes: int = Field(default=100_000, ge=0)
    grant_days: int = Field(default=7, ge=0, le=365)


class DaemonSettings(_Section):
    """Where `harvester run` answers about its health and its numbers; an empty address answers nowhere."""

    listen: str = "127.0.0.1:9464"
    log_format: Literal["text", "json"] = "text"

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        if address and not (host and port.isdecimal() and int(port) < 65_536):
            raise ValueError(f"{address!r} is not an address, such as 127.0.0.1:9464")
        return address


class Settings(BaseSettings):
    """Everything an installation may choose."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    database: DatabaseSettings = DatabaseSettings()
    keys: KeySettings = KeySettings()
    http: HttpSettings = HttpSettings()
    sweep: SweepSettings = SweepSettings()
    privacy: PrivacySettings = PrivacySettings()
    schedule: ScheduleSettings = ScheduleSettings()
    alerts: AlertSettings = AlertSettings()
    daemon: DaemonSettings = DaemonSettings()
    connectors: dict[str, dict[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings


def load_settings(path: Path | None) -> Settings:
    """Read `path` (None: defaults alone) and the environment; `ConfigError` for anything unknown or unreadable."""
    written = _read_toml(path) if path else {}
    _refuse_written_secrets(written, path)
    _refuse_unknown_variables(os.environ)
    try:
        settings = Settings(**written)
    except SettingsError as error:
        raise ConfigError(f"environment: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path or 'environment'}: {_first_problem(error)}") from error
    return _with_absolute_paths(settings, (path.parent if path else Path()).resolve())


def read_secret_file(path: Path) -> str:
    """Give the one line a secret's file holds."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the secret file {path} cannot be read: {_reason(error)}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no configuration file {path}: run 'harvester init' first, or name one with --config"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {_reason(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def _refuse_written_secrets(written: Mapping[str, Any], path: Path | None) -> None:
    """A file that is copied, mailed and put under version control is no place for a secret."""
    for name, value in _leaves(written):
        is_secret = _SECRET.search(name) and not name.endswith("_file")
        has_password = name == "database.url" and _PASSWORD.search(str(value))
        if (is_secret and "_file." not in name) or has_password:
            raise ConfigError(f"{path}: {name} is a secret: {_where_a_secret_belongs(name)}")


def _where_a_secret_belongs(name: str) -> str:
    """Say it for a plain key; for one in a table of secrets, name the table of files."""
    in_table = re.fullmatch(r"(connectors\.[^.]+\.[^.]+)\..+", name)
    if in_table:
        return f"put it in a file and name that in {in_table[1]}_file"
    variable = ENVIRONMENT_PREFIX + name.upper().replace(".", "__")
    return f"give it as {variable}, or put it in a file and name that in {name}_file"


def _leaves(written: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in written.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """A misspelt variable that is silently ignored costs a contest; pydantic ignores it."""
    sections = sorted(Settings.model_fields)
    for variable in environment:
        section, delimiter, _ = variable.removeprefix(ENVIRONMENT_PREFIX).partition("__")
        is_meant = delimiter or section.lower().startswith(tuple(f"{known}_" for known in sections))
        if variable.startswith(ENVIRONMENT_PREFIX) and is_meant and section.lower() not in sections:
            raise ConfigError(
                f"environment: {variable} names no section (sections: {', '.join(sections)}; "
                f"expected {ENVIRONMENT_PREFIX}SECTION__KEY, with two underscores)"
            )


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        section = Settings.model_fields.get(str(problem["loc"][0]))
        known = section.annotation if section and len(problem["loc"]) > 1 else Settings
        return f"unknown key {key} (known here: {', '.join(sorted(getattr(known, 'model_fields', {})))})"
    return f"{key}: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    database, keys, alerts, schedule = settings.database, settings.keys, settings.alerts, settings.schedule
    url = read_secret_file(folder / database.url_file) if database.url_file else database.url
    if url.startswith("sqlite:///"):
        url = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    return settings.model_copy(
        update={
            "database": database.model_copy(update={"url": url}),
            "keys": keys.model_copy(
                update={"master_file": folder / keys.master_file, "signing_file": folder / keys.signing_file}
            ),
            "alerts": alerts.model_copy(update={"urls": _alert_urls(alerts, folder)}),
            "schedule": schedule.model_copy(update={"reports_folder": folder / schedule.reports_folder}),
            "connectors": {name: _resolved(section, folder) for name, section in settings.connectors.items()},
        }
    )


def _alert_urls(alerts: AlertSettings, folder: Path) -> tuple[SecretStr, ...]:
    """Read the addresses of a file, one a line, beside those of the environment."""
    written = read_secret_file(folder / alerts.urls_file) if alerts.urls_file else ""
    lines = (line.strip() for line in written.splitlines())
    return (*alerts.urls, *(SecretStr(line) for line in lines if line and not line.startswith("#")))


def _resolved(section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Turn `token_file = "a"` into `token = <what a holds>`, likewise a table; give a `*_folder` its full path."""

    def contents(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: contents(item) for key, item in value.items()}
        return read_secret_file(folder / str(value))

    def resolved(key: str, value: Any) -> Any:
        if key.endswith("_folder"):
            return str(folder / str(value))
        return contents(value) if key.endswith("_file") else value

    return {key.removesuffix("_file"): resolved(key, value) for key, value in section.items()}


def _reason(error: Exception) -> str:
    return (error.strerror or "unreadable").lower() if isinstance(error, OSError) else "it is not UTF-8 text"
