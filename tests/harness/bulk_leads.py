"""Adds many leads with varied values to a project of NexusLeads, in one statement."""

from string import Template
from uuid import UUID

import asyncpg

from clay_push_service.host.columns import Vintage, name_in

SOURCES = 10
ANALYZE_FROM = 100
"""With fewer leads, PostgreSQL plans the same without statistics, and ANALYZE would cost each test 20 ms."""

# setseed makes random() repeatable. The serial number n distributes values that must be even.
_LEADS = Template("""
WITH made AS (
    SELECT gen_random_uuid() AS id, n, random() AS luck FROM generate_series(1, $$2::int) AS n
), people AS (
    INSERT INTO $leads (id, github_id, username, full_name, email, company, location, bio, avatar_url, github_url,
                        public_repos, followers, following)
    SELECT id, $$3::bigint + n, 'bulk-' || ($$3::bigint + n), 'Lead Number ' || n,
           CASE WHEN n % 3 > 0 THEN 'bulk-' || ($$3::bigint + n) || '@example.com' END,
           CASE WHEN n % 4 > 0 THEN 'Company ' || n % 500 END, CASE WHEN n % 2 = 0 THEN 'City ' || n % 90 END,
           repeat('Writes software. ', 1 + n % 20), 'https://avatars.example.com/u/' || n,
           'https://github.com/bulk-' || ($$3::bigint + n), n % 200, (10 / (luck + 0.001))::int, n % 300
      FROM made
), found AS (
    INSERT INTO $source_leads ($source_id, $lead_id)
    SELECT ($$4::uuid[])[1 + (made.n + k) % cardinality($$4::uuid[])], made.id
      FROM made CROSS JOIN generate_series(0, 1) AS k
), activity AS (
    INSERT INTO $stats ($source_id, $lead_id, total_commits, commits_last_3_months, commits_last_6_months,
                        commits_last_year, pull_requests, issues_opened, issues_closed, code_reviews, is_maintainer,
                        is_core_team, first_commit_date, last_commit_date)
    SELECT ($$4::uuid[])[1 + (made.n + k) % cardinality($$4::uuid[])], made.id, (5 / (luck + 0.002))::int, n % 20,
           n % 40, n % 90, n % 30, n % 11, n % 7, n % 13, luck < 0.03, luck < 0.01,
           date '2019-01-01' + (n % 1500), date '2024-06-01' + (n % 600)
      FROM made CROSS JOIN generate_series(0, 1) AS k
), context AS (
    INSERT INTO social_context ($lead_id, linkedin_url, linkedin_headline, current_company, current_position,
                                position_level, industry, years_of_experience, skills, classification,
                                classification_confidence, classification_reasoning)
    SELECT id, 'https://www.linkedin.com/in/bulk-' || n, 'Engineer at Company ' || n % 500, 'Company ' || n % 500,
           'Engineer', (ARRAY['Junior', 'Senior', 'Lead'])[1 + n % 3],
           (ARRAY['Technology', 'Finance', 'Health', 'Education'])[1 + n % 4], n % 30, ARRAY['Python', 'Go', 'SQL'],
           (ARRAY['DECISION_MAKER', 'KEY_CONTRIBUTOR', 'HIGH_IMPACT'])[1 + n % 3], 0.5 + (n % 50) / 100.0,
           'Commits regularly to ' || 1 + n % 10 || ' repositories.'
      FROM made WHERE n % 10 > 1
)
INSERT INTO lead_scores (project_id, $lead_id, overall_score, activity_score, influence_score, position_score,
                         engagement_score, is_qualified_lead, priority)
SELECT $$1::uuid, id, (luck * 100)::decimal(5,2), n % 101, n % 97, n % 89, n % 83, luck > 0.6,
       (ARRAY['low', 'medium', 'high'])[1 + (luck * 2.99)::int % 3]
  FROM made
""")


async def add_bulk_leads(connection: asyncpg.Connection, vintage: Vintage, project_id: UUID, count: int) -> None:
    """Each lead is active in two of the project's new sources. A later call continues the numbering of user names."""
    words = ("leads", "source_leads", "stats", "lead_id", "source_id")
    statement = _LEADS.substitute({word: name_in(word, vintage) for word in words})
    async with connection.transaction():
        await connection.execute("SELECT setseed(0.7)")
        first = await connection.fetchval(f"SELECT coalesce(max(github_id), 0) FROM {name_in('leads', vintage)}")
        sources = await connection.fetch(
            f"INSERT INTO {name_in('sources', vintage)} (project_id, full_name, github_url)"
            " SELECT $1::uuid, 'bulk/repo-' || n, 'https://github.com/bulk/repo-' || n"
            " FROM generate_series(1, $2::int) AS n RETURNING id",
            project_id,
            SOURCES,
        )
        await connection.execute(statement, project_id, count, first, [source["id"] for source in sources])
    if count >= ANALYZE_FROM:
        await connection.execute("ANALYZE")
