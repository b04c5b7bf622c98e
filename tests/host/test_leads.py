"""Which leads an organization has, and what is read of each."""

import dataclasses
import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host.lead_filters import LeadCriteria, PageStart, count_filtered, read_page, select_filtered
from clay_push_service.host.leads import select_by_id, unknown_leads
from clay_push_service.host.read_lead_rows import read_lead_rows
from tests.support.nexusleads import MiniatureHost


async def chosen(
    connection: AsyncConnection, host: MiniatureHost, org_id: UUID, ids: Sequence[UUID], project_id: UUID | None = None
) -> dict[UUID, UUID]:
    rows = (await connection.execute(select_by_id(host.tables, org_id, ids, project_id))).all()
    found = {row.lead_id: row.project_id for row in rows}
    assert [row.lead_id for row in rows] == sorted(found)  # each once, and in lead order
    return found


async def test_selected_leads_are_the_organizations_only(host: MiniatureHost, connection: AsyncConnection) -> None:
    acme, globex = await host.organization("Acme"), await host.organization("Globex")
    mine, theirs, personal = await host.project(acme), await host.project(globex), await host.project(None)
    lead, foreign, nobodys = await host.lead(mine), await host.lead(theirs), await host.lead(personal)
    unscored, unheard_of = await host.lead(), uuid4()
    asked = [lead, foreign, nobodys, unscored, unheard_of, lead]
    assert await chosen(connection, host, acme, asked) == {lead: mine}
    assert await chosen(connection, host, acme, asked, theirs) == {}
    assert await chosen(connection, host, acme, []) == {}
    assert await unknown_leads(connection, host.tables, acme, [*asked, foreign], None) == [
        foreign,
        nobodys,
        unscored,
        unheard_of,
    ]
    assert await unknown_leads(connection, host.tables, acme, asked, None, limit=2) == [foreign, nobodys]
    assert await unknown_leads(connection, host.tables, acme, [lead], mine) == []
    assert await unknown_leads(connection, host.tables, acme, [lead], await host.project(acme)) == [lead]


async def test_lead_counts_for_the_project_where_its_score_is_highest(
    host: MiniatureHost, connection: AsyncConnection
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


async def test_equal_scores_go_to_the_lower_project_id(host: MiniatureHost, connection: AsyncConnection) -> None:
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
async def four(host: MiniatureHost) -> tuple[UUID, UUID, dict[str, UUID]]:
    """Three leads of whom much is known, and `nil`, of whom nothing is."""
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


async def test_filters_find_exactly_whom_they_name(
    host: MiniatureHost, connection: AsyncConnection, four: tuple[UUID, UUID, dict[str, UUID]]
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


async def test_another_organizations_project_has_no_leads(
    host: MiniatureHost, connection: AsyncConnection, four: tuple[UUID, UUID, dict[str, UUID]]
) -> None:
    _, project_id, leads = four
    stranger = await host.organization("Stranger")
    assert (await connection.execute(select_filtered(host.tables, stranger, project_id, LeadCriteria()))).all() == []
    assert await count_filtered(connection, host.tables, stranger, project_id, LeadCriteria()) == 0
    assert await read_page(connection, host.tables, stranger, project_id, LeadCriteria(), None, 9) == []
    assert await read_lead_rows(connection, host.tables, stranger, project_id, list(leads.values())) == {}


@pytest.mark.parametrize("size", [1, 2, 3])
async def test_pages_show_each_lead_once_best_first(
    host: MiniatureHost, connection: AsyncConnection, size: int
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


async def test_lead_of_whom_nothing_is_known_is_all_nulls(host: MiniatureHost, connection: AsyncConnection) -> None:
    org_id = await host.organization()
    project_id = await host.project(org_id, "Quiet")
    lead_id = await host.lead(project_id, score=None, qualified=None, priority=None, username="quiet")
    row = (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id, uuid4()]))[lead_id]
    known = {name: getattr(row, name) for name in row.__slots__ if getattr(row, name) is not None}
    assert known.pop("activity_rows") == 0
    assert known == {"lead_id": lead_id, "project_id": project_id, "project_name": "Quiet", "username": "quiet"}


async def test_today_a_member_need_not_be_on_github(host: MiniatureHost, connection: AsyncConnection) -> None:
    if host.vintage is not Vintage.TODAY:
        pytest.skip("in the document's vintage every contributor has a GitHub name")
    org_id = await host.organization()
    project_id = await host.project(org_id)
    lead_id = await host.lead(project_id, username=None)
    assert (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id]))[lead_id].username is None


async def test_stats_of_five_sources_are_added_up_and_the_busiest_is_named(
    host: MiniatureHost, connection: AsyncConnection
) -> None:
    org_id = await host.organization()
    project_id, elsewhere = await host.project(org_id), await host.project(org_id)
    lead_id = await host.lead(project_id)
    sources = [await host.source(project_id, f"acme/{name}") for name in ("e", "d", "c", "b", "a")]
    for number, source_id in enumerate(sources):
        await host.add(
            "stats", source_id=source_id, lead_id=lead_id, total_commits=(5, None, 40, 40, 1)[number],
            pull_requests=number, code_reviews=None, issues_closed=None if number else 3, is_maintainer=number == 3,
            is_core_team=None, first_commit_date=date(2020 + number, 1, 1) if number else None,
            last_commit_date=date(2026, 1, 5 - number),
        )  # fmt: skip
        for word in ("commits_last_3_months", "commits_last_6_months", "commits_last_year", "issues_opened"):
            await host.connection.execute(f"UPDATE {host.name('stats')} SET {word} = 2")
    await host.add("stats", source_id=await host.source(elsewhere, "acme/other"), lead_id=lead_id, total_commits=999)
    await host.add(
        "stats", source_id=sources[0], lead_id=await host.lead(project_id), total_commits=999
    )  # another lead's work
    row = (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id]))[lead_id]
    assert row == dataclasses.replace(
        row, activity_rows=5,
        total_commits=86, commits_last_3_months=10, commits_last_6_months=10, commits_last_year=10, pull_requests=10,
        issues_opened=10, issues_closed=3, code_reviews=None, is_maintainer=True, is_core_team=None,
        first_commit_date=date(2021, 1, 1), last_commit_date=date(2026, 1, 5),
    )  # fmt: skip
    assert (row.source_id, row.source_name) == (sources[3], "acme/b")  # 40 commits, as acme/c; the name decides


async def test_stats_of_one_source(host: MiniatureHost, connection: AsyncConnection) -> None:
    org_id = await host.organization()
    project_id = await host.project(org_id)
    lead_id = await host.lead(project_id)
    source_id = await host.source(project_id, "acme/only")
    await host.add("source_leads", source_id=await host.source(project_id, "acme/aaa"), lead_id=lead_id)
    await host.add("stats", source_id=source_id, lead_id=lead_id, total_commits=7)
    row = (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id]))[lead_id]
    assert row.activity_rows == 1
    assert row.total_commits == 7
    assert row.is_maintainer is False
    assert row.source_name == "acme/only"


async def test_without_activity_the_source_it_was_found_in_is_named(
    host: MiniatureHost, connection: AsyncConnection
) -> None:
    org_id = await host.organization()
    project_id, elsewhere = await host.project(org_id), await host.project(org_id)
    lead_id = await host.lead(project_id)
    for project, name in ((project_id, "acme/z"), (project_id, "acme/y"), (elsewhere, "acme/a")):
        await host.add("source_leads", source_id=await host.source(project, name), lead_id=lead_id)
    row = (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id]))[lead_id]
    assert not row.activity_rows
    assert row.source_name == "acme/y"


async def test_dates_and_numbers_python_cannot_hold_stop_no_batch(
    host: MiniatureHost, connection: AsyncConnection
) -> None:
    org_id = await host.organization()
    project_id = await host.project(org_id)
    lead_id = await host.lead(project_id)
    source_id = await host.source(project_id, "acme/x")
    await host.add("stats", source_id=source_id, lead_id=lead_id)
    await host.connection.execute(
        f"ALTER TABLE {host.name('stats')} ALTER first_commit_date TYPE timestamptz, ALTER total_commits TYPE numeric;"
        f"UPDATE {host.name('stats')} SET first_commit_date = '-infinity', last_commit_date = '20000-01-01',"
        " total_commits = 'NaN'; ALTER TABLE lead_scores ALTER overall_score TYPE numeric;"
        "UPDATE lead_scores SET overall_score = 'NaN'"
    )
    row = (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id]))[lead_id]
    assert row.activity_rows == 1
    assert row.first_commit_date is None
    assert row.last_commit_date is None
    assert row.overall_score is not None
    assert math.isnan(row.overall_score)


async def test_column_the_host_has_not_is_null(host: MiniatureHost, connection: AsyncConnection) -> None:
    org_id = await host.organization()
    project_id = await host.project(org_id)
    lead_id = await host.lead(project_id, full_name="Known")
    await host.connection.execute(
        f"ALTER TABLE social_context DROP COLUMN skills; ALTER TABLE {host.name('stats')} DROP COLUMN code_reviews"
    )
    row = (await read_lead_rows(connection, await detect(connection), org_id, project_id, [lead_id]))[lead_id]
    assert row.full_name == "Known"
    assert row.skills is None


async def test_scores_that_are_no_numbers_count_as_no_score(host: MiniatureHost, connection: AsyncConnection) -> None:
    """NaN and the infinities: in every order, filter, page and choice of a project, whatever the host's column holds them in."""
    for kind in ("numeric", "double precision"):
        await host.connection.execute(f"ALTER TABLE lead_scores ALTER COLUMN overall_score TYPE {kind}")
        org_id = await host.organization()
        project_id, other = await host.project(org_id), await host.project(org_id)
        scored = {await host.lead(project_id, score=score): Decimal(score) for score in (10, 90)}
        unscored = [await host.lead(project_id, score=None) for _ in range(4)]
        for lead_id, score in zip(unscored, ("NaN", "Infinity", "-Infinity", None), strict=True):
            await host.scored(lead_id, other, score=1)
            await host.connection.execute(
                f"UPDATE lead_scores SET overall_score = CAST(CAST($1 AS text) AS {kind}) "
                f"WHERE {host.name('lead_id')} = $2 AND project_id = $3",
                score, lead_id, project_id,
            )  # fmt: skip
        for criteria in (LeadCriteria(min_score=Decimal(0)), LeadCriteria(max_score=Decimal(100))):
            assert await count_filtered(connection, host.tables, org_id, project_id, criteria) == 2
            rows = (await connection.execute(select_filtered(host.tables, org_id, project_id, criteria))).all()
            assert {row.lead_id for row in rows} == set(scored)
        seen: list[tuple[Decimal | None, UUID]] = []
        after = None
        while page := await read_page(connection, host.tables, org_id, project_id, LeadCriteria(), after, 1):
            seen += [(row.overall_score, row.lead_id) for row in page]
            after = PageStart(*seen[-1])
        assert [score for score, _ in seen] == [90, 10, None, None, None, None]
        assert [lead_id for _, lead_id in seen[2:]] == sorted(unscored)
        assert set((await chosen(connection, host, org_id, unscored)).values()) == {other}
        payloads = await read_lead_rows(connection, host.tables, org_id, project_id, unscored)
        assert all(not math.isfinite(float(row.overall_score or math.nan)) for row in payloads.values())
