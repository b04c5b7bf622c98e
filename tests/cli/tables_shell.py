"""`clay-push destinations` and `clay-push workspaces` as commands on an installation."""

from pathlib import Path

from tests.harness.installation import Installation
from tests.harness.shell import CommandResult, command_environment, shell


async def run_tables(
    made: Installation, directory: Path, group: str, *arguments: str, typed: str | None = None
) -> CommandResult:
    """`typed`: the standard input, a line for each secret."""
    given = (group, arguments[0], "--org", str(made.org_id), *arguments[1:])
    env = command_environment(made.settings)
    return await shell(directory, *given, env=env, typed=None if typed is None else typed.encode())
