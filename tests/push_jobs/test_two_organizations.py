"""One person may be a lead of two organizations: their pushes are independent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from tests.harness.api import Api, run_api_with_leads


@asynccontextmanager
async def two_organizations(database_url: str) -> AsyncIterator[tuple[Api, UUID]]:
    """The second organization has the same leads in its own project. Yields the id of that project."""
    async with run_api_with_leads(database_url) as p:
        project_id = await p.host.project(p.other_org_id)
        for lead_id in p.lead_ids:
            await p.host.scored(lead_id, project_id)
        body = {"webhook_url": p.receiver.url, "table_name": "Theirs", "rate_limit_ms": 0}
        await p.call("PUT", "/api/clay/config", body, who="stranger")
        yield p, project_id


async def push_theirs(p: Api, project_id: UUID) -> dict[str, object]:
    body = {"lead_ids": [str(each) for each in p.lead_ids], "project_id": str(project_id)}
    answer: dict[str, object] = await p.call("POST", "/api/clay/push", body, who="stranger")
    return answer


async def test_leads_that_one_organization_pushed_are_also_pushed_by_the_other(database_url: str) -> None:
    async with two_organizations(database_url) as (p, project_id):
        await p.push_and_drain()
        answer = await push_theirs(p, project_id)
        assert (answer["lead_count"], answer["skipped_count"]) == (3, 0)
        await p.drain()
        assert set(p.receiver.leads.values()) == {2}


async def test_both_organizations_may_have_the_same_lead_in_progress(database_url: str) -> None:
    async with two_organizations(database_url) as (p, project_id):
        await p.queue()
        assert (await push_theirs(p, project_id))["skipped_count"] == 0


async def test_changes_of_a_lead_are_relative_to_the_push_of_the_same_organization(database_url: str) -> None:
    async with two_organizations(database_url) as (p, project_id):
        await p.push_and_drain()
        await owner_of(p).execute(f"UPDATE {p.host.name('leads')} SET company = 'Elsewhere'")
        await push_theirs(p, project_id)
        await p.drain()
        mine = await p.call("GET", f"/api/clay/leads?project_id={p.project_id}")
        theirs = await p.call("GET", f"/api/clay/leads?project_id={project_id}", who="stranger")
        assert {lead["clay"]["state"] for lead in mine["leads"]} == {"changed"}
        assert {lead["clay"]["state"] for lead in theirs["leads"]} == {"in_clay"}


async def test_the_rule_of_one_organization_pushes_leads_that_the_other_pushed(database_url: str) -> None:
    async with two_organizations(database_url) as (p, project_id):
        await p.push_and_drain()
        path = f"/api/clay/projects/{project_id}/auto-export"
        await p.call("PUT", path, {"enabled": True}, who="stranger")
        answer = await p.call("POST", f"{path}/run", {}, who="stranger")
        assert answer["lead_count"] == 3


def owner_of(p: Api) -> asyncpg.Connection:
    """The connection of the host, which may change the host's tables."""
    return p.host.connection
