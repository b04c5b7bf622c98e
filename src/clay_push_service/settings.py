"""What the environment may say: one frozen class, read once, passed in; nobody else reads `os.environ`."""

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from clay_push_service.database_url import parse
from clay_push_service.key_ring import read_ring
from clay_push_service.signing_secret import weakness

PREFIX = "CLAY_PUSH_"
ENV_FILE = ".env"
LONGEST_PORT = 65_535
HOST_RULE = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?(?::([0-9]{1,5}))?|\[[0-9a-f:.]+\](?::([0-9]{1,5}))?")

Network = IPv4Network | IPv6Network
Words = Annotated[tuple[str, ...], NoDecode]
RetryDelay = Annotated[float, Field(ge=0, le=3600)]


class SettingsError(Exception):
    """The environment is not usable; the message names every bad variable, one a line."""

    def __init__(self, lines: Iterable[str]) -> None:
        super().__init__("The settings are not usable:\n" + "\n".join(f"  {line}" for line in lines))


class Settings(BaseSettings):
    """Every setting, with its unit in its name. Source of each: an environment variable `CLAY_PUSH_<NAME>`, or `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True,
        allow_inf_nan=False,
    )  # fmt: skip

    database_url: str
    """postgresql://user:password@host:port/database, as libpq reads it; NexusLeads' database, in which ours is the schema `clay`.
    The parameters it may have are in `database_url.py`."""
    admin_database_url: str | None = None
    """For `migrate` and `attach`; without it DATABASE_URL."""
    host_schema: str = "public"
    """The PostgreSQL schema where NexusLeads' tables are."""
    host: str = "127.0.0.1"
    """The address `serve` listens on, and a worker's metrics. Of this machine alone unless a container or a proxy needs more."""
    port: int = Field(8080, ge=0, le=LONGEST_PORT)
    """Where `serve` listens; 0 takes any free one."""
    metrics_port: int | None = Field(None, ge=0, le=LONGEST_PORT)
    """A worker's own metrics port, on HOST; none: it serves none. Without a key: keep it in your network."""

    jwt_secret: SecretStr | None = None
    """The host's SECRET_KEY, to check its access tokens: at least 32 bytes, 12 different characters, no published default.
    Without it only service keys are let in."""
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """A ring of `id:base64` AES-256 keys, comma-separated; the first encrypts, all decrypt. A worker needs it; `serve`
    without it can save and test no webhook."""
    billing_enabled: bool = Field(False, validation_alias=AliasChoices("BILLING_ENABLED", "billing_enabled"))
    """The host's own switch, by the host's own name: off, everybody may push; on, Enterprise only."""
    upgrade_url: str | None = None
    """Where the upgrade prompt of a gated organization points."""
    ops_open: bool = False
    """`/status` and `/metrics` without a key, for a network of one's own."""

    allowed_webhook_hosts: Words = Field(("clay.com", "*.clay.com"), min_length=1)
    """`host`, `*.host`, or either with `:port`; 443 unless a port is named."""
    allowed_webhook_networks: Words = ()
    """Internal networks that may be reached all the same. For a sandbox or a test only."""
    allow_plain_http: bool = False
    """Webhooks that begin with http://. For a sandbox or a test only."""

    worker_concurrency: int = Field(100, ge=1, le=1000)
    """Slices at once in one worker; a slice that only waits for its pace costs a coroutine."""
    in_flight_per_destination: int = Field(16, ge=1, le=256)
    """POSTs at once to one destination from one worker; more gained nothing when measured."""
    database_pool_size: int = Field(10, ge=1, le=200)
    """Connections of one process to PostgreSQL at most, beside the few of docs/scaling.md; none is held across a POST."""
    ca_file: str | None = None
    """A PEM file of certificate authorities to trust in addition to the public ones, when a proxy or gateway on the way to
    webhooks has a private one."""
    request_timeout_seconds: float = Field(30.0, gt=0, le=300)
    """Over the whole POST. 30 s: the feature document, section 8."""
    connect_timeout_seconds: float = Field(10.0, gt=0, le=60)
    """Until a connection to Clay stands; nothing was sent before, so what takes longer is tried again."""
    retry_delays_seconds: Annotated[tuple[RetryDelay, ...], NoDecode] = Field((2.0, 8.0, 30.0), min_length=1)
    """Waits before the 2nd, 3rd and 4th attempt, before jitter. Three retries: the feature document, section 8."""
    lease_seconds: float = Field(75.0, gt=0)
    """How long a claim holds without a word from its worker; longer than two POSTs (see `longest_post_seconds`)."""
    sweep_seconds: float = Field(10.0, gt=0)
    """Between two sweeps of a worker. What a dead worker left waits this long at most once its lease has ended; a push job that
    it drained is found idle after once to twice this time."""
    shutdown_grace_seconds: float = Field(20.0, gt=0, le=20)
    """How long a worker that was told to stop waits for answers; what has none then is `unknown`. Never over 20 s: it must
    have ended before whoever stopped it loses patience at 25 s."""
    watchdog_seconds: float = Field(30.0, ge=1)
    """A worker that is cut off from its database, or whose event loop is blocked, ends itself after so long."""
    outage_probe_seconds: float = Field(30.0, gt=0)
    """Between two leads that try whether a destination's outage is over."""
    outage_give_up_seconds: float = Field(1800.0, gt=0)
    """After so long an outage the rest of a push job fails as `clay_unavailable`. Half an hour: a lead a seller waits for
    is better failed and seen than silently waiting."""

    retention_days: int = Field(180, ge=1)
    """After that personal columns of finished deliveries are emptied; the ledger stays."""
    log_format: Literal["json", "console"] = "json"
    """`console` is for people at a terminal."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Of our own lines; DEBUG has one for every lead that Clay took."""
    max_body_bytes: int = Field(4_000_000, ge=1000)
    """The largest body of any route, which is a push's: 50,000 UUIDs are 2 MB. Most routes take 16 KB."""
    requests_per_organization: int = Field(4, ge=1, le=200)
    """Requests of one organization at once in one process; others wait their turn. Of a pool of 10 this leaves 6 to others."""
    costly_requests_per_organization: int = Field(2, ge=1, le=50)
    """The same for pushes, previews, runs of a rule and erasures: each holds a connection for seconds, and 50,000 ids 20 MB."""
    exports_per_organization: int = Field(2, ge=1, le=50)
    """The same for CSV files, which last as long as their reader reads."""
    event_streams_per_caller: int = Field(10, ge=1, le=1000)
    """Of one user or key in one process: a person has a few tabs open."""
    event_streams: int = Field(500, ge=1, le=50_000)
    """Of all callers in one process; half of `max_connections`, so that requests find room."""
    event_stream_recheck_seconds: float = Field(10.0, gt=0, le=15)
    """How often the rights of a stream's caller are read again; a stream outlives a revoked key by so long at most."""
    turn_wait_seconds: float = Field(10.0, gt=0, le=60)
    """For a turn; then 429. A push of 50,000 leads takes about a second."""
    max_connections: int = Field(1000, ge=10, le=60_000)
    """Connections of callers at once in one `serve`. Over it the one that has waited longest for its client is closed. Half of
    them may be event streams; a connection costs about 20 KB."""
    header_timeout_seconds: float = Field(10.0, gt=0, le=300)
    """Until a request's header is complete, counted from when the connection stands or the answer before was given."""
    body_timeout_seconds: float = Field(30.0, gt=0, le=300)
    """Until a request's body is complete; 4 MB in 30 s are 1 Mbit/s, less than any office line."""

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
        for part in value:
            found = HOST_RULE.fullmatch(part.lower())
            port = next(filter(None, found.groups()), None) if found else None
            if found is None or (port is not None and not 1 <= int(port) <= LONGEST_PORT):
                raise ValueError(
                    f"{part!r} is not a host; write clay.com, *.clay.com, or either with :port, and no https://"
                )
        return value

    @field_validator("allowed_webhook_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ip_network(part)
        return value

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, value: str | None) -> str | None:
        if value is not None:
            import ssl  # only here, as with SQLAlchemy below

            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=value)
            except OSError:
                raise ValueError(f"{value} is no readable PEM file with certificates") from None
        return value

    @field_validator("database_url", "admin_database_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is not None:
            for name, path in parse(value).files:
                if not os.access(path, os.R_OK):
                    raise ValueError(f"parameter {name}: names a file that is not there or may not be read")
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
        """A POST may wait as long for a free connection as it may last."""
        return 2 * self.request_timeout_seconds

    @property
    def loosened(self) -> tuple[str, ...]:
        """What makes this instance unfit for production, to be said at start and on `/status`."""
        said = []
        if self.allow_plain_http:
            said.append("plain HTTP to webhooks is allowed (CLAY_PUSH_ALLOW_PLAIN_HTTP)")
        if self.allowed_webhook_networks:
            said.append("internal networks may be reached (CLAY_PUSH_ALLOWED_WEBHOOK_NETWORKS)")
        return tuple(said)


def load(env_file: str | None = ENV_FILE, **values: object) -> Settings:
    """Read the environment. Raises SettingsError with one line for each bad, missing or unknown variable."""
    lines = list(_unknown({**(dotenv_values(env_file) if env_file and Path(env_file).is_file() else {}), **os.environ}))
    found = None
    try:
        found = Settings(_env_file=env_file, **values)  # type: ignore[arg-type]  # pydantic validates what mypy cannot
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0]).upper()
            name = name if name == "BILLING_ENABLED" else PREFIX + name
            said = problem["msg"].removeprefix("Value error, ")
            if name == f"{PREFIX}DATABASE_URL" and problem["type"] == "missing":
                said = "is required (to see everything run without one: make demo)"
            lines.append(f"{name}: {said}")
    if found is None or lines:
        raise SettingsError(lines)
    return found


def _unknown(environment: Mapping[str, str | None]) -> Iterator[str]:
    """A misspelt setting would be no setting, and CLAY_PUSH_BILLING_ENABLED a gate that stands open."""
    known = [name.upper() for name in Settings.model_fields if name != "billing_enabled"]
    for name in sorted(environment):
        given = name.upper().removeprefix(PREFIX)
        if name.upper().startswith(PREFIX) and given not in known:
            close = [PREFIX + each for each in difflib.get_close_matches(given, known, n=1)]
            meant = "BILLING_ENABLED" if given == "BILLING_ENABLED" else next(iter(close), None)
            yield f"{name}: there is no such setting" + (f"; did you mean {meant}?" if meant else "")
