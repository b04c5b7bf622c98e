"""Reading leads of many projects in one statement returns the same rows as reading each project."""

from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.read_lead_rows import RequestedLead, read_lead_rows, read_lead_rows_of_projects
from tests.harness.nexusleads import NexusLeads


async def project_with_activity(host: NexusLeads, org_id: UUID, name: str, lead_ids: list[UUID]) -> UUID:
    """Add a project with two sources. The first lead is active in both; the others have only scores."""
    project_id = await host.project(org_id, name)
    for number, word in enumerate(("a", "b"), start=1):
        source_id = await host.source(project_id, f"{name}/{word}")
        await host.add("stats", source_id=source_id, lead_id=lead_ids[0], total_commits=number * 10, is_maintainer=True)
    for score, lead_id in enumerate(lead_ids):
        await host.scored(lead_id, project_id, score=score)
    return project_id


async def test_rows_of_many_projects_are_those_of_each_project(host: NexusLeads, connection: AsyncConnection) -> None:
    acme, globex = await host.organization("Acme"), await host.organization("Globex")
    shared, own, foreign = await host.lead(), await host.lead(), await host.lead()
    projects = {
        await project_with_activity(host, acme, "first", [shared, own]): (acme, [shared, own]),
        await project_with_activity(host, acme, "second", [own, shared]): (acme, [own, shared]),
        await project_with_activity(host, globex, "third", [foreign]): (globex, [foreign]),
    }
    requested = [
        RequestedLead(org_id, project_id, lead_id)
        for project_id, (org_id, lead_ids) in projects.items()
        for lead_id in lead_ids
    ]
    rows = await read_lead_rows_of_projects(connection, host.tables, requested)
    expected: dict[tuple[UUID, UUID], LeadRow] = {}
    for project_id, (org_id, lead_ids) in projects.items():
        found = await read_lead_rows(connection, host.tables, org_id, project_id, lead_ids)
        expected |= {(project_id, lead_id): row for lead_id, row in found.items()}
    assert len(expected) == 5
    assert rows == expected
    names = {(row.project_name, row.lead_id): row.source_name for row in rows.values()}
    assert names["first", shared] == "first/b", "a source of another project does not count"
    assert names["second", own] == "second/b"


async def test_a_lead_of_another_organization_or_project_is_absent(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    acme, globex = await host.organization("Acme"), await host.organization("Globex")
    mine, theirs = await host.project(acme), await host.project(globex)
    lead, foreign = await host.lead(mine), await host.lead(theirs)
    requested = [
        RequestedLead(acme, mine, lead),
        RequestedLead(acme, theirs, foreign),
        RequestedLead(globex, mine, lead),
        RequestedLead(acme, mine, foreign),
        RequestedLead(acme, mine, uuid4()),
    ]
    assert set(await read_lead_rows_of_projects(connection, host.tables, requested)) == {(mine, lead)}


async def test_the_sources_of_a_host_without_further_indexes_are_read_once_for_all_leads(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    """NexusLeads need not have an index on the project of a source; see its keys in `nexusleads_tables`."""
    acme = await host.organization("Acme")
    lead_ids = [await host.lead() for _ in range(30)]
    projects = [await project_with_activity(host, acme, f"p{number}", [each]) for number, each in enumerate(lead_ids)]
    sources = host.name("sources")
    await host.connection.execute(
        f"INSERT INTO {sources} (id, project_id, full_name) SELECT gen_random_uuid(), p, 'x/y' FROM unnest($1::uuid[]) AS p,"
        " generate_series(1, 20)",
        projects,
    )
    await host.connection.execute("ANALYZE")
    requested = [RequestedLead(acme, *each) for each in zip(projects, lead_ids, strict=True)]
    await connection.execution_options(isolation_level="READ COMMITTED")
    rows = await read_lead_rows_of_projects(connection, host.tables, requested)
    read = await connection.scalar(
        text("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = :name"), {"name": sources}
    )
    assert {row.source_name for row in rows.values()} == {f"p{number}/b" for number in range(30)}
    assert read is not None
    assert read <= 30 * (20 + 2) * 2, "each of 30 leads reads all sources"
