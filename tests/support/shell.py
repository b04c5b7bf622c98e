"""Runs `clay-push` as a real process, with only the environment variables that a test gives it."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from clay_push_service.settings import PREFIX, Settings
from tests.support.runtime import runtime_url

SECONDS = 60


@dataclass(frozen=True, slots=True)
class CommandResult:
    exit_code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """PATH and HOME, and `CLAY_PUSH_` before each name that is given.

    The owner's URL of one of the tests' databases becomes the admin's, and the role of least rights runs the service.
    """
    if (owner := variables.get("database_url")) and (runtime := runtime_url(owner)) != owner:
        variables = {"admin_database_url": owner} | variables | {"database_url": runtime}
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return kept | {"COLUMNS": "200"} | {PREFIX + name.upper(): value for name, value in variables.items()}


def of_settings(settings: Settings) -> dict[str, str]:
    """The environment in which a process has a test's settings, as far as they matter to a command."""
    secret: SecretStr | None = settings.jwt_secret
    return environment(
        database_url=settings.database_url,
        jwt_secret=secret.get_secret_value() if secret else "",
        encryption_keys=",".join(key.get_secret_value() for key in settings.encryption_keys),
        allowed_webhook_hosts=",".join(settings.allowed_webhook_hosts),
        allowed_webhook_networks=",".join(settings.allowed_webhook_networks),
        allow_plain_http=str(settings.allow_plain_http),
        log_format="console",
    ) | {"BILLING_ENABLED": str(settings.billing_enabled)}


async def start(directory: Path, *arguments: str, env: dict[str, str]) -> asyncio.subprocess.Process:
    """A process that the test ends itself."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clay_push_service.cli", *arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=directory, env=env,
    )  # fmt: skip


async def shell(
    directory: Path, *arguments: str, env: dict[str, str] | None = None, seconds: float = SECONDS
) -> CommandResult:
    process = await start(directory, *arguments, env=environment() if env is None else env)
    try:
        out, err = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return CommandResult(process.returncode, out.decode(), err.decode())
