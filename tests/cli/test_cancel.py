"""`clay-push cancel` cancels one push job, all jobs of an organization, or all jobs. No worker runs."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.harness.installation import Installation, install
from tests.harness.shell import CommandResult, command_environment, shell

WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"


async def cancel(installation: Installation, directory: Path, *arguments: str) -> CommandResult:
    return await shell(directory, "cancel", *arguments, env=command_environment(installation.settings))


async def statuses(installation: Installation) -> list[str]:
    return [row.status for row in await installation.fetch("SELECT status FROM clay.push_jobs ORDER BY created_at")]


async def test_one_job_or_all_jobs_of_an_organization_or_all_jobs_are_cancelled(
    database_url: str, tmp_path: Path
) -> None:
    async with install(database_url, leads=6) as installation:
        await installation.configure(WEBHOOK)
        jobs = [await installation.push(installation.lead_ids[each : each + 2]) for each in (0, 2, 4)]
        result = await cancel(installation, tmp_path, "--job", str(jobs[1].job_id))
        assert result.exit_code == 0, result.err
        assert "Cancelled 1 push jobs: 2 leads will not be sent" in result.out
        assert await statuses(installation) == ["pending", "cancelled", "pending"]
        again = await cancel(installation, tmp_path, "--job", str(jobs[1].job_id))
        assert (again.exit_code, "has ended already" in again.err) == (1, True)
        result = await cancel(installation, tmp_path, "--org", str(installation.org_id))
        assert "Cancelled 2 push jobs: 4 leads will not be sent" in result.out
        assert await statuses(installation) == ["cancelled"] * 3
        result = await cancel(installation, tmp_path, "--all")
        assert (result.exit_code, "Cancelled 0 push jobs" in result.out) == (0, True)
        acts = await installation.fetch("SELECT actor FROM clay.audit_log WHERE action = 'push_job.cancelled'")
        assert len(acts) == 3
        assert all(act.actor.startswith("shell") for act in acts)


@pytest.mark.parametrize(
    "arguments", [(), ("--all", "--job", str(uuid4())), ("--job", "7"), ("--job", str(uuid4())), ("--org", "nobody")]
)
async def test_an_ambiguous_command_cancels_nothing(
    database_url: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    async with install(database_url, leads=1) as installation:
        await installation.configure(WEBHOOK)
        await installation.push()
        result = await cancel(installation, tmp_path, *arguments)
        assert result.exit_code == 1
        assert result.err.strip()
        assert "Traceback" not in result.err
        assert await statuses(installation) == ["pending"]
