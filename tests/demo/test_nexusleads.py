"""NexusLeads' tables and sample leads of the demo: an ordinary role creates them, in both vintages, with the same leads every time."""

import json
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest

from clay_push_service.database.database import Database
from clay_push_service.demo.sample_leads import SampleData, load_samples
from clay_push_service.host.billing import is_enterprise
from clay_push_service.host.columns import Vintage
from clay_push_service.host.detect import detect
from clay_push_service.host.lead_filters import LeadCriteria, count_filtered
from clay_push_service.host.lead_row import LeadRow
from clay_push_service.host.members import memberships
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.leads.payload import build
from clay_push_service.local_database.nexusleads_tables import create_schema


@pytest.fixture(params=list(Vintage), ids=str)
def vintage(request: pytest.FixtureRequest) -> Vintage:
    return Vintage(request.param)


async def loaded(url: str, vintage: Vintage, seed: int = 7) -> tuple[SampleData, list[LeadRow]]:
    raw = await asyncpg.connect(url)
    await create_schema(raw, vintage)
    data = await load_samples(raw, vintage, seed)
    await raw.close()
    database = Database(url, pool_size=1)
    rows: list[LeadRow] = []
    async with database.transaction() as connection:
        tables = await detect(connection)
        for project in data.projects:
            found = await read_lead_rows(connection, tables, project.org_id, project.project_id, project.lead_ids)
            assert await count_filtered(connection, tables, project.org_id, project.project_id, LeadCriteria()) == len(
                found
            )
            rows += found.values()
        for username, (user_id, org_id, role) in data.users.items():
            (member,) = await memberships(connection, tables, username)
            assert (member.user_id, member.org_id, member.role) == (user_id, org_id, role)
        assert [await is_enterprise(connection, tables, org_id) for org_id in data.orgs] == [True, False]
    await database.close()
    return data, rows


async def test_sample_leads_resemble_real_contributors(empty_database_url: str, vintage: Vintage) -> None:
    data, rows = await loaded(empty_database_url, vintage)
    assert [len(project.lead_ids) for project in data.projects] == [200, 50]
    assert len(rows) == 250
    assert all(row.email is None or row.email.endswith("@example.com") for row in rows)
    assert 60 < sum(row.email is None for row in rows) < 190
    commits = sorted((int(row.total_commits or 0) for row in rows if row.activity_rows), reverse=True)
    assert sum(commits[:25]) > sum(commits[25:])  # a tenth of the leads has more commits than all others together
    assert sum(not row.activity_rows for row in rows) > 20
    assert sum(row.linkedin_url is None for row in rows) > 80
    assert sum(row.skills is None for row in rows) > 20
    assert max(len(row.bio or "") for row in rows) > 1_000
    assert sum(row.full_name is not None and not row.full_name.isascii() for row in rows) > 100
    assert sum(row.github_url is None for row in rows) == (21 if vintage is Vintage.TODAY else 0)
    assert {row.classification for row in rows} == {"DECISION_MAKER", "KEY_CONTRIBUTOR", "HIGH_IMPACT", None}
    assert len({row.username for row in rows}) == 250
    for row in rows:
        json.loads(build(row, uuid4(), datetime.now(UTC)).body)


async def test_a_sample_lead_has_commits_in_up_to_five_sources(empty_database_url: str, vintage: Vintage) -> None:
    raw = await asyncpg.connect(empty_database_url)
    await create_schema(raw, vintage)
    await load_samples(raw, vintage)
    lead, stats = (
        ("contributor_id", "contributor_stats") if vintage is Vintage.DOCUMENT else ("member_id", "member_activity")
    )
    sources = Counter(row[0] for row in await raw.fetch(f"SELECT count(*) FROM {stats} GROUP BY {lead}"))
    await raw.close()
    assert {1, 2, 3, 5} <= set(sources)
    assert sources[1] > sources[5] > 0


async def test_the_same_seed_creates_the_same_leads(empty_database_url: str) -> None:
    raw = await asyncpg.connect(empty_database_url)
    made = []
    for schema, seed in (("a", 7), ("b", 7), ("c", 8)):
        await create_schema(raw, Vintage.TODAY, schema)
        data = await load_samples(raw, Vintage.TODAY, seed, schema)
        made.append((data, await raw.fetch(f"SELECT * FROM {schema}.members ORDER BY id")))
    await raw.close()
    assert made[0] == made[1]
    assert made[0][0].orgs != made[2][0].orgs
