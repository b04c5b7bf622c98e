"""`clay-push destinations` and `push --destination`."""

import json
from pathlib import Path
from uuid import uuid4

from tests.cli.tables_shell import run_tables
from tests.harness.installation import Installation, install, install_with_drainer
from tests.harness.shell import command_environment, shell
from tests.support.destination_rows import add_second_destination, add_version
from tests.support.receiver import status

MAPPING = '[{"key": "E-mail", "field": "email", "type": "email"}]'


def webhook() -> str:
    return f"https://api.clay.com/v3/sources/webhook/pull-in-data-from-a-webhook-{uuid4()}"


async def stored(made: Installation) -> dict[str, tuple[object, ...]]:
    """By name: default, archived, workspace, dedupe, its column, quota limit, number of the version, mapping."""
    rows = await made.fetch("""
        SELECT destination.name, destination.is_default, destination.archived_at IS NOT NULL AS archived,
               workspace.name AS workspace, destination.dedupe, destination.dedupe_column, meter.quota_limit, version.number,
               mapping.number AS mapping
        FROM clay.destinations AS destination
        JOIN clay.workspaces AS workspace ON workspace.id = destination.workspace_id
        LEFT JOIN clay.destination_versions AS version ON version.id = destination.version_id
        LEFT JOIN clay.quota_meters AS meter ON meter.id = version.meter_id
        LEFT JOIN clay.mapping_versions AS mapping ON mapping.id = destination.mapping_version_id""")
    return {row.name: tuple(row)[1:] for row in rows}


async def test_tables_are_listed_and_a_push_goes_to_the_named_one(database_url: str, tmp_path: Path) -> None:
    async with install_with_drainer(database_url, leads=2) as (w, _, _receiver):
        async with w.database.transaction() as connection:
            second = await add_second_destination(connection, w.org_id, table_name="Enterprise")
            await add_version(connection, w.org_id, second)
        env, org = command_environment(w.settings), ("--org", str(w.org_id))
        push = ("push", *org, "--project", str(w.project_id))
        listed = await run_tables(w, tmp_path, "destinations", "list")
        assert listed.exit_code == 0, listed.err
        assert ("Default" in listed.out, "Enterprise" in listed.out) == (True, True)
        pushed = await shell(tmp_path, *push, "--destination", "enterprise", env=env)
        assert "2 leads queued" in pushed.out, pushed.err
        anywhere = await shell(tmp_path, *push, "--anywhere", env=env)
        assert "2 leads skipped" in anywhere.out, anywhere.err
        [job] = await w.fetch(
            "SELECT destination_id FROM clay.push_jobs WHERE success_count + skipped_count < lead_count"
        )
        assert job.destination_id == second
        unknown = await shell(tmp_path, *push, "--destination", "Nowhere", env=env)
        assert (unknown.exit_code, "no destination" in unknown.err) == (1, True)
        refused = await shell(tmp_path, *push, "--changed", env=env)
        assert "not known what this Clay table does" in refused.err


async def test_a_table_is_created_changed_and_made_the_default_one(database_url: str, tmp_path: Path) -> None:
    async with install(database_url) as w:
        url, token = webhook(), "tok-en-of-this-test"
        first = await run_tables(w, tmp_path, "destinations", "create", "--name", "First", typed=f"{webhook()}\n")
        assert (first.exit_code, "“First”" in first.out) == (0, True), first.err
        await run_tables(w, tmp_path, "workspaces", "create", "--name", "Sales")
        created = await run_tables(
            w, tmp_path, "destinations", "create", "--name", "Enterprise", "--token", "--workspace", "sales",
            "--dedupe", "keeps_oldest", "--dedupe-column", "Lead", "--no-quota-limit", typed=f"{url}\n{token}\n",
        )  # fmt: skip
        assert created.exit_code == 0, created.err
        assert await stored(w) == {
            "First": (True, False, "Default", "unknown", None, 50_000, 1, None),
            "Enterprise": (False, False, "Sales", "keeps_oldest", "Lead", None, 1, None),
        }
        file = tmp_path / "columns.json"
        file.write_text(MAPPING)
        await shell(tmp_path, "mappings", "save", "--org", str(w.org_id), "--name", "Lean", str(file),
                    env=command_environment(w.settings))  # fmt: skip
        changed = await run_tables(
            w, tmp_path, "destinations", "change", "enterprise", "--name", "Large", "--webhook", "--remove-token",
            "--dedupe", "none", "--quota-limit", "1000", "--mapping", "lean", "--workspace", "Default", "--new-table",
            typed=f"{webhook()}\n",
        )  # fmt: skip
        assert (changed.exit_code, "“Large”" in changed.out) == (0, True), changed.err
        assert (await stored(w))["Large"] == (False, False, "Default", "none", None, 1000, 2, 1)
        assert (await run_tables(w, tmp_path, "destinations", "default", "Large")).exit_code == 0
        standard = await run_tables(w, tmp_path, "destinations", "change", "Large", "--standard-payload")
        assert standard.exit_code == 0, standard.err
        assert (await stored(w))["Large"] == (True, False, "Default", "none", None, 1000, 2, None)
        shown = "".join(each.out + each.err for each in (first, created, changed, standard))
        actions = await w.fetch("SELECT actor, action, details::text AS details FROM clay.audit_log ORDER BY id")
        for secret in (url, token):
            assert secret not in shown + "".join(each.details for each in actions)
        assert all(each.actor.startswith("shell") for each in actions)


async def test_what_is_refused_names_its_reason_and_saves_nothing(database_url: str, tmp_path: Path) -> None:
    async with install(database_url) as w:
        await w.configure(webhook())
        before = await stored(w)
        create = ("create", "--name", "New")
        for arguments, typed, reason in (
            (create, "https://10.0.0.1/x\n", "webhook_url"),
            (create, "", "standard input has no line"),
            ((*create, "--token"), f"{webhook()}\n", "standard input has no line"),
            ((*create, "--dedupe", "sometimes"), f"{webhook()}\n", "dedupe: must be one of"),
            ((*create, "--workspace", "Nowhere"), f"{webhook()}\n", "no workspace"),
            ((*create, "--mapping", "Nothing"), f"{webhook()}\n", "no mapping"),
            (("create", "--name", "default"), f"{webhook()}\n", "name: is the name of another destination"),
            (("change", "Default"), "", "give at least one option"),
            (("change", "Default", "--quota-limit", "1", "--no-quota-limit"), "", "contradict each other"),
            (("change", "Nowhere", "--name", "X"), "", "no destination"),
            (("archive", "Default", "--yes"), "", "is used by"),
        ):
            refused = await run_tables(w, tmp_path, "destinations", *arguments, typed=typed)
            assert (refused.exit_code, reason in " ".join(refused.err.split())) == (1, True), (arguments, refused.err)
        assert await stored(w) == before


async def test_the_webhook_cannot_be_an_argument(database_url: str, tmp_path: Path) -> None:
    async with install(database_url) as w:
        refused = await run_tables(w, tmp_path, "destinations", "create", "--name", "New", "--webhook-url", webhook())
        assert (refused.exit_code, "No such option" in refused.err) == (2, True)


async def test_a_table_is_archived_after_a_question(database_url: str, tmp_path: Path) -> None:
    async with install(database_url) as w:
        await w.configure(webhook())
        await run_tables(w, tmp_path, "destinations", "create", "--name", "Second", typed=f"{webhook()}\n")
        kept = await run_tables(w, tmp_path, "destinations", "archive", "Second", typed="n\n")
        assert (kept.exit_code, (await stored(w))["Second"][1]) == (1, False)
        archived = await run_tables(w, tmp_path, "destinations", "archive", "Second", "--yes")
        assert (archived.exit_code, "is archived" in archived.out) == (0, True), archived.err
        assert (await stored(w))["Second"][1] is True
        assert "Second" not in (await run_tables(w, tmp_path, "destinations", "list")).out
        assert "archived" in (await run_tables(w, tmp_path, "destinations", "list", "--archived")).out


async def test_a_test_row_is_sent_and_a_refusal_exits_1(database_url: str, tmp_path: Path) -> None:
    async with install_with_drainer(database_url, leads=1) as (w, _, receiver):
        tested = await run_tables(w, tmp_path, "destinations", "test", "Default")
        assert (tested.exit_code, "Clay accepted a test row" in tested.out) == (0, True), tested.err
        assert len(receiver.posts) == 1
        receiver.answer = lambda _number, _body: status(401)
        refused = await run_tables(w, tmp_path, "destinations", "test", "Default")
        assert refused.exit_code == 1
        assert "token" in refused.out


async def test_routes_queue_a_push_job_for_each_table(database_url: str, tmp_path: Path) -> None:
    async with install_with_drainer(database_url, leads=4) as (w, _, _receiver):
        async with w.database.transaction() as connection:
            second = await add_second_destination(connection, w.org_id, table_name="Enterprise")
            await add_version(connection, w.org_id, second)
        [default] = await w.fetch("SELECT id FROM clay.destinations WHERE is_default")
        env, org = command_environment(w.settings), ("--org", str(w.org_id))
        shown = json.loads((await shell(tmp_path, "routes", "list", *org, "--json", env=env)).out)
        routes = [{"destination_id": str(second), "continue": True}, {"destination_id": str(default.id)}]
        file = tmp_path / "routes.json"
        file.write_text(json.dumps({"version": shown["version"], "routes": routes}))
        assert (await shell(tmp_path, "routes", "set", *org, str(file), env=env)).exit_code == 0
        pushed = await shell(tmp_path, "push", *org, "--project", str(w.project_id), env=env)
        assert pushed.exit_code == 0, pushed.err
        assert pushed.out.count("4 leads queued, 0 skipped.") == 2
        assert "to “Enterprise”" in pushed.out
