"""If `detach` commits between the detection of the settings function and its use, the operation is repeated without the function."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from clay_push_service.destination_settings.host_sweep import HostSettingsSweep
from clay_push_service.enrichment.settings.host_sweep import ApiKeySweep
from clay_push_service.host.table_cache import HostTableCache
from tests.harness.api import Api, run_api_with_leads
from tests.harness.installation import Installation, install
from tests.harness.shell import command_environment, shell
from tests.host_integration.host_settings import write_host_settings
from tests.support.dump import dump

WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"
DETACHED = "DROP FUNCTION clay.host_settings(uuid)"


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[Api]:
    async with run_api_with_leads(database_url) as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/clay/config", 200),
        ("PUT", "/api/clay/config", 200),
        ("POST", "/api/clay/preview", 200),
        ("POST", "/api/clay/push", 202),
        ("POST", "/api/clay/test", 200),
        ("GET", "/api/clay/enrichment/config", 200),
        ("PUT", "/api/clay/enrichment/config", 200),
    ],
)
async def test_a_request_after_detach_succeeds_although_its_process_detected_the_function_before(
    running: Api, method: str, path: str, status: int
) -> None:
    bodies: dict[tuple[str, str], object] = {
        ("PUT", "/api/clay/config"): {"table_name": "Leads"},
        ("POST", "/api/clay/preview"): {"project_id": str(running.project_id)},
        ("POST", "/api/clay/push"): {"lead_ids": [str(running.lead_ids[0])]},
        ("PUT", "/api/clay/enrichment/config"): {"requests_per_minute": 300},
    }
    assert (await running.get("/api/clay/config", "owner")).status_code == 200
    await running.host.connection.execute(DETACHED)
    response = await running.send(method, path, "owner", json=bodies.get((method, path)))
    assert response.status_code == status, response.text


@pytest.mark.parametrize("sweep", [HostSettingsSweep, ApiKeySweep])
async def test_a_sweep_passes_after_detach_and_keeps_what_is_stored(
    running: Api, sweep: type[HostSettingsSweep | ApiKeySweep]
) -> None:
    await write_host_settings(running, table_name="Leads of the page", api_key="key-of-the-page-1234567890")
    for made in (HostSettingsSweep, ApiKeySweep):
        await made(running.database, HostTableCache(), running.settings).run_pass()
    before = await dump(running.owner)
    repeated = sweep(running.database, HostTableCache(), running.settings)
    await repeated.run_pass()
    await running.host.connection.execute(DETACHED)
    assert await repeated.run_pass() == 0
    assert await dump(running.owner) == before


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["push", "dry run"])
async def test_the_push_command_succeeds_when_detach_commits_after_its_detection(
    database_url: str, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """A lock on `organizations` holds the command between the detection and the first use of the function."""
    async with install(database_url, leads=2) as installation:
        await installation.configure(WEBHOOK)
        arguments = ("push", "--org", str(installation.org_id), "--project", str(installation.project_id), *options)
        other = await asyncpg.connect(database_url)
        try:
            async with other.transaction():
                await other.execute("LOCK TABLE organizations IN ACCESS EXCLUSIVE MODE")
                environment = command_environment(installation.settings)
                command = asyncio.create_task(shell(tmp_path, *arguments, env=environment))
                await until_waiting_for_lock(installation)
                await other.execute(DETACHED)
            result = await command
        finally:
            await other.close()
        assert (result.exit_code, result.err) == (0, "")
        jobs = await installation.fetch("SELECT lead_count FROM clay.push_jobs")
        assert [job.lead_count for job in jobs] == ([] if options else [2])


async def until_waiting_for_lock(installation: Installation) -> None:
    waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'public.organizations'::regclass"
    async with asyncio.timeout(30):
        while not await installation.fetch(waiting):  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.05)
