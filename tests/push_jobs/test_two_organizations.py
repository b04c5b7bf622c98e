"""One person may be a lead of two organizations: their pushes are independent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from tests.harness.api import Api, run_api_with_leads


@asynccontextmanager
async def two_organizations(database_url: str) -> AsyncIterator[tuple[Api, UUID]]:
    """Give the second organization the same leads in its own project. Yields that project's id."""
    async with run_api_with_leads(database_url) as api:
        project_id = await api.host.project(api.other_org_id)
        for lead_id in api.lead_ids:
            await api.host.scored(lead_id, project_id)
        body = {"webhook_url": api.receiver.url, "table_name": "Theirs", "rate_limit_ms": 0}
        await api.call("PUT", "/api/clay/config", body, who="other_owner")
        yield api, project_id


async def push_theirs(api: Api, project_id: UUID) -> dict[str, object]:
    body = {"lead_ids": [str(each) for each in api.lead_ids], "project_id": str(project_id)}
    answer: dict[str, object] = await api.call("POST", "/api/clay/push", body, who="other_owner")
    return answer


async def test_leads_that_one_organization_pushed_are_also_pushed_by_the_other(database_url: str) -> None:
    async with two_organizations(database_url) as (api, project_id):
        await api.push_and_drain()
        answer = await push_theirs(api, project_id)
        assert (answer["lead_count"], answer["skipped_count"]) == (3, 0)
        await api.drain()
        assert set(api.receiver.leads.values()) == {2}


async def test_both_organizations_may_have_the_same_lead_in_progress(database_url: str) -> None:
    async with two_organizations(database_url) as (api, project_id):
        await api.queue()
        assert (await push_theirs(api, project_id))["skipped_count"] == 0


async def test_changes_of_a_lead_are_relative_to_the_push_of_the_same_organization(database_url: str) -> None:
    async with two_organizations(database_url) as (api, project_id):
        await api.push_and_drain()
        await owner_of(api).execute(f"UPDATE {api.host.name('leads')} SET company = 'Elsewhere'")
        await push_theirs(api, project_id)
        await api.drain()
        mine = await api.call("GET", f"/api/clay/leads?project_id={api.project_id}")
        theirs = await api.call("GET", f"/api/clay/leads?project_id={project_id}", who="other_owner")
        assert {lead["clay"]["state"] for lead in mine["leads"]} == {"changed"}
        assert {lead["clay"]["state"] for lead in theirs["leads"]} == {"in_clay"}


async def test_the_rule_of_one_organization_pushes_leads_that_the_other_pushed(database_url: str) -> None:
    async with two_organizations(database_url) as (api, project_id):
        await api.push_and_drain()
        path = f"/api/clay/projects/{project_id}/auto-export"
        await api.call("PUT", path, {"enabled": True}, who="other_owner")
        answer = await api.call("POST", f"{path}/run", {}, who="other_owner")
        assert answer["lead_count"] == 3


def owner_of(api: Api) -> asyncpg.Connection:
    """The connection of the host, which may change the host's tables."""
    return api.host.connection
