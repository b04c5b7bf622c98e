"""Selecting and reading the leads of an organization."""

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.lead_filters import LeadCriteria, PageStart, count_filtered, read_page, select_filtered
from clay_push_service.host.leads import unknown_leads
from clay_push_service.host.read_lead_rows import read_lead_rows
from tests.harness.nexusleads import NexusLeads
from tests.host.selected_leads import chosen


async def test_only_leads_of_the_organization_are_selected(host: NexusLeads, connection: AsyncConnection) -> None:
    acme, globex = await host.organization("Acme"), await host.organization("Globex")
    mine, theirs, personal = await host.project(acme), await host.project(globex), await host.project(None)
    lead, foreign, without_organization = await host.lead(mine), await host.lead(theirs), await host.lead(personal)
    unscored, unheard_of = await host.lead(), uuid4()
    requested = [lead, foreign, without_organization, unscored, unheard_of, lead]
    assert await chosen(connection, host, acme, requested) == {lead: mine}
    assert await chosen(connection, host, acme, requested, theirs) == {}
    assert await chosen(connection, host, acme, []) == {}
    assert await unknown_leads(connection, host.tables, acme, [*requested, foreign], None) == [
        foreign,
        without_organization,
        unscored,
        unheard_of,
    ]
    assert await unknown_leads(connection, host.tables, acme, requested, None, limit=2) == [
        foreign,
        without_organization,
    ]
    assert await unknown_leads(connection, host.tables, acme, [lead], mine) == []
    assert await unknown_leads(connection, host.tables, acme, [lead], await host.project(acme)) == [lead]


async def test_a_lead_belongs_to_the_project_with_its_highest_score(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    org_id, other_org = await host.organization(), await host.organization()
    low, high, unscored = [await host.project(org_id) for _ in range(3)]
    lead = await host.lead(low, score=10)
    await host.scored(lead, high, score=20)
    await host.scored(lead, unscored, score=None)
    await host.scored(lead, await host.project(other_org), score=99)
    assert await chosen(connection, host, org_id, [lead]) == {lead: high}
    assert await chosen(connection, host, org_id, [lead], low) == {lead: low}
    assert await chosen(connection, host, org_id, [lead], unscored) == {lead: unscored}


async def test_with_equal_scores_the_lower_project_id_is_chosen(host: NexusLeads, connection: AsyncConnection) -> None:
    org_id = await host.organization()
    projects = [await host.project(org_id) for _ in range(4)]
    lead = await host.lead()
    for project_id in projects:
        await host.scored(lead, project_id, score=50)
    assert await chosen(connection, host, org_id, [lead]) == {lead: min(projects)}


CASES: dict[str, tuple[LeadCriteria, str]] = {
    "all": (LeadCriteria(), "ann bob eve nil"),
    "min score": (LeadCriteria(min_score=Decimal("60.5")), "bob eve"),
    "max score": (LeadCriteria(max_score=Decimal("60.5")), "ann bob"),
    "range": (LeadCriteria(min_score=Decimal(60), max_score=Decimal(70)), "bob"),
    "qualified": (LeadCriteria(qualified_only=True), "eve"),
    "search in username": (LeadCriteria(search="ANN"), "ann"),
    "search in name": (LeadCriteria(search="brown"), "bob"),
    "search in e-mail": (LeadCriteria(search="eve@EXAMPLE"), "eve"),
    "search in company": (LeadCriteria(search="itech"), "ann"),
    "search for a percent sign": (LeadCriteria(search="100%"), "bob"),
    "search for an underscore": (LeadCriteria(search="_x"), "eve"),
    "search for a backslash": (LeadCriteria(search="\\"), "eve"),
    "search for a quote": (LeadCriteria(search="' OR 1=1"), ""),
    "classification": (LeadCriteria(classifications=["CHAMPION", "OTHER"]), "bob"),
    "not classification": (LeadCriteria(exclude_classifications=["CHAMPION"]), "ann eve nil"),
    "industry": (LeadCriteria(industries=["Health"]), "ann bob"),
    "not industry": (LeadCriteria(exclude_industries=["Health"]), "eve nil"),
    "company on GitHub": (LeadCriteria(companies=["Itech"]), "ann"),
    "current company": (LeadCriteria(companies=["Globex"]), "ann bob"),
    "not company, in either place": (LeadCriteria(exclude_companies=["Globex"]), "eve nil"),
    "priority": (LeadCriteria(priorities=["high", "low"]), "ann bob"),
    "not priority": (LeadCriteria(exclude_priorities=["high", "low"]), "eve nil"),
    "together": (LeadCriteria(min_score=Decimal(50), industries=["Health"], exclude_priorities=["low"]), "bob"),
}


@pytest.fixture
async def four(host: NexusLeads) -> tuple[UUID, UUID, dict[str, UUID]]:
    """Four leads: three with data, and `nil` without."""
    org_id = await host.organization()
    project_id = await host.project(org_id)
    leads = {
        "ann": await host.lead(project_id, score=30, priority="low", username="ann", company="Itech"),
        "bob": await host.lead(
            project_id, score=60.5, priority="high", username="b", full_name="Bob BROWN", company="100% Cotton"
        ),
        "eve": await host.lead(
            project_id, score=90, priority="mid", username="a_x\\y", email="Eve@example.com", qualified=True
        ),
        "nil": await host.lead(project_id, score=None, priority=None, qualified=None, username="zz"),
    }
    await host.add("social_context", lead_id=leads["ann"], current_company="Globex", industry="Health")
    await host.add(
        "social_context", lead_id=leads["bob"], current_company="Globex", industry="Health", classification="CHAMPION"
    )
    await host.add("social_context", lead_id=leads["eve"], industry="Finance", classification="DECISION_MAKER")
    await host.lead(await host.project(org_id), username="ann-elsewhere", company="Itech")
    return org_id, project_id, leads


async def test_each_filter_finds_exactly_the_matching_leads(
    host: NexusLeads, connection: AsyncConnection, four: tuple[UUID, UUID, dict[str, UUID]]
) -> None:
    org_id, project_id, leads = four
    names = {lead_id: name for name, lead_id in leads.items()}
    for case, (criteria, expected) in CASES.items():
        rows = (await connection.execute(select_filtered(host.tables, org_id, project_id, criteria))).all()
        assert " ".join(sorted(names[row.lead_id] for row in rows)) == expected, case
        assert {row.project_id for row in rows} <= {project_id}
        assert [row.lead_id for row in rows] == sorted(row.lead_id for row in rows)
        assert await count_filtered(connection, host.tables, org_id, project_id, criteria) == len(rows), case
        page = await read_page(connection, host.tables, org_id, project_id, criteria, None, 10)
        assert {row.lead_id for row in page} == {row.lead_id for row in rows}, case


async def test_a_project_of_another_organization_has_no_leads(
    host: NexusLeads, connection: AsyncConnection, four: tuple[UUID, UUID, dict[str, UUID]]
) -> None:
    _, project_id, leads = four
    other_org_id = await host.organization("Other")
    assert (
        await connection.execute(select_filtered(host.tables, other_org_id, project_id, LeadCriteria()))
    ).all() == []
    assert await count_filtered(connection, host.tables, other_org_id, project_id, LeadCriteria()) == 0
    assert await read_page(connection, host.tables, other_org_id, project_id, LeadCriteria(), None, 9) == []
    assert await read_lead_rows(connection, host.tables, other_org_id, project_id, list(leads.values())) == {}


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_contain_each_lead_once_in_order_of_score(
    host: NexusLeads, connection: AsyncConnection, size: int
) -> None:
    org_id = await host.organization()
    project_id = await host.project(org_id)
    for score in (10, 50, 50, 50, 90, None, None):
        await host.lead(project_id, score=score)
    seen: list[tuple[Decimal | None, UUID]] = []
    after = None
    while page := await read_page(connection, host.tables, org_id, project_id, LeadCriteria(), after, size):
        seen += [(row.overall_score, row.lead_id) for row in page]
        after = PageStart(*seen[-1])
    assert [score for score, _ in seen] == [90, 50, 50, 50, 10, None, None]
    assert len({lead_id for _, lead_id in seen}) == 7
