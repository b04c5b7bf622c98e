"""`clay-push exclusions`: add, list and remove, with the same rules as the API."""

from pathlib import Path

import pytest

from tests.harness.installation import Installation, install
from tests.harness.shell import CommandResult, command_environment, shell

WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"


async def exclusions(installation: Installation, directory: Path, *arguments: str) -> CommandResult:
    return await shell(directory, "exclusions", *arguments, env=command_environment(installation.settings))


async def test_add_list_and_remove(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=3) as installation:
        await installation.configure(WEBHOOK)
        await installation.push()
        org, lead = str(installation.org_id), str(installation.lead_ids[0])
        added = await exclusions(
            installation, tmp_path, "add", "--org", org, "--lead", lead, "--reason", "Asked", "--opt-out"
        )
        assert (added.exit_code, "Queued deliveries skipped: 1." in added.out) == (0, True), added.err
        again = await exclusions(installation, tmp_path, "add", "--org", org, "--lead", lead, "--reason", "Other")
        assert "excluded already" in again.out
        domain = await exclusions(
            installation, tmp_path, "add", "--org", org, "--domain", "acme.com", "--reason", "Competitor"
        )
        assert domain.exit_code == 0, domain.err
        listed = await exclusions(installation, tmp_path, "list", "--org", org)
        assert all(each in listed.out for each in (lead, "opt_out", "acme.com", "Competitor", "shell")), listed.out
        [row] = await installation.fetch("SELECT id FROM clay.exclusions WHERE domain = 'acme.com'")
        removed = await exclusions(installation, tmp_path, "remove", "--org", org, str(row.id))
        assert removed.exit_code == 0, removed.err
        assert [each.kind for each in await installation.fetch("SELECT kind FROM clay.exclusions")] == ["opt_out"]


@pytest.mark.parametrize(
    ("arguments", "report"),
    [
        (("--reason", "r"), "--lead, --domain, --email and --segment"),
        (("--reason", "r", "--domain", "acme.com", "--email", "jane@acme.com"), "exactly one"),
        (("--reason", "r", "--email", "acme.com"), "not one e-mail address"),
        (("--reason", "r", "--lead", "x"), "not a lead id"),
        (("--reason", "r", "--domain", "jane@acme.com"), "not an e-mail domain"),
        (("--reason", " ", "--domain", "acme.com"), "reason is empty"),
    ],
)
async def test_a_wrong_argument_is_refused(
    database_url: str, tmp_path: Path, arguments: tuple[str, ...], report: str
) -> None:
    async with install(database_url, leads=1) as installation:
        refused = await exclusions(installation, tmp_path, "add", "--org", str(installation.org_id), *arguments)
        assert refused.exit_code != 0
        assert report in refused.err
