"""`clay-push schedules`: list, run, history, pause and resume, with the same functions as the API."""

from pathlib import Path

from tests.harness.installation import Installation, install
from tests.harness.shell import CommandResult, command_environment, shell
from tests.schedules.planned import DAILY, plan, stored


async def schedules(installation: Installation, directory: Path, *arguments: str) -> CommandResult:
    given = (arguments[0], "--org", str(installation.org_id), *arguments[1:])
    return await shell(directory, "schedules", *given, env=command_environment(installation.settings))


async def test_schedules_are_listed_run_paused_and_resumed(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=3) as installation:
        await installation.configure("https://api.clay.com/v3/sources/webhook/x")
        schedule_id = await plan(installation, DAILY)
        listed = await schedules(installation, tmp_path, "list")
        assert listed.exit_code == 0, listed.err
        assert str(schedule_id)[:8] in listed.out
        ran = await schedules(installation, tmp_path, "run", str(schedule_id))
        assert "queued: 3 leads are being pushed to Clay." in ran.out, ran.err
        assert "overlap" in (await schedules(installation, tmp_path, "run", str(schedule_id))).out
        history = await schedules(installation, tmp_path, "runs", str(schedule_id))
        assert "queued" in history.out
        await schedules(installation, tmp_path, "pause", str(schedule_id))
        assert (await stored(installation, schedule_id)).paused_because == "user"
        resumed = await schedules(installation, tmp_path, "resume", str(schedule_id))
        assert "Its next run is due at" in resumed.out
        refused = await schedules(installation, tmp_path, "pause", "x")
        assert "not the id of a schedule" in refused.err
