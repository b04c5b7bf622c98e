"""`clay-push push`: dry run, push, and progress."""

import asyncio
from pathlib import Path

from tests.harness.installation import Installation, install_with_drainer
from tests.harness.shell import command_environment, shell
from tests.support.receiver import Receiver, status


async def named(installation: Installation) -> tuple[str, ...]:
    [org] = await installation.fetch("SELECT name FROM public.organizations WHERE id = :id", id=installation.org_id)
    [project] = await installation.fetch("SELECT name FROM public.projects WHERE id = :id", id=installation.project_id)
    return "push", "--org", org.name.upper(), "--project", project.name


async def until_queued(installation: Installation, jobs: int) -> None:
    async with asyncio.timeout(30):
        while len(await installation.fetch("SELECT 1 FROM clay.push_jobs")) < jobs:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.05)


async def test_a_push_is_previewed_watched_to_its_end_and_skipped_the_second_time(
    database_url: str, tmp_path: Path
) -> None:
    async with install_with_drainer(database_url, leads=12) as (installation, drainer, clay):
        push, env = await named(installation), command_environment(installation.settings)
        dry = await shell(tmp_path, *push, "--dry-run", env=env)
        assert dry.exit_code == 0, dry.err
        assert "Of 12 leads 12 would be sent" in dry.out
        assert await installation.fetch("SELECT 1 FROM clay.push_jobs") == []

        watching = asyncio.create_task(shell(tmp_path, *push, "--watch", env=env))
        await until_queued(installation, 1)
        await installation.drain_all(drainer)
        result = await watching
        assert result.exit_code == 0, result.err
        assert "12 pushed, 0 failed, 0 skipped." in result.out
        assert len(clay.posts) == 12
        [job] = await installation.fetch("SELECT created_by, push_mode FROM clay.push_jobs")
        assert job.created_by.startswith("shell")
        assert job.push_mode == "all"

        again = await shell(tmp_path, *push, env=env)
        assert "Nothing was queued: 12 leads skipped. Already in your Clay table." in again.out


async def test_a_watched_push_that_fails_prints_the_causes_and_exits_with_1(database_url: str, tmp_path: Path) -> None:
    clay = Receiver(answer=lambda _number, _body: status(422))
    async with install_with_drainer(database_url, clay, leads=2) as (installation, drainer, _):
        watching = asyncio.create_task(
            shell(tmp_path, *(await named(installation)), "--watch", env=command_environment(installation.settings))
        )
        await until_queued(installation, 1)
        await installation.drain_all(drainer)
        result = await watching
        assert result.exit_code == 1
        assert "2 × rejected" in result.out


async def test_an_unknown_organization_is_reported_in_one_line(database_url: str, tmp_path: Path) -> None:
    async with install_with_drainer(database_url, leads=1) as (installation, _, _):
        result = await shell(
            tmp_path, "push", "--org", "nobody", "--project", "p", env=command_environment(installation.settings)
        )
        assert result.exit_code == 1
        assert result.err == "There is no organization with the id or name 'nobody'.\n"


async def test_a_dry_run_that_would_be_refused_prints_the_reason_and_exits_with_1(
    database_url: str, tmp_path: Path
) -> None:
    async with install_with_drainer(database_url, leads=1) as (installation, _, _):
        await installation.fetch(
            "UPDATE clay.destination_versions SET state = 'closed', state_reason = 'quota_exhausted'"
        )
        dry = await shell(
            tmp_path, *(await named(installation)), "--dry-run", env=command_environment(installation.settings)
        )
        assert dry.exit_code == 1
        assert "would be refused now: Your Clay table does not accept leads now" in dry.out
