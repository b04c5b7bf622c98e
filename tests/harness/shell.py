"""Runs `clay-push` as a real process, with only the environment variables that a test gives it."""

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
    """PATH and HOME, and `CLAY_PUSH_` before each name that is given.

    The owner's URL of one of the tests' databases becomes the admin's, and the role of least rights runs the service.
    """
    if (owner := variables.get("database_url")) and (runtime := runtime_url(owner)) != owner:
        variables = {"admin_database_url": owner} | variables | {"database_url": runtime}
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
    return kept | {"COLUMNS": "200"} | {PREFIX + name.upper(): value for name, value in variables.items()}


def command_environment(settings: Settings) -> dict[str, str]:
    """The environment of a command with these settings: it prints its log as text, in wide lines."""
    return environment_of(settings) | {f"{PREFIX}LOG_FORMAT": "console", "COLUMNS": "200"}


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
