"""`clay-push workspaces`: list, create and change, with the same rules as the API."""

from pathlib import Path

from tests.cli.tables_shell import run_tables
from tests.harness.installation import Installation, install


async def paces(made: Installation) -> dict[str, int]:
    return {row.name: row.rate_limit_ms for row in await made.fetch("SELECT name, rate_limit_ms FROM clay.workspaces")}


async def test_workspaces_are_created_changed_and_listed(database_url: str, tmp_path: Path) -> None:
    async with install(database_url) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x", rate_limit_ms=200)
        created = await run_tables(w, tmp_path, "workspaces", "create", "--name", "Sales", "--rate-limit-ms", "500")
        assert (created.exit_code, "500 ms between two leads" in created.out) == (0, True), created.err
        changed = await run_tables(
            w, tmp_path, "workspaces", "change", "sales", "--name", "Sales, Europe", "--rate-limit-ms", "100"
        )
        assert changed.exit_code == 0, changed.err
        assert await paces(w) == {"Default": 200, "Sales, Europe": 100}
        listed = await run_tables(w, tmp_path, "workspaces", "list")
        assert ("Sales, Europe" in listed.out, "Default" in listed.out) == (True, True)
        actions = await w.fetch("SELECT action FROM clay.audit_log ORDER BY id")
        assert [row.action for row in actions] == ["workspace.created", "workspace.changed"]


async def test_what_is_refused_names_its_reason_and_saves_nothing(database_url: str, tmp_path: Path) -> None:
    async with install(database_url) as w:
        await w.configure("https://api.clay.com/v3/sources/webhook/x", rate_limit_ms=200)
        for arguments, code, reason in (
            (("create", "--name", "default"), 1, "name: is the name of another workspace"),
            (("create", "--name", "X", "--rate-limit-ms", "99"), 1, "rate_limit_ms: must be at least 100"),
            (("create", "--name", " "), 1, "name: must have at least 1 characters"),
            (("change", "Default"), 1, "give --name or --rate-limit-ms"),
            (("change", "Nowhere", "--name", "X"), 1, "no workspace"),
            (("change", "Default", "--rate-limit-ms", "60001"), 2, "less than or equal to 60000"),
        ):
            refused = await run_tables(w, tmp_path, "workspaces", *arguments)
            assert (refused.exit_code, reason in " ".join(refused.err.split())) == (code, True), refused.err
        assert await paces(w) == {"Default": 200}
