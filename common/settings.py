"""The settings of every role: environment variables with the prefix ``SLUICE_``, and flags of the same name."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.ladder import DEFAULT_ATTEMPTS, DEFAULT_STEPS, Ladder


class Settings(BaseSettings):
    """What an operator may set. Durations are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True)

    data: Path = Field(Path("var"), description="Folder for what the embedded storage keeps.")
    secret_key: SecretStr | None = Field(None, description="What the registry keeps its tokens under.")
    queue: str = Field("sqlite:var/queue.db", description="Where the queue is: amqp://…, amqps://… or sqlite:PATH.")
    queue_prefix: str = Field("sluice", description="First part of every queue's name.", min_length=1)
    queue_limit: int = Field(
        1_000_000, description="Messages in the work queue above which 503 is answered; 0: none.", ge=0
    )
    directory: Path = Field(Path("sluice.toml"), description="The directory: who may send, and what their fields mean.")
    downstream: str | None = Field(None, description="Where to post; overrides the directory's.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    ingest_port: int = Field(8080, description="Port of the ingest; 0: any free one.", ge=0, le=65_535)
    registry_port: int = Field(8081, description="Port of the registry; 0: any free one.", ge=0, le=65_535)
    worker_port: int = Field(
        8083, description="Port of a worker's health and metrics; 0: any free one.", ge=0, le=65_535
    )

    body_limit: int = Field(1_048_576, description="Largest body, decoded; 413 above.", ge=1, le=8_388_608)
    items_limit: int = Field(1_000, description="Most uplinks in one request; 413 above.", ge=1)
    request_timeout: float = Field(10.0, description="Time for a request to arrive whole; 408 afterwards.", gt=0)
    confirm_timeout: float = Field(2.0, description="Time for the queue to confirm; 503 afterwards.", gt=0)
    waiting_limit: int = Field(2_000, description="Requests that wait for a confirm; 503 above.", ge=1)

    uplinks_in_hand: int = Field(2_000, description="Uplinks that one worker processes at a time.", ge=1)
    posts_in_flight: int = Field(64, description="Requests that one worker has open downstream.", ge=1)
    downstream_timeout: float = Field(15.0, description="Time for one answer from downstream.", gt=0)
    blip_seconds: float = Field(
        10.0, description="How long a failing request is repeated in place, before the ladder.", ge=0
    )
    resolver_cache_size: int = Field(100_000, description="Serials whose device token is remembered.", ge=1)
    resolver_found_ttl: float = Field(3_600.0, description="How long a device token is remembered.", gt=0)
    resolver_unknown_ttl: float = Field(60.0, description="How long an unknown serial is remembered.", gt=0)

    retry_steps: str = Field(
        ",".join(f"{step.total_seconds():g}" for step in DEFAULT_STEPS),
        description="Waits between attempts, ascending, with commas.",
    )
    retry_attempts: int = Field(DEFAULT_ATTEMPTS, description="Attempts before an uplink is a dead letter.", ge=1)
    dead_letter_days: float = Field(
        90.0, description="How long dead letters are kept (RabbitMQ: fixed at first start).", gt=0
    )

    shutdown_timeout: float = Field(20.0, description="Time to finish what is in hand after SIGTERM.", gt=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="From which level on.")
    log_format: Literal["json", "console", "auto"] = Field("auto", description="auto: console on a terminal.")

    @property
    def ladder(self) -> Ladder:
        """The retry ladder that these settings make."""
        return Ladder(_parse_steps(self.retry_steps), self.retry_attempts)

    @field_validator("retry_steps")
    @classmethod
    def _check_retry_steps(cls, text: str) -> str:
        Ladder(_parse_steps(text))
        return text


def _parse_steps(text: str) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=float(seconds)) for seconds in text.split(","))
