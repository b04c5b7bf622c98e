"""`clay-push erase`: erasure by a command, with the receipt on standard output."""

import json
from pathlib import Path
from uuid import uuid4

from tests.harness.installation import install_with_drainer
from tests.harness.shell import command_environment, shell


async def test_the_command_erases_people_and_prints_the_receipt(database_url: str, tmp_path: Path) -> None:
    async with install_with_drainer(database_url, leads=3) as (installation, drainer, clay):
        env = command_environment(installation.settings)
        await installation.push(installation.lead_ids[:1])
        await installation.drain_all(drainer)
        leads = ("--lead", str(installation.lead_ids[0]), "--lead", str(installation.lead_ids[1]))
        report = await shell(tmp_path, "erase", "--org", str(installation.org_id), *leads, env=env)
        assert report.exit_code == 0, report.err
        receipt = json.loads(report.out)
        gone = {lead["lead_id"]: lead["gone_to_clay"] for lead in receipt["leads"]}
        assert [row["delivery_id"] for row in gone[str(installation.lead_ids[0])]] == [clay.posts[0].delivery_id]
        assert gone[str(installation.lead_ids[1])] == []
        assert "by hand" in report.err
        assert (await installation.push()).skipped_count == 2
        [act] = await installation.fetch("SELECT actor FROM clay.audit_log WHERE action = 'leads.erased'")
        assert act.actor.startswith("shell")


async def test_an_unknown_lead_or_organization_erases_nothing(database_url: str, tmp_path: Path) -> None:
    async with install_with_drainer(database_url, leads=1) as (installation, _, _clay):
        env = command_environment(installation.settings)
        for org, lead, named in ((str(installation.org_id), "johndoe", "johndoe"), ("nobody", str(uuid4()), "nobody")):
            report = await shell(tmp_path, "erase", "--org", org, "--lead", lead, env=env)
            assert report.exit_code == 1
            assert named in report.err
            assert "Traceback" not in report.err
        assert await installation.fetch("SELECT 1 FROM clay.erasures") == []
