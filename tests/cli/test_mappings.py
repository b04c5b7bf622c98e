"""`clay-push mappings`: save, list, show and use, with the same rules as the API."""

import json
from pathlib import Path

from tests.harness.installation import Installation, install
from tests.harness.shell import CommandResult, command_environment, shell

WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"


async def mappings(installation: Installation, directory: Path, *arguments: str) -> CommandResult:
    return await shell(directory, "mappings", *arguments, env=command_environment(installation.settings))


async def test_save_list_show_and_use(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=1) as installation:
        await installation.configure(WEBHOOK)
        org = str(installation.org_id)
        lean = await mappings(installation, tmp_path, "show", "--org", org, "lean_outbound")
        assert len(json.loads(lean.out)) == 12
        file = tmp_path / "columns.json"
        file.write_text(lean.out)
        saved = await mappings(installation, tmp_path, "save", "--org", org, "--name", "Outbound", str(file))
        assert (saved.exit_code, "Version 1 of Outbound" in saved.out) == (0, True), saved.err
        assert "removed raw_github_stats" in saved.out
        columns = json.loads(lean.out)[:3]
        file.write_text(json.dumps(columns))
        assert (
            "Version 2"
            in (await mappings(installation, tmp_path, "save", "--org", org, "--name", "outbound", str(file))).out
        )
        [row] = await installation.fetch("SELECT id FROM clay.mappings")
        [destination] = await installation.fetch("SELECT id FROM clay.destinations")
        place = ["use", "--org", org, "--destination", str(destination.id)]
        used = await mappings(installation, tmp_path, *place, str(row.id))
        assert "receives version 2 of Outbound" in used.out
        assert "standard payload" in (await mappings(installation, tmp_path, *place)).out
        listed = await mappings(installation, tmp_path, "list", "--org", org)
        assert str(row.id) in listed.out
        assert json.loads((await mappings(installation, tmp_path, "show", "--org", org, str(row.id))).out) == columns


async def test_bad_columns_are_refused_with_their_place(database_url: str, tmp_path: Path) -> None:
    async with install(database_url) as installation:
        file = tmp_path / "columns.json"
        for written, said in (
            ('[{"key": "a", "template": "{mail}"}]', "columns[0].template at offset 1"),
            ('[{"key": "a", "type": "phone"}]', "0.type"),
            ("not JSON", "Invalid JSON"),
        ):
            file.write_text(written)
            refused = await mappings(
                installation, tmp_path, "save", "--org", str(installation.org_id), "--name", "x", str(file)
            )
            assert refused.exit_code != 0
            assert said in " ".join(refused.err.split())
        assert await installation.fetch("SELECT 1 FROM clay.mappings") == []
