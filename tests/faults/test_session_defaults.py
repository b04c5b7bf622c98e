"""A push works with all session defaults that an administrator may set for the database or the role."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from clay_push_service.privacy.retention import empty_old_jobs
from clay_push_service.session_settings import SINCE
from tests.harness.databases import name_of
from tests.harness.service import Service, WorkerProcess, run_service
from tests.harness.shell import command_environment, shell
from tests.support.session_defaults import UNUSUAL_DEFAULTS

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
IDLE_LONG = (
    f"SELECT count(*) {OTHERS} AND state = 'idle' AND clock_timestamp() - state_change > interval '3500 milliseconds'"
)
FAILURES = ("sweep.failed", "queue.worker_failed", "slice.failed", "mirror.pass_failed", "inbox.failed", "Traceback")


async def make_defaults(service: Service, own: asyncpg.Connection, of: str) -> None:
    """Set the defaults and close all connections of the service, so that it opens new ones. `own` is a connection of the service's role."""
    by = service.host.connection if of.startswith("DATABASE") else own
    major = service.host.connection.get_server_version().major
    for name, value in UNUSUAL_DEFAULTS.items():
        if SINCE.get(name, 0) <= major:
            await by.execute(f"ALTER {of} SET {name} = '{value}'")
    await own.execute(f"SELECT pg_terminate_backend(pid) {OTHERS} AND usename = current_user")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("of", ["DATABASE {0}", "ROLE CURRENT_USER IN DATABASE {0}"], ids=["database", "role"])
async def test_a_push_works_with_unusual_defaults(database_url: str, tmp_path: Path, of: str) -> None:
    async with run_service(database_url, tmp_path, workers=0) as service:
        own = await asyncpg.connect(service.settings.database_url)
        await make_defaults(service, own, of.format(name_of(database_url)))
        log = tmp_path / "worker.log"
        service.workers.append(WorkerProcess(service.settings, log))
        await service.workers[-1].start()
        async with asyncio.timeout(60):  # a closed connection may cause one 503
            while (await service.api.http.get("/api/clay/config", headers=service.api.headers())).status_code == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await service.configure()
        for first in (0, 20):
            accepted = await service.api.push(list(service.lead_ids[first : first + 20]))
            path = f"/api/clay/jobs/{accepted['job_id']}/events"
            watching = asyncio.create_task(service.api.http.get(path, headers=service.api.headers()))
            job = await service.api.finished(accepted["job_id"], 120)
            assert (job["status"], job["success_count"]) == ("completed", 20)
            assert '"status":"completed"' in (await asyncio.wait_for(watching, 60)).text
            async with asyncio.timeout(60):  # longer than idle_session_timeout
                while await own.fetchval(IDLE_LONG) == 0:  # noqa: ASYNC110 - another process has no event
                    await asyncio.sleep(0.1)
        await empty_old_jobs(service.api.database, 1)
        verified = await shell(tmp_path, "verify", env=command_environment(service.settings), seconds=120)
        assert verified.exit_code == 0, verified
        assert (await service.sandbox.counts())["repeated_leads"] == 0
        await own.close()
        await service.workers[-1].terminate()
        report = log.read_text()
        assert not any(each in report for each in FAILURES), report
