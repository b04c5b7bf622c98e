"""Settings for tests: secrets, production defaults, short intervals for a receiver on this machine, and the environment of a process."""

import os
import time
from collections.abc import Mapping

import jwt

from clay_push_service.destinations.secret_box import generate_key
from clay_push_service.settings import PREFIX, Settings, load
from tests.harness.matrix import chosen_billing
from tests.harness.runtime import runtime_url

JWT_SECRET = "a-secret-of-these-tests-alone-long-enough-for-hs256"
KEY = generate_key()

LOCAL: Mapping[str, object] = {
    "allowed_webhook_hosts": "127.0.0.1,localhost,*.clay.com,clay.com",
    "allowed_webhook_networks": "127.0.0.0/8",
    "allow_plain_http": True,
    "request_timeout_seconds": 2.0,
    "connect_timeout_seconds": 1.0,
    "retry_delays_seconds": "0.05,0.05,0.05",
    "lease_seconds": 5.0,
    "sweep_seconds": 0.5,
    "outage_probe_seconds": 0.3,
    "metrics_port": None,
    "log_format": "console",
}
"""Allow webhooks on loopback, and shorten all wait times."""


def make_settings(database_url: str, **changes: object) -> Settings:
    """Production defaults for the role of least rights. `matrix` chooses billing unless `billing_enabled` is given."""
    unknown = changes.keys() - Settings.model_fields.keys()
    assert not unknown, f"no settings: {sorted(unknown)}"
    values: dict[str, object] = {
        "database_url": runtime_url(database_url),
        "billing_enabled": chosen_billing(),
        "jwt_secret": JWT_SECRET,
        "encryption_keys": KEY,
    }
    return load(None, **(values | changes))


def make_local_settings(database_url: str, **changes: object) -> Settings:
    """Like `make_settings`, with the values of LOCAL."""
    return make_settings(database_url, **{**LOCAL, **changes})


def environment_of(settings: Settings) -> dict[str, str]:
    """Returns the environment variables that give a process these settings."""
    secret = settings.jwt_secret
    values = {
        "DATABASE_URL": settings.database_url,
        "JWT_SECRET": secret.get_secret_value() if secret else "",
        "ENCRYPTION_KEYS": ",".join(key.get_secret_value() for key in settings.encryption_keys),
        "ALLOWED_WEBHOOK_HOSTS": ",".join(settings.allowed_webhook_hosts),
        "ALLOWED_WEBHOOK_NETWORKS": ",".join(settings.allowed_webhook_networks),
        "ALLOW_PLAIN_HTTP": str(settings.allow_plain_http),
        "CLAY_API_URL": settings.clay_api_url,
        "REQUEST_TIMEOUT_SECONDS": str(settings.request_timeout_seconds),
        "CONNECT_TIMEOUT_SECONDS": str(settings.connect_timeout_seconds),
        "RETRY_DELAYS_SECONDS": ",".join(str(each) for each in settings.retry_delays_seconds),
        "LEASE_SECONDS": str(settings.lease_seconds),
        "SWEEP_SECONDS": str(settings.sweep_seconds),
        "OUTAGE_PROBE_SECONDS": str(settings.outage_probe_seconds),
        "WATCHDOG_SECONDS": str(settings.watchdog_seconds),
        "SHUTDOWN_GRACE_SECONDS": str(settings.shutdown_grace_seconds),
        "LOG_LEVEL": settings.log_level,
        "IN_FLIGHT_PER_DESTINATION": str(settings.in_flight_per_destination),
    }
    if settings.ca_file is not None:
        values["CA_FILE"] = settings.ca_file
    if settings.metrics_port is not None:
        values["METRICS_PORT"] = str(settings.metrics_port)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
        **{PREFIX + name: value for name, value in values.items()},
        "BILLING_ENABLED": str(settings.billing_enabled),
    }


def access_token(username: str, **claims: object) -> str:
    """Returns an access token as NexusLeads signs it. Claims that are None are omitted."""
    values = {"sub": username, "exp": int(time.time()) + 600, "type": "access"} | claims
    return jwt.encode({key: value for key, value in values.items() if value is not None}, JWT_SECRET, algorithm="HS256")
