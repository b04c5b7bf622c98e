"""Doctor checks of the settings: the JWT secret and insecure options."""

from collections.abc import Iterator

from clay_push_service.commands.doctor.finding import Finding, Result
from clay_push_service.settings import PREFIX, Settings


def check_settings(settings: Settings) -> Iterator[Finding]:
    if settings.jwt_secret is None:
        yield Finding(
            "secrets", Result.WARNING, "JWT_SECRET is not set: only service keys are accepted, no access tokens of members.",
            f"Set {PREFIX}JWT_SECRET to NexusLeads' SECRET_KEY.",
        )  # fmt: skip
    else:
        yield Finding("secrets", Result.OK, "JWT_SECRET is set.")
    for message in settings.insecure:
        yield Finding("settings", Result.WARNING, f"Insecure: {message}.", "Unset it, unless this is a demo or a test.")
