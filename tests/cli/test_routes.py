"""`clay-push segments` and `clay-push routes`, with the same rules as the API."""

import json
from pathlib import Path

from tests.harness.installation import Installation, install
from tests.harness.shell import CommandResult, command_environment, shell

WEBHOOK = "https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-1234"


async def run(installation: Installation, directory: Path, *arguments: str) -> CommandResult:
    return await shell(directory, *arguments, env=command_environment(installation.settings))


async def test_save_a_segment_route_its_leads_and_simulate(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=4) as installation:
        await installation.configure(WEBHOOK)
        org = ("--org", str(installation.org_id))
        for filters in ('{"min_score": 101}', "min_score=80"):
            refused = await run(installation, tmp_path, "segments", "save", *org, "All", "--filters", filters)
            assert refused.exit_code != 0
        saved = await run(installation, tmp_path, "segments", "save", *org, "Scored", "--filters", '{"min_score": 0}')
        assert saved.exit_code == 0, saved.err
        assert "Scored" in (await run(installation, tmp_path, "segments", "list", *org)).out
        [segment] = await installation.fetch("SELECT id FROM clay.segments")
        [destination] = await installation.fetch("SELECT id FROM clay.destinations")
        shown = json.loads((await run(installation, tmp_path, "routes", "list", *org, "--json")).out)
        route = {"segment_id": str(segment.id), "destination_id": str(destination.id)}
        path = tmp_path / "routes.json"
        path.write_text(json.dumps({"version": shown["version"], "routes": [route]}))
        written = await run(installation, tmp_path, "routes", "set", *org, str(path))
        assert (written.exit_code, "Saved 1 routes" in written.out) == (0, True), written.err
        late = await run(installation, tmp_path, "routes", "set", *org, str(path))
        assert (late.exit_code != 0, "have changed since" in late.err) == (True, True)
        assert "Scored" in (await run(installation, tmp_path, "routes", "list", *org)).out
        simulated = await run(
            installation, tmp_path, "routes", "simulate", *org, "--project", str(installation.project_id)
        )
        assert (simulated.exit_code, "Scored" in simulated.out) == (0, True), simulated.err
        used = await run(installation, tmp_path, "segments", "delete", *org, "Scored")
        assert (used.exit_code != 0, "used by 1 route" in used.err) == (True, True)
