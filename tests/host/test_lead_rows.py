"""Reading a lead: statistics over several sources, missing columns, and values that Python cannot represent."""

import dataclasses
import math
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host.lead_filters import LeadCriteria, PageStart, count_filtered, read_page, select_filtered
from clay_push_service.host.read_lead_rows import read_lead_rows
from tests.harness.nexusleads import NexusLeads
from tests.host.selected_leads import chosen


async def test_a_lead_without_data_has_only_null_values(host: NexusLeads, connection: AsyncConnection) -> None:
    org_id = await host.organization()
    project_id = await host.project(org_id, "Quiet")
    lead_id = await host.lead(project_id, score=None, qualified=None, priority=None, username="quiet")
    row = (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id, uuid4()]))[lead_id]
    known = {name: getattr(row, name) for name in row.__slots__ if getattr(row, name) is not None}
    assert known.pop("activity_rows") == 0
    assert known == {"lead_id": lead_id, "project_id": project_id, "project_name": "Quiet", "username": "quiet"}


async def test_a_member_without_a_github_account_is_read(host: NexusLeads, connection: AsyncConnection) -> None:
    if host.vintage is not Vintage.TODAY:
        pytest.skip("in the document's vintage every contributor has a GitHub name")
    org_id = await host.organization()
    project_id = await host.project(org_id)
    lead_id = await host.lead(project_id, username=None)
    assert (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id]))[lead_id].username is None


async def test_statistics_of_five_sources_are_summed_and_the_most_active_source_is_named(
    host: NexusLeads, connection: AsyncConnection
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
    )  # activity of another lead
    row = (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id]))[lead_id]
    assert row == dataclasses.replace(
        row, activity_rows=5,
        total_commits=86, commits_last_3_months=10, commits_last_6_months=10, commits_last_year=10, pull_requests=10,
        issues_opened=10, issues_closed=3, code_reviews=None, is_maintainer=True, is_core_team=None,
        first_commit_date=date(2021, 1, 1), last_commit_date=date(2026, 1, 5),
    )  # fmt: skip
    assert (row.source_id, row.source_name) == (
        sources[3],
        "acme/b",
    )  # 40 commits like acme/c: the lower name is chosen


async def test_statistics_of_one_source_are_read(host: NexusLeads, connection: AsyncConnection) -> None:
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


async def test_a_lead_without_activity_names_the_source_that_found_it(
    host: NexusLeads, connection: AsyncConnection
) -> None:
    org_id = await host.organization()
    project_id, elsewhere = await host.project(org_id), await host.project(org_id)
    lead_id = await host.lead(project_id)
    for project, name in ((project_id, "acme/z"), (project_id, "acme/y"), (elsewhere, "acme/a")):
        await host.add("source_leads", source_id=await host.source(project, name), lead_id=lead_id)
    row = (await read_lead_rows(connection, host.tables, org_id, project_id, [lead_id]))[lead_id]
    assert not row.activity_rows
    assert row.source_name == "acme/y"


async def test_dates_and_numbers_outside_pythons_range_do_not_stop_a_batch(
    host: NexusLeads, connection: AsyncConnection
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


async def test_a_column_that_the_host_lacks_is_null(host: NexusLeads, connection: AsyncConnection) -> None:
    org_id = await host.organization()
    project_id = await host.project(org_id)
    lead_id = await host.lead(project_id, full_name="Known")
    await host.connection.execute(
        f"ALTER TABLE social_context DROP COLUMN skills; ALTER TABLE {host.name('stats')} DROP COLUMN code_reviews"
    )
    row = (await read_lead_rows(connection, await detect(connection), org_id, project_id, [lead_id]))[lead_id]
    assert row.full_name == "Known"
    assert row.skills is None


async def test_nan_and_infinite_scores_count_as_missing(host: NexusLeads, connection: AsyncConnection) -> None:
    """Tested in every sort order, filter, page and choice of a project, for every type that the host's column may have."""
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
