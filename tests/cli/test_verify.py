"""`clay-push verify` exits with 0 and prints a table if all checks pass, and exits with 1 and names the check that fails."""

from pathlib import Path

from tests.harness.installation import install_with_drainer
from tests.harness.shell import command_environment, shell


async def test_verify_exits_with_0_for_consistent_data_and_with_1_for_a_wrong_counter(
    database_url: str, tmp_path: Path
) -> None:
    async with install_with_drainer(database_url, leads=3) as (installation, drainer, _clay):
        accepted = await installation.push()
        await installation.drain_all(drainer)
        env = command_environment(installation.settings)
        sound = await shell(tmp_path, "verify", env=env)
        assert sound.exit_code == 0, sound.out
        await installation.fetch("UPDATE clay.push_jobs SET success_count = 2")
        broken = await shell(tmp_path, "verify", env=env)
        assert broken.exit_code == 1
        assert str(accepted.job_id) in broken.out
        assert (await installation.job(accepted.job_id)).success_count == 2, "verify must not repair anything"
