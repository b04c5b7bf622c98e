"""NexusLeads' tables in either vintage: only those that this service reads or mirrors, with NexusLeads' own keys."""

from string import Template

import asyncpg

from clay_push_service.host.columns import Vintage, name_in

TABLES = Template("""
CREATE TABLE organizations (id uuid PRIMARY KEY DEFAULT $new_id, name varchar(255) NOT NULL,
    slug varchar(255) NOT NULL UNIQUE, created_at timestamptz DEFAULT now());
CREATE TABLE users (id uuid PRIMARY KEY DEFAULT $new_id, username varchar(255) NOT NULL UNIQUE, email varchar(255),
    is_active boolean DEFAULT true, is_admin boolean DEFAULT false, created_at timestamptz DEFAULT now());
CREATE TABLE org_members (id uuid PRIMARY KEY DEFAULT $new_id,
    org_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role varchar(50) NOT NULL DEFAULT 'member', UNIQUE (org_id, user_id));
CREATE TABLE org_settings (id uuid PRIMARY KEY DEFAULT $new_id,
    org_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    key varchar(255) NOT NULL, value text NOT NULL $org_settings_is_secret, UNIQUE (org_id, key));
CREATE TABLE app_settings (key varchar(255) PRIMARY KEY, value text, is_secret boolean DEFAULT false);
CREATE TABLE org_billing (id uuid PRIMARY KEY DEFAULT $new_id,
    org_id uuid NOT NULL UNIQUE REFERENCES organizations ON DELETE CASCADE, is_enterprise boolean DEFAULT false);
CREATE TABLE projects (id uuid PRIMARY KEY DEFAULT $new_id, user_id uuid REFERENCES users ON DELETE CASCADE,
    org_id uuid REFERENCES organizations ON DELETE CASCADE, name varchar(255) NOT NULL,
    is_active boolean DEFAULT true, auto_export_clay_enabled boolean DEFAULT false,
    auto_export_clay_min_score decimal(5,2), auto_export_clay_classifications text[]);
CREATE TABLE $sources (id uuid PRIMARY KEY DEFAULT $new_id,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE, full_name varchar(255) NOT NULL, github_url text);
CREATE TABLE $leads (id uuid PRIMARY KEY DEFAULT $new_id, github_id bigint $github_null UNIQUE,
    username varchar(255) $github_null, full_name varchar(255), email varchar(255), company varchar(255),
    location varchar(255), bio text, avatar_url text, github_url text, public_repos integer, followers integer,
    following integer);
CREATE TABLE $source_leads (id uuid PRIMARY KEY DEFAULT $new_id,
    $source_id uuid NOT NULL REFERENCES $sources ON DELETE CASCADE,
    $lead_id uuid NOT NULL REFERENCES $leads ON DELETE CASCADE, UNIQUE ($source_id, $lead_id));
CREATE TABLE $stats (id uuid PRIMARY KEY DEFAULT $new_id,
    $source_id uuid NOT NULL REFERENCES $sources ON DELETE CASCADE,
    $lead_id uuid NOT NULL REFERENCES $leads ON DELETE CASCADE,
    total_commits integer DEFAULT 0, commits_last_3_months integer DEFAULT 0, commits_last_6_months integer DEFAULT 0,
    commits_last_year integer DEFAULT 0, pull_requests integer DEFAULT 0, issues_opened integer DEFAULT 0,
    issues_closed integer DEFAULT 0, code_reviews integer DEFAULT 0, is_maintainer boolean DEFAULT false,
    is_core_team boolean DEFAULT false, first_commit_date date, last_commit_date date, UNIQUE ($source_id, $lead_id));
CREATE TABLE social_context (id uuid PRIMARY KEY DEFAULT $new_id,
    $lead_id uuid NOT NULL UNIQUE REFERENCES $leads ON DELETE CASCADE, linkedin_url text, linkedin_headline text,
    current_company varchar(255), current_position varchar(255), position_level varchar(100), industry varchar(255),
    years_of_experience integer, skills text[], classification varchar(100), classification_confidence decimal(3,2),
    classification_reasoning text);
CREATE TABLE lead_scores (id uuid PRIMARY KEY DEFAULT $new_id,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    $lead_id uuid NOT NULL REFERENCES $leads ON DELETE CASCADE, overall_score decimal(5,2), activity_score decimal(5,2),
    influence_score decimal(5,2), position_score decimal(5,2), engagement_score decimal(5,2),
    is_qualified_lead boolean DEFAULT false, priority varchar(20), UNIQUE (project_id, $lead_id));
CREATE TABLE sourcing_jobs (id uuid PRIMARY KEY DEFAULT $new_id, project_id uuid REFERENCES projects ON DELETE CASCADE,
    $source_id uuid REFERENCES $sources ON DELETE CASCADE, job_type varchar(50) NOT NULL,
    status varchar(50) NOT NULL DEFAULT 'pending', total_steps integer DEFAULT 0, current_step integer DEFAULT 0,
    progress_percentage decimal(5,2) DEFAULT 0, started_at timestamptz, completed_at timestamptz, error_message text,
    metadata jsonb, created_by uuid REFERENCES users, created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now());
CREATE TABLE job_progress (id uuid PRIMARY KEY DEFAULT $new_id,
    job_id uuid NOT NULL REFERENCES sourcing_jobs ON DELETE CASCADE, step_number integer NOT NULL,
    step_name varchar(255) NOT NULL, status varchar(50) NOT NULL DEFAULT 'pending', message text, details jsonb,
    started_at timestamptz, completed_at timestamptz);
CREATE TABLE clay_push_log (id uuid PRIMARY KEY DEFAULT $new_id,
    org_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    $lead_id uuid NOT NULL REFERENCES $leads ON DELETE CASCADE, project_id uuid REFERENCES projects ON DELETE CASCADE,
    repository_id uuid REFERENCES $sources ON DELETE SET NULL, job_id uuid REFERENCES sourcing_jobs ON DELETE SET NULL,
    status varchar(50), error_message text, pushed_at timestamptz DEFAULT now(), clay_response_status integer,
    UNIQUE (org_id, $lead_id, project_id));
""")


async def create_schema(connection: asyncpg.Connection, vintage: Vintage, schema: str = "public") -> None:
    """Creates the empty tables. The role must own the database or be allowed to create in `schema`; no extension is needed.

    Ids default to `uuid_generate_v4()` as in NexusLeads, or to the built-in `gen_random_uuid()` if it is not installed.
    """
    has_ossp = await connection.fetchval("SELECT to_regproc('public.uuid_generate_v4') IS NOT NULL")
    words = ("leads", "sources", "source_leads", "stats", "lead_id", "source_id")
    statements = TABLES.substitute(
        {word: name_in(word, vintage) for word in words},
        new_id="public.uuid_generate_v4()" if has_ossp else "gen_random_uuid()",
        github_null="NOT NULL" if vintage is Vintage.DOCUMENT else "NULL",
        org_settings_is_secret="" if vintage is Vintage.DOCUMENT else ", is_secret boolean DEFAULT false",
    )
    async with connection.transaction():
        if schema != "public":
            await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
        await connection.execute(f"SET LOCAL search_path TO {_quoted(schema)}")
        await connection.execute(statements)


def _quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
