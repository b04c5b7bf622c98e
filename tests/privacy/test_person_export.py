"""The export of a person contains every row about the lead. After an erasure, the schema contains neither address nor name."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from tests.enrichment.results import Results, results
from tests.harness.installation import install
from tests.harness.shell import command_environment, shell
from tests.support.dump import dump

PATH = "/api/clay/exports"
NAME, EMAIL, FOUND = "Zorblatt Quixwell", "zq@zorblatt.example", "zq.found@work.zorblatt.example"


async def store_traces(app: Results) -> UUID:
    """Push, enrich, exclude and search for a lead, and let NexusLeads queue it."""
    api, lead_id = app.api, app.lead_id
    await api.host.connection.execute(
        f"UPDATE {api.host.name('leads')} SET email = $2, full_name = $3 WHERE id = $1", lead_id, EMAIL, NAME
    )
    await api.push_and_drain([lead_id])
    await app.result(email=FOUND, job_title=f"Chief {NAME}")
    await api.call("PUT", f"/api/clay/leads/{lead_id}/enrichment/email", {"value": FOUND, "pinned": True})
    body = {"project_id": str(api.project_id), "filters": {"search": NAME}}
    await api.call("POST", "/api/clay/push-filtered", body | {"push_again": True})
    await api.call("POST", "/api/clay/exclusions", {"lead_id": str(lead_id), "reason": f"{NAME} asked"})
    await api.call("POST", "/api/clay/exclusions", {"domain": "acme.com", "reason": f"Firm of {NAME}"})
    metadata = {"lead_ids": [str(lead_id).upper()], "project_id": str(api.project_id), "note": NAME}
    await api.host.connection.execute(
        "INSERT INTO clay.inbox (host_job_id, project_id, metadata) VALUES ($1, $2, $3::jsonb)",
        uuid4(), api.project_id, json.dumps(metadata),
    )  # fmt: skip
    return lead_id


async def export(app: Results, lead_id: UUID, who: str = "owner", status: int = 200) -> Any:
    return await app.api.call("POST", PATH, {"lead_id": str(lead_id)}, who=who, status=status)


async def test_the_export_has_a_section_for_every_table_that_mentions_the_lead(database_url: str) -> None:
    async with results(database_url) as app:
        lead_id = await store_traces(app)
        found = await export(app, lead_id)
        assert (found["lead_id"], found["erased"]) == (str(lead_id), False)
        written = {
            line.partition(":")[0]
            for line in (await dump(app.api.installation.database)).splitlines()
            if any(value.lower() in line.lower() for value in (str(lead_id), NAME, EMAIL, FOUND))
        }
        assert written
        assert written <= {table for table, rows in found["kept"].items() if rows}
        assert found["kept"]["inbound_results"][0]["body"]
        text = json.dumps(found)
        assert all(value in text for value in (NAME, EMAIL, FOUND) if value != EMAIL)
        assert app.token not in text


async def test_an_export_contains_no_row_of_other_leads_or_organizations(database_url: str) -> None:
    async with results(database_url) as app:
        lead_id = await store_traces(app)
        other = app.api.lead_ids[1]
        await app.api.push_and_drain([other])
        assert str(other) not in json.dumps(await export(app, lead_id))
        assert (await export(app, lead_id, "other_owner", 404))["code"] == "lead_not_found"


async def test_owners_and_admins_export_and_the_audit_log_contains_no_lead_id(database_url: str) -> None:
    async with results(database_url) as app:
        lead_id = await store_traces(app)
        await export(app, lead_id, "member", 403)
        await export(app, lead_id, "admin")
        [entry] = await app.api.host.connection.fetch(
            "SELECT actor, details::text AS details FROM clay.audit_log WHERE action = 'lead.exported'"
        )
        assert entry["actor"] == "user:admin"
        assert str(lead_id) not in entry["details"]
        assert (await export(app, uuid4(), "owner", 404))["code"] == "lead_not_found"


async def test_after_an_erasure_neither_the_schema_nor_the_export_has_address_or_name(database_url: str) -> None:
    async with results(database_url) as app:
        lead_id = await store_traces(app)
        await app.api.call("POST", "/api/clay/erasures", {"lead_ids": [str(lead_id)], "former_values": []})
        left = (await dump(app.api.installation.database)).lower()
        exported = await export(app, lead_id)
        exported_text = json.dumps({**exported, "lead_id": None}).lower()
        for value in (NAME, EMAIL, FOUND, str(lead_id)):
            assert value.lower() not in left, value
            assert value.lower() not in exported_text, value
        assert exported["erased"] is True
        assert exported["kept"]["clay_push_log"]
        assert exported["kept"]["exclusions"][0]["address_hash_count"] == 2


async def test_the_export_has_the_exclusion_of_the_address_of_the_lead(database_url: str) -> None:
    async with results(database_url) as app:
        lead_id, other = app.api.lead_ids
        assert (await export(app, lead_id))["kept"]["exclusions"] == []
        await app.result(email=FOUND)
        added = await app.api.call("POST", "/api/clay/exclusions", {"email": FOUND, "reason": "Objects"})
        [kept] = (await export(app, lead_id))["kept"]["exclusions"]
        assert (kept["id"], kept["address_hash_count"]) == (added["exclusion"]["id"], 1)
        assert (await export(app, other))["kept"]["exclusions"] == []


async def test_the_command_prints_the_same_export_as_the_api(database_url: str, tmp_path: Path) -> None:
    async with install(database_url, leads=1) as installation:
        await installation.configure("https://api.clay.com/v3/sources/webhook/x")
        await installation.push()
        env = command_environment(installation.settings)
        printed = await shell(
            tmp_path, "export", "--org", str(installation.org_id), "--lead", str(installation.lead_ids[0]), env=env
        )
        assert printed.exit_code == 0, printed.err
        assert len(json.loads(printed.out)["kept"]["clay_push_log"]) == 1
        refused = await shell(tmp_path, "export", "--org", str(installation.org_id), "--lead", "x", env=env)
        assert "not a lead id" in refused.err
