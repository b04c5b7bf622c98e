"""`clay-push verify` for cron: exit code 0 and a table if all checks pass, 1 and the name of a check that fails."""

from pathlib import Path

from tests.harness.installation import install_with_drainer
from tests.harness.shell import command_environment, shell


async def test_verify_exits_with_0_for_consistent_data_and_with_1_for_a_wrong_counter(
    database_url: str, tmp_path: Path
) -> None:
    async with install_with_drainer(database_url, leads=3) as (w, drainer, _clay):
        accepted = await w.push()
        await w.drain_all(drainer)
        env = command_environment(w.settings)
        sound = await shell(tmp_path, "verify", env=env)
        assert sound.exit_code == 0, sound.out
        await w.fetch("UPDATE clay.push_jobs SET success_count = 2")
        broken = await shell(tmp_path, "verify", env=env)
        assert broken.exit_code == 1
        assert str(accepted.job_id) in broken.out
        assert (await w.job(accepted.job_id)).success_count == 2, "it repairs nothing"
