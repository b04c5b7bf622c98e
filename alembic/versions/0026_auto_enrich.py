"""Auto-enrich rules of projects, and their runs after scans and for leads that were enriched some months ago.

Only adds tables, so the release before is not affected.
"""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute("""
CREATE TABLE clay.auto_enrich_rules (
    org_id          uuid NOT NULL,
    project_id      uuid NOT NULL,
    enabled         boolean NOT NULL DEFAULT false,
    kind            text NOT NULL,
    way             text NOT NULL,
    legal_basis     text NOT NULL,
    min_score       numeric(6,2),
    classifications text[] NOT NULL DEFAULT '{}',
    from_hour       smallint,
    to_hour         smallint,
    stale_months    smallint,
    updated_by      text NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT auto_enrich_rules_pk PRIMARY KEY (org_id, project_id),
    CONSTRAINT auto_enrich_rules_kind CHECK (kind IN ('full', 'email')),
    CONSTRAINT auto_enrich_rules_way CHECK (way IN ('routine', 'table')),
    CONSTRAINT auto_enrich_rules_legal_basis CHECK (legal_basis IN ('consent', 'legitimate_interest')),
    CONSTRAINT auto_enrich_rules_window CHECK ((from_hour IS NULL) = (to_hour IS NULL) AND from_hour <> to_hour
                                               AND from_hour BETWEEN 0 AND 23 AND to_hour BETWEEN 0 AND 23),
    CONSTRAINT auto_enrich_rules_stale CHECK (stale_months BETWEEN 1 AND 60)
);
COMMENT ON TABLE clay.auto_enrich_rules IS 'A project''s rule that enriches leads after a scan; off by default';
COMMENT ON COLUMN clay.auto_enrich_rules.from_hour IS 'Off-peak window: hours of the organization''s time zone; null: at any time';
COMMENT ON COLUMN clay.auto_enrich_rules.stale_months IS 'Enrich leads again after so many months; null: never';

CREATE TABLE clay.auto_enrich_runs (
    id            uuid NOT NULL,
    org_id        uuid NOT NULL,
    project_id    uuid NOT NULL,
    source_job_id uuid,
    reason        text NOT NULL,
    outcome       text,
    message       text,
    job_ids       uuid[] NOT NULL DEFAULT '{}',
    lead_count    integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    due_at        timestamptz NOT NULL DEFAULT now(),
    done_at       timestamptz,
    CONSTRAINT auto_enrich_runs_pk PRIMARY KEY (id, org_id),
    CONSTRAINT auto_enrich_runs_once UNIQUE (org_id, source_job_id),
    CONSTRAINT auto_enrich_runs_reason CHECK (reason IN ('scan', 'stale')),
    CONSTRAINT auto_enrich_runs_done CHECK ((done_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX auto_enrich_runs_due ON clay.auto_enrich_runs (due_at) WHERE done_at IS NULL;
CREATE UNIQUE INDEX auto_enrich_runs_one_stale ON clay.auto_enrich_runs (org_id, project_id)
    WHERE done_at IS NULL AND reason = 'stale';
CREATE INDEX auto_enrich_runs_of_project ON clay.auto_enrich_runs (org_id, project_id, created_at);
COMMENT ON TABLE clay.auto_enrich_runs IS 'Runs of auto-enrich rules: one for each scan, and at most one a day for stale leads';
""")


def downgrade() -> None:
    op.execute("DROP TABLE clay.auto_enrich_runs")
    op.execute("DROP TABLE clay.auto_enrich_rules")
