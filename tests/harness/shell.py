"""Runs `clay-push` as a process, with only the environment variables that a test chooses."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from clay_push_service.settings import PREFIX, Settings
from tests.harness.runtime import runtime_url
from tests.harness.settings import environment_of

SECONDS = 60


@dataclass(frozen=True, slots=True)
class CommandResult:
    exit_code: int
    out: str
    err: str


def environment(**variables: str) -> dict[str, str]:
    """Returns PATH, HOME, and the given settings with the prefix `CLAY_PUSH_`.

    The owner's URL of a test database becomes the admin URL, and the URL of the role of least rights becomes the service's URL.
    """
    if (owner := variables.get("database_url")) and (runtime := runtime_url(owner)) != owner:
        variables = {"admin_database_url": owner} | variables | {"database_url": runtime}
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return kept | {"COLUMNS": "200"} | {PREFIX + name.upper(): value for name, value in variables.items()}


def command_environment(settings: Settings) -> dict[str, str]:
    """Returns the environment of a command with these settings. Its log is text, in wide lines."""
    return environment_of(settings) | {f"{PREFIX}LOG_FORMAT": "console", "COLUMNS": "200"}


async def start(directory: Path, *arguments: str, env: dict[str, str]) -> asyncio.subprocess.Process:
    """Start a process, which the test must end."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "clay_push_service.cli", *arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        cwd=directory, env=env,
    )  # fmt: skip


async def shell(
    directory: Path,
    *arguments: str,
    env: dict[str, str] | None = None,
    seconds: float = SECONDS,
    typed: bytes | None = None,
) -> CommandResult:
    """`typed`: the whole standard input; None: it stays open."""
    process = await start(directory, *arguments, env=environment() if env is None else env)
    try:
        out, err = await asyncio.wait_for(process.communicate(typed), seconds)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return CommandResult(process.returncode, out.decode(), err.decode())
