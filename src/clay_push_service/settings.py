"""Settings of the service: one frozen class, read once from the environment or `.env` and passed in."""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from clay_push_service.database_url import parse
from clay_push_service.key_ring import read_ring
from clay_push_service.setting_checks.values import LONGEST_PORT, api_key, api_url, certificate_file, check_host_rules
from clay_push_service.signing_secret import weakness

PREFIX = "CLAY_PUSH_"
ENV_FILE = ".env"
UNPREFIXED = frozenset({"billing_enabled", "clay_api_key"})
"""Settings whose variables have the names that NexusLeads' documents give them, without PREFIX."""

Network = IPv4Network | IPv6Network
Words = Annotated[tuple[str, ...], NoDecode]
ApiKey = Annotated[SecretStr, AfterValidator(api_key)]
RetryDelay = Annotated[float, Field(ge=0, le=3600)]


class SettingsError(Exception):
    """The settings are invalid. `lines`: one for each bad variable."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n  ".join(["The settings are invalid:", *lines]))
        self.lines = lines


class Settings(BaseSettings):
    """Every setting, with its unit in its name. Source: the environment variable `CLAY_PUSH_<NAME>`, or `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True,
        allow_inf_nan=False,
    )  # fmt: skip

    database_url: str
    """postgresql://user:password@host:port/database, as libpq reads it: NexusLeads' database, where this service owns the schema `clay`.
    `database_url.py` lists the supported parameters."""
    admin_database_url: str | None = None
    """For `migrate` and `attach`; default: DATABASE_URL."""
    host_schema: str = "public"
    """The PostgreSQL schema of NexusLeads' tables."""
    host: str = "127.0.0.1"
    """Listen address of `serve` and of a worker's metrics. Change it from loopback only for a container or a proxy."""
    port: int = Field(8080, ge=0, le=LONGEST_PORT)
    """Port of `serve`; 0 selects any free port."""
    metrics_port: int | None = Field(None, ge=0, le=LONGEST_PORT)
    """Port of a worker's metrics, on HOST; unset: no metrics. It has no authentication: keep it inside your network."""

    jwt_secret: SecretStr | None = None
    """NexusLeads' SECRET_KEY, which verifies its access tokens: at least 32 bytes, 12 different characters, no published default.
    Without it only service keys are accepted."""
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """Key ring: `id:base64` AES-256 keys, comma-separated; the first encrypts, all decrypt. A worker requires it; without it
    `serve` cannot save or test webhooks."""
    billing_enabled: bool = Field(False, validation_alias=AliasChoices("BILLING_ENABLED", "billing_enabled"))
    """NexusLeads' own switch and name. Off: every organization may push; on: Enterprise only."""
    upgrade_url: str | None = None
    """Link of the upgrade prompt for organizations without access."""
    ops_open: bool = False
    """Serve `/status` and `/metrics` without a key; for private networks only."""

    allowed_webhook_hosts: Words = Field(("clay.com", "*.clay.com"), min_length=1)
    """`host`, `*.host`, or either with `:port`; the default port is 443."""
    allowed_webhook_networks: Words = ()
    """Internal networks that webhooks may use. For a sandbox or a test only."""
    allow_plain_http: bool = False
    """Allow webhooks with http://. For a sandbox or a test only."""

    clay_api_url: Annotated[str, AfterValidator(api_url)] = "https://api.clay.com/public/v0"
    """Address of Clay's public API, checked by the guard of webhooks. Another one is for a sandbox or a test only."""
    clay_api_key: ApiKey | None = Field(None, validation_alias=AliasChoices("CLAY_API_KEY", "clay_api_key"))
    """The enrichment guide's name. Only for an installation with one organization: data from Clay must not be resold."""

    worker_concurrency: int = Field(100, ge=1, le=1000)
    """Concurrent slices in one worker; a slice that waits for its pace costs one coroutine."""
    in_flight_per_destination: int = Field(16, ge=1, le=256)
    """Concurrent POSTs to one destination from one worker; measurements show no gain above 16."""
    database_pool_size: int = Field(10, ge=1, le=200)
    """Maximum pooled PostgreSQL connections of one process, in addition to those in docs/scaling.md. None is held during a POST."""
    ca_file: Annotated[str, AfterValidator(certificate_file)] | None = None
    """PEM file of certificate authorities to trust in addition to the public ones, for a proxy or gateway on the path to Clay."""
    request_timeout_seconds: float = Field(30.0, gt=0, le=300)
    """Time limit of a whole POST. 30 s: feature document, section 8."""
    connect_timeout_seconds: float = Field(10.0, gt=0, le=60)
    """Time limit for connecting to Clay. Nothing is sent before, so a timeout is retried."""
    retry_delays_seconds: Annotated[tuple[RetryDelay, ...], NoDecode] = Field((2.0, 8.0, 30.0), min_length=1)
    """Waits before the 2nd, 3rd and 4th attempt, without jitter. Three retries: feature document, section 8."""
    lease_seconds: float = Field(75.0, gt=0)
    """How long a claim is valid without renewal; must exceed two POSTs (see `longest_post_seconds`)."""
    sweep_seconds: float = Field(10.0, gt=0)
    """Interval between sweeps of a worker. After its lease expires, a delivery of a dead worker waits this long at most; an
    idle push job is detected after one to two intervals."""
    shutdown_grace_seconds: float = Field(20.0, gt=0, le=20)
    """How long a stopping worker waits for responses; the rest become `unknown`. Supervisors kill it after 25 s."""
    watchdog_seconds: float = Field(30.0, ge=1)
    """A worker without its database, or with a blocked event loop, exits after this time."""
    outage_probe_seconds: float = Field(30.0, gt=0)
    """Interval between probes of a destination in an outage; each probe sends one lead."""
    outage_give_up_seconds: float = Field(1800.0, gt=0)
    """Outage after which the rest of a push job fails as `clay_unavailable`: sellers prefer a failure to a long silent wait."""

    retention_days: int = Field(180, ge=1)
    """Age after which the personal columns of finished deliveries are cleared; the rows stay."""
    log_format: Literal["json", "console"] = "json"
    """`console` is for reading in a terminal."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Level of the service's own lines; DEBUG adds one line per delivered lead."""
    max_body_bytes: int = Field(4_000_000, ge=1000)
    """Largest request body of any route (a push: 50,000 UUIDs are 2 MB). Most routes accept 16 KB."""
    requests_per_organization: int = Field(4, ge=1, le=200)
    """Concurrent requests of one organization in one process; further ones wait. In a pool of 10 this leaves 6 to others."""
    costly_requests_per_organization: int = Field(2, ge=1, le=50)
    """The same for pushes, previews, rule runs and erasures: each uses a connection for seconds, and up to 20 MB (50,000 ids)."""
    exports_per_organization: int = Field(2, ge=1, le=50)
    """The same for CSV exports, which last as long as the client reads."""
    event_streams_per_caller: int = Field(10, ge=1, le=1000)
    """Event streams of one user or key in one process: a user has a few tabs open."""
    event_streams: int = Field(500, ge=1, le=50_000)
    """Event streams of all callers in one process; half of `max_connections`, which leaves the rest to requests."""
    event_stream_recheck_seconds: float = Field(10.0, gt=0, le=15)
    """Interval of permission checks of a stream; a stream outlives a revoked key by this time at most."""
    turn_wait_seconds: float = Field(10.0, gt=0, le=60)
    """Maximum wait for a concurrency slot; then 429. A push of 50,000 leads takes about a second."""
    max_connections: int = Field(1000, ge=10, le=60_000)
    """Concurrent client connections of one `serve`; beyond it the longest idle one is closed. A connection costs about 20 KB."""
    header_timeout_seconds: float = Field(10.0, gt=0, le=300)
    """Time limit for a complete request header, counted from the connection or from the previous response."""
    body_timeout_seconds: float = Field(30.0, gt=0, le=300)
    """Time limit for a complete request body; 4 MB in 30 s are 1 Mbit/s."""

    @field_validator(
        "allowed_webhook_hosts", "allowed_webhook_networks", "encryption_keys", "retry_delays_seconds", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        read_ring(value)
        return value

    @field_validator("allowed_webhook_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_host_rules(value)
        return value

    @field_validator("allowed_webhook_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ip_network(part)
        return value

    @field_validator("database_url", "admin_database_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is not None:
            for name, path in parse(value).files:
                if not os.access(path, os.R_OK):
                    raise ValueError(f"parameter {name}: names a file that does not exist or is not readable")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (reason := weakness(value.get_secret_value())) is not None:
            raise ValueError(reason)
        return value

    @field_validator("lease_seconds")
    @classmethod
    def _outlives_a_post(cls, value: float, info: ValidationInfo) -> float:
        if value <= 2 * info.data.get("request_timeout_seconds", 0):
            raise ValueError(f"must be longer than twice {PREFIX}REQUEST_TIMEOUT_SECONDS")
        return value

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        return tuple(ip_network(part) for part in self.allowed_webhook_networks)

    @property
    def longest_post_seconds(self) -> float:
        """Includes the wait for a free connection, which has the same limit as the POST."""
        return 2 * self.request_timeout_seconds

    @property
    def insecure(self) -> tuple[str, ...]:
        """Descriptions of settings that are unsafe in production; logged at start and shown on `/status`."""
        found = []
        if self.allow_plain_http:
            found.append("plain HTTP to webhooks is allowed (CLAY_PUSH_ALLOW_PLAIN_HTTP)")
        if self.allowed_webhook_networks:
            found.append("internal networks are allowed for webhooks (CLAY_PUSH_ALLOWED_WEBHOOK_NETWORKS)")
        return tuple(found)


def load(env_file: str | None = ENV_FILE, **values: object) -> Settings:
    """Read the environment. Raises SettingsError with one line per bad, missing or unknown variable."""
    lines = list(_unknown({**(dotenv_values(env_file) if env_file and Path(env_file).is_file() else {}), **os.environ}))
    found = None
    try:
        found = Settings(_env_file=env_file, **values)  # type: ignore[arg-type]  # pydantic validates what mypy cannot
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0]).upper()
            name = name if name.lower() in UNPREFIXED else PREFIX + name
            message = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else problem["msg"]
            if name == f"{PREFIX}DATABASE_URL" and problem["type"] == "missing":
                message = "is required (`make demo` runs everything without it)"
            lines.append(f"{name}: {message}")
    if found is None or lines:
        raise SettingsError(lines)
    return found


def _unknown(environment: Mapping[str, str | None]) -> Iterator[str]:
    """Report unknown names: a misspelled setting would have no effect; CLAY_PUSH_BILLING_ENABLED would leave the gate open."""
    known = [name.upper() for name in Settings.model_fields if name not in UNPREFIXED]
    for name in sorted(environment):
        given = name.upper().removeprefix(PREFIX)
        if name.upper().startswith(PREFIX) and given not in known:
            close = [PREFIX + each for each in difflib.get_close_matches(given, known, n=1)]
            meant = given if given.lower() in UNPREFIXED else next(iter(close), None)
            yield f"{name}: unknown setting" + (f"; did you mean {meant}?" if meant else "")
