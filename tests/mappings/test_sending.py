"""Pushes with a mapping: the version is chosen at accept, a retry keeps it, values of Clay are read at send, both ways of sending."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from clay_push_service.enrichment.values.choice import ValueSource
from clay_push_service.enrichment.values.normalise import Normalised
from clay_push_service.enrichment.values.store import NewValue, add_values, choose_values, lock
from tests.harness.api import Api, run_api_with_leads
from tests.support.receiver import status

NAME = {"key": "Name", "template": "{full_name|github_username}"}
EMAIL = {"key": "E-mail", "first_of": ["enriched.email", "email"], "type": "email"}
COMPANY = {"key": "Company", "field": "company"}


async def mapped(api: Api, *columns: dict[str, Any], name: str = "Outbound") -> Any:
    """Save a mapping, and let the default destination use it."""
    made = await api.call("POST", "/api/clay/mappings", {"name": name, "columns": list(columns)})
    await api.call("PUT", f"/api/clay/destinations/{await destination_id(api)}/mapping", {"mapping_id": made["id"]})
    return made


async def destination_id(api: Api) -> Any:
    return await api.host.connection.fetchval("SELECT id FROM clay.destinations WHERE org_id = $1", api.org_id)


async def change(api: Api, made: Any, *columns: dict[str, Any]) -> Any:
    return await api.call("PUT", f"/api/clay/mappings/{made['id']}", {"columns": list(columns)})


def sent(api: Api) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in api.receiver.posts]


async def set_company(api: Api, company: str) -> None:
    await api.host.connection.execute(f"UPDATE {api.host.name('leads')} SET company = $1", company)


async def changed(api: Api) -> int:
    seen = await api.call("POST", "/api/clay/preview", {"project_id": str(api.project_id)})
    return int(seen["changed_since"])


async def found_email(api: Api, lead_id: UUID, email: str) -> None:
    now = datetime.now(UTC)
    value = NewValue(lead_id, "email", Normalised(email, email), ValueSource.ROUTINE, now, now)
    async with api.database.transaction() as connection:
        await lock(connection, api.org_id)
        await add_values(connection, api.org_id, [value])
        await choose_values(connection, api.org_id, [lead_id])


async def test_a_push_sends_the_columns_of_the_destinations_mapping(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=3) as api:
        made = await mapped(api, NAME, EMAIL)
        job = await api.push_and_drain()
        assert job["success_count"] == 3
        for body in sent(api):
            assert list(body) == ["_meta", "Name", "E-mail"]
            assert body["_meta"]["delivery_id"]
        stored = await api.host.connection.fetchval("SELECT mapping_version_id FROM clay.push_jobs")
        assert str(stored) == made["version_id"]


async def test_a_push_job_keeps_the_version_that_it_was_accepted_with_and_so_does_its_retry(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        made = await mapped(api, NAME)
        job_id = await api.queue()
        await change(api, made, COMPANY)
        api.receiver.answer = lambda _, __: status(422)
        await api.drain()
        assert {tuple(each) for each in sent(api)} == {("_meta", "Name")}
        api.receiver.answer = lambda _, __: status(200)
        retried = await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {"causes": ["rejected"]})
        await api.drain()
        assert (await api.job(retried["job_id"]))["success_count"] == 2
        assert {tuple(each) for each in sent(api)} == {("_meta", "Name")}
        await api.push_and_drain(push_again=True)
        assert tuple(sent(api)[-1]) == ("_meta", "Company")


async def test_jobs_with_and_without_a_mapping_at_the_same_time_with_a_pace(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=4) as api:
        await api.host.connection.execute("UPDATE clay.workspaces SET rate_limit_ms = 20")
        first = await api.queue(api.lead_ids[:2])
        await mapped(api, NAME)
        second = await api.queue(api.lead_ids[2:])
        await api.drain()
        for job_id in (first, second):
            assert (await api.job(job_id))["success_count"] == 2
        assert sorted(len(each) for each in sent(api)) == [2, 2, 31, 31]


async def test_values_of_clay_are_read_at_send_and_never_count_as_changed(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await mapped(api, EMAIL, COMPANY)
        first, second = api.lead_ids
        await found_email(api, first, "first@acme.com")
        await api.push_and_drain()
        by_lead = {each["_meta"]["nexusleads_contributor_id"]: each for each in sent(api)}
        assert by_lead[str(first)]["E-mail"] == "first@acme.com"
        assert by_lead[str(second)]["E-mail"] != "first@acme.com"
        await found_email(api, second, "second@acme.com")
        assert await changed(api) == 0
        await set_company(api, "New Inc.")
        assert await changed(api) == 2


async def test_values_of_clay_are_sent_with_a_pace_too(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.host.connection.execute("UPDATE clay.workspaces SET rate_limit_ms = 20")
        await mapped(api, EMAIL)
        await found_email(api, api.lead_ids[0], "first@acme.com")
        await api.push_and_drain()
        assert [each["E-mail"] for each in sent(api)] == ["first@acme.com"]


async def test_changed_since_counts_the_mapped_columns_only(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await mapped(api, NAME)
        await api.push_and_drain()
        await set_company(api, "New Inc.")
        assert await changed(api) == 0
        await api.host.connection.execute(f"UPDATE {api.host.name('leads')} SET full_name = 'Somebody Else'")
        assert await changed(api) == 2


async def test_a_new_version_changes_no_lead_by_itself(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await api.push_and_drain()
        made = await mapped(api, NAME, COMPANY)
        assert await changed(api) == 0  # compared as the standard payload, which was sent
        await set_company(api, "New Inc.")
        assert await changed(api) == 2
        await api.push_and_drain(push_again=True)
        assert await changed(api) == 0
        await change(api, made, NAME)
        await set_company(api, "Newer Inc.")
        assert await changed(api) == 2  # the version that was sent has the company


async def test_a_payload_of_an_earlier_release_is_not_compared(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.push_and_drain()
        made = await mapped(api, NAME)
        # As if a worker of the release before had sent the standard payload of a push job with a mapping.
        await api.host.connection.execute("UPDATE clay.push_jobs SET mapping_version_id = $1", UUID(made["version_id"]))
        await set_company(api, "New Inc.")
        assert await changed(api) == 0


async def test_preview_and_delivery_show_the_mapped_payload(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await mapped(api, NAME)
        seen = await api.call("POST", "/api/clay/preview", {"project_id": str(api.project_id)})
        assert list(seen["sample"]) == ["_meta", "Name"]
        job = await api.push_and_drain()
        [delivery] = (await api.call("GET", f"/api/clay/jobs/{job['id']}/leads"))["leads"]
        detail = await api.call("GET", f"/api/clay/jobs/{job['id']}/leads/{delivery['delivery_id']}")
        assert (detail["payload_state"], detail["payload"]) == ("same", sent(api)[0])


async def test_the_test_row_fills_every_column_of_the_mapping(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.call("PUT", "/api/clay/enrichment/custom-fields", {"names": ["owner"]})
        await mapped(api, NAME, EMAIL, COMPANY, {"key": "Owner", "field": "custom.owner"})
        await api.call("POST", "/api/clay/test")
        [row] = sent(api)
        assert list(row) == ["_meta", "Name", "E-mail", "Company", "Owner"]
        assert None not in row.values()
        assert row["E-mail"] == "nexusleads-test@example.com"


async def test_a_version_that_this_release_cannot_read_fails_its_leads_and_no_others(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        job_id = await api.queue(api.lead_ids[:1])
        made = await mapped(api, NAME)
        newer = '[{"key": "x", "field": "of_a_later_release", "type": "text", "empty": "null"}]'
        await api.host.connection.execute(
            "UPDATE clay.mapping_versions SET columns = CAST($1 AS jsonb) WHERE id = $2",
            newer,
            UUID(made["version_id"]),
        )
        unreadable = await api.queue(api.lead_ids[1:])
        await api.drain()
        assert (await api.job(job_id))["success_count"] == 1
        failed = await api.job(unreadable)
        assert (failed["failed_count"], [each["cause"] for each in failed["causes"]]) == (1, ["invalid_lead"])


async def test_a_lead_that_lost_a_claim_is_sent_with_its_mapping(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await api.host.connection.execute("UPDATE clay.workspaces SET rate_limit_ms = 20")
        await mapped(api, NAME)
        job_id = await api.queue()
        await api.host.connection.execute("UPDATE clay.clay_push_log SET lost_claims = 1")
        await api.drain()
        assert (await api.job(job_id))["success_count"] == 2
        assert {tuple(each) for each in sent(api)} == {("_meta", "Name")}
