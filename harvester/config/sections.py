"""The settings, section by section, with their defaults; each one checks itself, so that a wrong one cannot exist."""

import re
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from harvester.clock import time_zones

ENVIRONMENT_PREFIX = "HARVESTER_"

_ADDRESS = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?):(?P<port>[0-9]{1,5})")

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_switch(cls, value: Any, about: ValidationInfo) -> Any:
        """Python takes true for 1; a person who writes it means something else."""
        if isinstance(value, bool) and cls.model_fields[str(about.field_name)].annotation in (int, float):
            raise ValueError("expected a number, not true or false")
        return value


class DatabaseSettings(_Section):
    """Where everything is kept; a URL with a password comes from the environment or from `url_file`."""

    url: str = "sqlite:///harvester.db"
    url_file: Path | None = None


class KeySettings(_Section):
    """The master key wraps every campaign's key; the signing key is for signed checkpoints."""

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
            raise ValueError("expected a time such as 03:30, on the clocks of schedule.timezone")
        return at

    @model_validator(mode="after")
    def _has_an_order(self) -> Self:
        shortest, longest = self.shortest_interval_seconds, self.longest_interval_seconds
        if shortest > longest:
            raise ValueError(
                f"shortest_interval_seconds ({shortest:g}) is more than longest_interval_seconds ({longest:g})"
            )
        return self


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
        found = _ADDRESS.fullmatch(address)
        if address and not (found and int(found["port"]) < 65_536):
            raise ValueError(f"{address!r} is not HOST:PORT, such as 127.0.0.1:9464 or [::1]:9464")
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
