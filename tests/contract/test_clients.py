"""Clients that are generated from openapi.yaml push, watch, list failures and retry on the running service (`make test-contract`)."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest

from tests.harness.service import REPOSITORY, run_service
from tests.harness.settings import access_token, environment_of

HERE = Path(__file__).parent
LEADS = 3
START_SECONDS = 60
STORY_SECONDS = 120

pytestmark = [pytest.mark.contract, pytest.mark.timeout(300)]


async def run(command: Sequence[str | Path], env: Mapping[str, str]) -> None:
    """Run a command, and show its output if it fails."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=HERE, env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(STORY_SECONDS):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, out.decode()


async def until_ready(url: str) -> None:
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(base_url=url, trust_env=False) as http:
        while True:
            try:
                if (await http.get("/readyz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


COMMANDS: Mapping[str, Sequence[str | Path]] = {
    "python": (REPOSITORY / ".venv-contract" / "bin" / "python", HERE / "story.py"),
    "typescript": ("node", HERE / "generated" / "built" / "story.js"),
}


@pytest.mark.parametrize("language", COMMANDS)
async def test_a_generated_client_pushes_watches_and_retries(database_url: str, tmp_path: Path, language: str) -> None:
    async with run_service(database_url, tmp_path) as service:
        await service.configure()
        await service.sandbox.faults({"kind": "status", "status": 422, "next": LEADS})
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        api = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "clay_push_service.cli", "serve", cwd=REPOSITORY,
            env=environment_of(service.settings) | {"CLAY_PUSH_PORT": str(port)},
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            await until_ready(url)
            story = {
                "url": url,
                "token": access_token("owner"),
                "project_id": str(service.project_id),
                "lead_ids": [str(each) for each in service.lead_ids[:LEADS]],
            }
            await run(COMMANDS[language], {"STORY": json.dumps(story), "PYTHONPATH": str(HERE / "generated")})
        finally:
            api.terminate()
            await api.wait()
