"""Reads the settings: the file, the environment, and the files of secrets that they name."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from harvester.config.problems import first_problem, refuse_unknown_variables, refuse_unreadable_variables
from harvester.config.sections import ENVIRONMENT_PREFIX, AlertSettings, Settings
from harvester.errors import ConfigError

_SECRET = re.compile(r"token|secret|password|api_key|keys\.master$|alerts\.urls$")
_AN_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # a path has had its // made one; C:/ is a drive
_PASSWORD = re.compile(r"://[^@?]*:[^@?]+@|[?&]password=")


def load_settings(path: Path | None) -> Settings:
    """Read `path` (None: defaults alone) and the environment; `ConfigError` for anything unknown or unreadable."""
    written = _read_toml(path) if path else {}
    _refuse_written_secrets(written, path)
    refuse_unknown_variables(os.environ)
    refuse_unreadable_variables(os.environ)
    try:
        settings = Settings(**written)
    except SettingsError as error:
        raise ConfigError(f"environment: {error}") from error
    except ValidationError as error:
        raise ConfigError(first_problem(error, path, os.environ)) from error
    return _with_absolute_paths(settings, (path.parent if path else Path()).resolve())


def read_secret_file(path: Path) -> str:
    """Give the one line a secret's file holds."""
    try:
        return _text(path).strip()
    except (OSError, ValueError) as error:
        raise ConfigError(f"the secret file {path} cannot be read: {_reason(error)}") from error


def _text(path: Path) -> str:
    """Read UTF-8, with or without the mark that some editors put before it."""
    return path.read_text(encoding="utf-8-sig")


def _secret(folder: Path, name: object, key: str) -> str:
    """Give what the file holds that a key names; the name is not shown, for people put the secret itself there."""
    if _AN_ADDRESS.match(str(name)):
        raise ConfigError(f"{key}: expected the path of a file, not the address itself")
    try:
        return _text(folder / str(name)).strip()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{key}: the file that it names cannot be read: {_reason(error)}; expected the path of a file"
        ) from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
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


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    database, keys, alerts, schedule = settings.database, settings.keys, settings.alerts, settings.schedule
    url = _secret(folder, database.url_file, "database.url_file") if database.url_file else database.url
    if url.startswith("sqlite:///"):
        url = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    return settings.model_copy(
        update={
            "database": database.model_copy(update={"url": url}),
            "keys": keys.model_copy(
                update={"master_file": folder / keys.master_file, "signing_file": folder / keys.signing_file}
            ),
            "alerts": alerts.model_copy(
                update={
                    "urls": _alert_urls(alerts, folder),
                    "urls_file": folder / alerts.urls_file if alerts.urls_file else None,
                }
            ),
            "schedule": schedule.model_copy(update={"reports_folder": folder / schedule.reports_folder}),
            "connectors": {name: _resolved(name, section, folder) for name, section in settings.connectors.items()},
        }
    )


def _alert_urls(alerts: AlertSettings, folder: Path) -> tuple[SecretStr, ...]:
    """Read the addresses of a file, one a line, beside those of the environment."""
    written = _secret(folder, alerts.urls_file, "alerts.urls_file") if alerts.urls_file else ""
    lines = (line.strip() for line in written.splitlines())
    return (*alerts.urls, *(SecretStr(line) for line in lines if line and not line.startswith("#")))


def _resolved(connector: str, section: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Turn `token_file = "a"` into `token = <what a holds>`, likewise a table; give a `*_folder` its full path."""

    def contents(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: contents(f"{key}.{name}", item) for name, item in value.items()}
        return _secret(folder, value, key)

    def resolved(key: str, value: Any) -> Any:
        if key.endswith("_folder"):
            return str(folder / str(value))
        return contents(f"connectors.{connector}.{key}", value) if key.endswith("_file") else value

    return {key.removesuffix("_file"): resolved(key, value) for key, value in section.items()}


def _reason(error: Exception) -> str:
    return (error.strerror or "unreadable").lower() if isinstance(error, OSError) else "it is not UTF-8 text"
