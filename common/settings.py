"""The settings of every role: environment variables with the prefix ``SLUICE_``, and flags of the same name."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from common.directory.tables import check_url
from common.ladder import DEFAULT_ATTEMPTS, DEFAULT_STEPS, Ladder
from common.tls import TlsFiles

TOKEN_CHARACTERS = 16
"""Of a token that an operator chooses: guessing one is an attack over the network, and each guess is a request."""

EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - nothing is bound here
"""Addresses to listen on that nobody can ask for."""


def _check_token(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if len(text) < TOKEN_CHARACTERS or not re.fullmatch(r"[!-~]+", text):
        raise ValueError(f"needs at least {TOKEN_CHARACTERS} characters of ASCII, without spaces")
    return token


ChosenToken = Annotated[SecretStr, AfterValidator(_check_token)]


class Settings(BaseSettings):
    """What an operator may set."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True)

    data: Path = Field(Path("var"), description="Folder for what the embedded storage keeps.")
    database: SecretStr | None = Field(
        None, description="The registry's: postgresql://USER:PASSWORD@HOST/NAME; without it a file in the data folder."
    )
    data_retention_days: float = Field(0.0, description="Days the registry keeps data, by its time; 0: for ever.", ge=0)
    secret_key: SecretStr | None = Field(None, description="What the registry encrypts its tokens with.")
    queue: str = Field("sqlite:var/queue.db", description="Where the queue is: amqp://…, amqps://… or sqlite:PATH.")
    queue_prefix: str = Field("sluice", description="First part of every queue's name.", min_length=1)
    queue_limit: int = Field(
        1_000_000, description="Messages in the work queue above which 503 is answered; 0: none.", ge=0
    )
    directory: str = Field(
        "sluice.toml", description="Who may send, and what their fields mean: a file, or the URL of a registry."
    )
    directory_token: ChosenToken | None = Field(
        None,
        description="What a registry serves its directory under, and a process its live events; the same there and"
        " where they are read. Where there is no registry, also what one signs in with at the console.",
    )
    profile_token: ChosenToken | None = Field(
        None, description="Token of the profile that a registry begins with; without it a random one is shown once."
    )
    downstream: str | None = Field(None, description="Where to post; overrides the directory's.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    ingest_port: int = Field(8080, description="Port of the ingest; 0: any free one.", ge=0, le=65_535)
    registry_port: int = Field(8081, description="Port of the registry; 0: any free one.", ge=0, le=65_535)
    console_port: int = Field(8082, description="Port of the console; 0: any free one.", ge=0, le=65_535)
    worker_port: int = Field(
        8083, description="Port of a worker's health and metrics; 0: any free one.", ge=0, le=65_535
    )

    registry_url: Annotated[str, AfterValidator(check_url)] = Field(
        "http://127.0.0.1:8081", description="The registry that the console and the operator's commands ask."
    )
    ingest_url: Annotated[str, AfterValidator(check_url)] | None = Field(
        None, description="Where gateways post, as the console tells people; without it this machine's ingest."
    )
    console_processes: str = Field(
        "", description="URLs of the processes that the console looks at, with commas; else the ports set here."
    )

    tls_cert: Path | None = Field(
        None, description="Certificate of this process, PEM, intermediates behind it: the servers speak HTTPS then."
    )
    tls_key: Path | None = Field(None, description="Private key of the certificate, PEM, without a passphrase.")
    tls_ca: Path | None = Field(None, description="Authorities to trust in addition to the system's, PEM.")

    connections_limit: int = Field(4_000, description="Open connections at each role's server; 503 above.", ge=1)
    body_limit: int = Field(1_048_576, description="Bytes of the largest body, decoded; 413 above.", ge=1, le=8_388_608)
    items_limit: int = Field(1_000, description="Most uplinks in one request; 413 above.", ge=1)
    request_timeout: float = Field(10.0, description="Seconds for a request to arrive whole; 408 afterwards.", gt=0)
    confirm_timeout: float = Field(2.0, description="Seconds for the queue to confirm; 503 afterwards.", gt=0)
    waiting_limit: int = Field(2_000, description="Requests that wait for a confirm; 503 above.", ge=1)

    uplinks_in_hand: int = Field(1_000, description="Uplinks that one worker processes at a time.", ge=1)
    posts_in_flight: int = Field(64, description="Requests that one worker has open downstream.", ge=1)
    downstream_timeout: float = Field(15.0, description="Seconds for one answer from downstream.", gt=0)
    blip_seconds: float = Field(
        10.0, description="Seconds for which a failing request is repeated in place, before the ladder.", ge=0
    )
    resolver_cache_size: int = Field(100_000, description="Serials whose device token is remembered.", ge=1)
    resolver_found_ttl: float = Field(3_600.0, description="Seconds a device token is remembered.", gt=0)
    resolver_unknown_ttl: float = Field(60.0, description="Seconds an unknown serial is remembered.", gt=0)

    parser_processes: int = Field(2, description="Processes that run payload parsers.", ge=1, le=64)
    parser_seconds: float = Field(
        1.0, description="Seconds of processor time that one parser may take in one run.", gt=0, le=60
    )
    parser_memory: int = Field(
        67_108_864,
        description="Bytes of heap that one parser may take, and as many again for its buffers.",
        ge=8_388_608,
    )

    retry_steps: str = Field(
        ",".join(f"{step.total_seconds():g}" for step in DEFAULT_STEPS),
        description="Seconds to wait between attempts, ascending, with commas.",
    )
    retry_attempts: int = Field(DEFAULT_ATTEMPTS, description="Attempts before an uplink is a dead letter.", ge=1)
    dead_letter_days: float = Field(
        90.0, description="Days dead letters are kept (RabbitMQ: fixed at first start).", gt=0
    )

    drain_delay: float = Field(
        0.0,
        description="Seconds everything goes on after SIGTERM, no longer ready, so that load balancers notice.",
        ge=0,
    )
    shutdown_timeout: float = Field(20.0, description="Seconds to finish what is in hand after SIGTERM.", gt=0)
    traces: Annotated[str, AfterValidator(check_url)] | None = Field(
        None, description="Collector that spans are sent to, OTLP over HTTP, such as http://collector:4318."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")
    log_format: Literal["json", "console", "auto"] = Field(
        "auto", description="How lines are logged; auto: console on a terminal, else json."
    )

    @property
    def directory_url(self) -> str | None:
        """The URL of the registry whose directory is read; None where it is a file's."""
        return self.directory if "://" in self.directory else None

    @property
    def directory_file(self) -> Path:
        """The directory's file, where it is not a registry's."""
        return Path(self.directory)

    def url_of(self, port: int) -> str:
        """Give the URL of a role that listens on this port by these settings, for whoever is on the same machine."""
        scheme = "http" if self.tls_cert is None else "https"
        host = "127.0.0.1" if self.host in EVERYWHERE else self.host
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def tls(self) -> TlsFiles:
        """The files of TLS that these settings name."""
        return TlsFiles(self.tls_cert, self.tls_key, self.tls_ca)

    @property
    def ladder(self) -> Ladder:
        """The retry ladder that these settings make."""
        return Ladder(_parse_steps(self.retry_steps), self.retry_attempts)

    @field_validator("directory")
    @classmethod
    def _check_directory(cls, place: str) -> str:
        return check_url(place) if "://" in place else place

    @field_validator("downstream")
    @classmethod
    def _check_downstream(cls, url: str | None) -> str | None:
        return None if url is None else check_url(url)

    @field_validator("retry_steps")
    @classmethod
    def _check_retry_steps(cls, text: str) -> str:
        Ladder(_parse_steps(text))
        return text


def _parse_steps(text: str) -> tuple[timedelta, ...]:
    return tuple(timedelta(seconds=float(seconds)) for seconds in text.split(","))
