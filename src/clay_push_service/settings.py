"""What the environment may say: one frozen class, read once, passed in; nobody else reads `os.environ`."""

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CLAY_PUSH_"
PUBLISHED_SECRETS = frozenset({"your-secret-key-change-in-production", "your-secret-key", "change-me", "changeme"})
"""What NexusLeads' repository and copies of it ship as `SECRET_KEY`; whoever reads them could sign a token."""
MINIMUM_SECRET_LENGTH = 16

Network = IPv4Network | IPv6Network
Words = Annotated[tuple[str, ...], NoDecode]


class SettingsError(Exception):
    """The environment is not usable; the message names every bad variable, one a line."""


class Settings(BaseSettings):
    """Every setting, with its unit in its name. Source of each: an environment variable `CLAY_PUSH_<NAME>`, or `.env`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    database_url: str
    """postgresql://user:password@host:port/database; NexusLeads' database, in which ours is the schema `clay`."""
    admin_database_url: str | None = None
    """For `migrate` and `attach`; without it DATABASE_URL."""
    host_schema: str = "public"
    """Where NexusLeads' tables are."""
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    metrics_port: int | None = Field(None, ge=0, le=65535)
    """A worker's own metrics port; none: it serves none."""

    jwt_secret: SecretStr | None = None
    """The host's SECRET_KEY, to check its access tokens. Without it only service keys are let in."""
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """A ring of `id:base64` AES-256 keys, comma-separated; the first encrypts, all decrypt."""
    billing_enabled: bool = Field(False, validation_alias=AliasChoices("BILLING_ENABLED", "billing_enabled"))
    """The host's own switch, by the host's own name: off, everybody may push; on, Enterprise only."""
    upgrade_url: str | None = None
    """Where the upgrade prompt of a gated organization points."""
    ops_open: bool = False
    """`/status` and `/metrics` without a key."""

    allowed_webhook_hosts: Words = ("clay.com", "*.clay.com")
    """`host`, `*.host`, or either with `:port`; 443 unless a port is named."""
    allowed_webhook_networks: Words = ()
    """Internal networks that may be reached all the same. For a sandbox or a test only."""
    allow_plain_http: bool = False
    """For a sandbox or a test only."""

    worker_concurrency: int = Field(100, ge=1, le=1000)
    """Slices at once in one worker; a slice that only waits for its pace costs a coroutine."""
    in_flight_per_destination: int = Field(16, ge=1, le=256)
    """POSTs at once to one destination from one worker."""
    database_pool_size: int = Field(10, ge=1, le=200)
    request_timeout_seconds: float = Field(30.0, gt=0, le=300)
    """Over the whole POST. 30 s: the feature document, section 8."""
    connect_timeout_seconds: float = Field(10.0, gt=0, le=60)
    retry_delays_seconds: Annotated[tuple[float, ...], NoDecode] = (2.0, 8.0, 30.0)
    """Waits before the 2nd, 3rd and 4th attempt, before jitter. Three retries: the feature document, section 8."""
    lease_seconds: float = Field(75.0, gt=0)
    """How long a claim holds without a word from its worker; longer than two POSTs (see `longest_post_seconds`)."""
    sweep_seconds: float = Field(30.0, gt=0)
    shutdown_grace_seconds: float = Field(20.0, gt=0, le=24)
    """How long a worker that was told to stop waits for answers; what has none then is `unknown`."""
    watchdog_seconds: float = Field(30.0, ge=1)
    """A worker that is cut off from its database, or whose event loop is blocked, ends itself after so long."""
    outage_probe_seconds: float = Field(30.0, gt=0)
    outage_give_up_seconds: float = Field(1800.0, gt=0)

    retention_days: int = Field(180, ge=1)
    """After that personal columns of finished deliveries are emptied; the ledger stays."""
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    max_body_bytes: int = Field(4_000_000, ge=1000)
    """A request's body; 50,000 UUIDs are 2 MB."""

    @field_validator("allowed_webhook_hosts", "allowed_webhook_networks", "encryption_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("retry_delays_seconds", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> object:
        return tuple(float(part) for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("allowed_webhook_networks")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            ip_network(part)
        return value

    @field_validator("database_url", "admin_database_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and value.get_secret_value() in PUBLISHED_SECRETS:
            raise ValueError("is the host's published default; anyone could sign a token with it")
        if value is not None and len(value.get_secret_value()) < MINIMUM_SECRET_LENGTH:
            raise ValueError(f"is shorter than {MINIMUM_SECRET_LENGTH} characters")
        return value

    @model_validator(mode="after")
    def _lease_outlives_a_post(self) -> "Settings":
        if self.lease_seconds <= self.longest_post_seconds:
            raise ValueError("LEASE_SECONDS must be longer than twice REQUEST_TIMEOUT_SECONDS")
        return self

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


def load(**values: object) -> Settings:
    """Read the environment. Raises SettingsError with one line for each bad or missing variable."""
    try:
        return Settings(**values)  # type: ignore[arg-type]  # pydantic validates what mypy cannot
    except ValidationError as error:
        lines = []
        for problem in error.errors(include_input=False, include_url=False):
            name = str(problem["loc"][0]).upper() if problem["loc"] else "settings"
            name = name if name == "BILLING_ENABLED" or not problem["loc"] else PREFIX + name
            said = problem["msg"].removeprefix("Value error, ")
            if name == f"{PREFIX}DATABASE_URL" and problem["type"] == "missing":
                said = "is required (to see everything run without one: make demo)"
            lines.append(f"  {name}: {said}")
        raise SettingsError("The settings are not usable:\n" + "\n".join(lines)) from None
