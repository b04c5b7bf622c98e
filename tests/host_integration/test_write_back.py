"""Values of Clay fill empty columns of NexusLeads if that is permitted. Writes are compared, audited and reversible, and cause no loops."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from prometheus_client import REGISTRY

from clay_push_service.host_integration.attach.attachment import Level
from tests.enrichment.results import Results, results
from tests.harness.shell import command_environment, shell
from tests.host_integration.writing_back import PATH, permitted, write

LEADS = 50


async def column(made: Results, name: str = "email", lead_id: UUID | None = None) -> Any:
    host = made.api.host
    return await host.connection.fetchval(
        f"SELECT {name} FROM {host.name('leads')} WHERE id = $1", lead_id or made.lead_id
    )


async def set_column(made: Results, value: str | None, name: str = "email") -> None:
    host = made.api.host
    await host.connection.execute(f"UPDATE {host.name('leads')} SET {name} = $2 WHERE id = $1", made.lead_id, value)


async def test_nothing_is_written_before_attach_permits_it(database_url: str) -> None:
    async with results(database_url) as made:
        assert await made.api.call("GET", PATH) == {"enabled": False, "permitted": False}
        refused = await made.api.call("PUT", PATH, {"enabled": True}, status=409)
        assert refused["code"] == "write_back_not_permitted"
        await made.result(email="jane@example.com")
        await made.api.host.attach(Level.READ, write_enrichment=True)
        assert (await write(made), await column(made)) == (0, None)
        await made.api.call("PUT", PATH, {"enabled": True})
        await made.api.host.attach(Level.READ)  # without the option, the permission is withdrawn
        assert (await write(made), await column(made)) == (0, None)
        assert (await made.api.call("GET", PATH)) == {"enabled": True, "permitted": False}


async def test_an_empty_column_is_filled_once_and_audited(database_url: str) -> None:
    async with permitted(database_url) as made:
        await set_column(made, " ")
        await made.result(email="jane@example.com", location="Berlin")
        assert await write(made) == 2
        assert (await column(made), await column(made, "location")) == ("jane@example.com", "Berlin")
        assert await write(made) == 0
        entries = await made.api.host.connection.fetch(
            "SELECT details::text AS details FROM clay.audit_log WHERE action = 'host.written'"
        )
        assert len(entries) == 2
        assert not any("jane" in each["details"] or str(made.lead_id) in each["details"] for each in entries)


async def test_a_value_of_nexusleads_is_never_overwritten(database_url: str) -> None:
    async with permitted(database_url) as made:
        await set_column(made, "own@example.com")
        await made.result(email="jane@example.com")
        assert (await write(made), await column(made)) == (0, "own@example.com")


async def test_an_edit_by_a_person_is_not_written(database_url: str) -> None:
    async with permitted(database_url) as made:
        await made.api.call("PUT", f"/api/clay/leads/{made.lead_id}/enrichment/email", {"value": "jane@example.com"})
        assert (await write(made), await column(made)) == (0, None)


async def test_a_row_that_another_organization_uses_is_left_alone(database_url: str) -> None:
    async with permitted(database_url) as made:
        await made.api.host.scored(made.lead_id, await made.api.host.project(made.api.other_org_id))
        await made.result(email="jane@example.com")
        assert (await write(made), await column(made)) == (0, None)


async def test_a_written_value_counts_as_clays_and_a_better_one_replaces_it(database_url: str) -> None:
    async with permitted(database_url) as made:
        await made.result(email="jane@example.com")
        await write(made)
        await made.result(email="jane.roe@example.com")
        lead = await made.lead()
        [field] = [each for each in lead["fields"] if each["field"] == "email"]
        assert (field["host_value"], field["current"]["value"]) == (None, "jane.roe@example.com")
        assert (await write(made), await column(made)) == (0, "jane@example.com")


async def test_an_undo_empties_what_was_written_and_keeps_what_was_changed(database_url: str) -> None:
    async with permitted(database_url) as made:
        await made.result(email="jane@example.com", location="Berlin")
        await write(made)
        await set_column(made, "Hamburg", "location")
        assert (await made.api.send("POST", f"{PATH}/undo", "member", json={})).status_code == 403
        undone = await made.api.call("POST", f"{PATH}/undo", {"lead_id": str(made.lead_id)})
        assert undone == {"emptied_count": 1, "kept_count": 1}
        assert (await column(made), await column(made, "location")) == (None, "Hamburg")
        assert await write(made) == 0, "a value that a person removed must not be written again"
        assert await made.api.call("POST", f"{PATH}/undo", {}) == {"emptied_count": 0, "kept_count": 0}


async def test_a_written_value_is_no_change_of_the_lead(database_url: str) -> None:
    async with permitted(database_url) as made:

        async def state() -> str:
            page = await made.api.call("GET", f"/api/clay/leads?project_id={made.api.project_id}")
            return str(next(each["clay"]["state"] for each in page["leads"] if each["id"] == str(made.lead_id)))

        await made.api.push_and_drain([made.lead_id])
        await made.result(email="jane@example.com")
        assert await write(made) == 1
        assert await state() == "in_clay"
        await made.api.push_and_drain([made.lead_id], push_again=True)  # now the payload contains the value
        assert await state() == "in_clay"
        await made.result(location="Berlin")
        assert await write(made) == 1
        assert await state() == "in_clay"
        await set_column(made, "own@example.com")
        assert await state() == "changed"


async def test_write_back_and_auto_export_push_50_leads_50_times_in_three_scans(database_url: str) -> None:
    async with permitted(database_url, leads=LEADS) as made:
        api = made.api
        rule = f"/api/clay/projects/{api.project_id}/auto-export"
        await api.call("PUT", rule, {"enabled": True})
        outcomes = []
        for scan in range(3):
            ran = await api.call("POST", f"{rule}/run", {"source_job_id": str(uuid4())})
            outcomes.append((ran["outcome"], ran["lead_count"]))
            await api.drain()
            for number, lead_id in enumerate(api.lead_ids):
                await made.send({"lead_id": str(lead_id), "email": f"lead{number}@found{scan}.example.com"})
            while await made.apply():
                pass
            await write(made)
        assert outcomes == [("queued", LEADS), ("nothing_new", 0), ("nothing_new", 0)]
        assert len(api.receiver.posts) == LEADS
        assert set(api.receiver.leads.values()) == {1}
        assert all([await column(made, lead_id=each) for each in api.lead_ids])


async def test_a_push_that_a_result_causes_is_counted_and_is_the_last(database_url: str) -> None:
    """A lead is enriched before its first push. The rule pushes it, and the results of that push cause no other push."""
    async with permitted(database_url) as made:
        api = made.api
        await made.result(email="jane@example.com")
        assert await write(made) == 1
        rule = f"/api/clay/projects/{api.project_id}/auto-export"
        await api.call("PUT", rule, {"enabled": True})
        counted = automatic_after_results()
        assert (await api.call("POST", f"{rule}/run", {}))["lead_count"] == 2
        assert automatic_after_results() == counted + 1
        await api.drain()
        await made.result(location="Berlin")
        assert await write(made) == 1
        assert (await api.call("POST", f"{rule}/run", {}))["outcome"] == "nothing_new"
        assert automatic_after_results() == counted + 1


def automatic_after_results() -> float:
    return REGISTRY.get_sample_value("clay_push_automatic_after_results_total") or 0.0


async def test_an_erasure_leaves_no_trace_of_a_write(database_url: str) -> None:
    async with permitted(database_url) as made:
        await made.result(email="jane@example.com")
        await write(made)
        body = {"lead_ids": [str(made.lead_id)], "former_values": []}
        await made.api.call("POST", "/api/clay/erasures", body)
        assert await made.api.host.connection.fetchval("SELECT count(*) FROM clay.host_writes") == 0


async def test_the_command_undoes_with_the_rules_of_the_api(database_url: str, tmp_path: Path) -> None:
    async with permitted(database_url, leads=1) as made:
        env = command_environment(made.api.settings)
        undo = ("enrichment", "undo-write-back", "--org", str(made.api.org_id))
        await made.result(email="jane@example.com", location="Berlin")
        assert await write(made) == 2
        await set_column(made, "Bonn", "location")
        refused = await shell(tmp_path, *undo, env=env, typed=b"n\n")
        assert (refused.exit_code, await column(made)) == (1, "jane@example.com")
        report = await shell(tmp_path, *undo, env=env, typed=b"y\n")
        assert "Emptied columns: 1. Changed since and not touched: 1." in report.out, report.err
        assert (await column(made), await column(made, "location")) == (None, "Bonn")
        [entry] = await made.api.installation.fetch(
            "SELECT actor FROM clay.audit_log WHERE action = 'host.write_undone'"
        )
        assert entry.actor.startswith("shell")
        await made.api.host.attach(Level.READ)
        forbidden = await shell(tmp_path, *undo, "--yes", env=env)
        assert (forbidden.exit_code, "--write-enrichment" in forbidden.err) == (1, True)
