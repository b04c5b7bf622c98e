"""Adds auto-export: rules for hosts without columns for them, and one row for each scan that was exported."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = """
CREATE TABLE clay.auto_export_rules (
    org_id          uuid NOT NULL,
    project_id      uuid NOT NULL,
    enabled         boolean NOT NULL,
    min_score       numeric(5,2),
    classifications text[] NOT NULL DEFAULT '{}',
    host_rule       text NOT NULL,
    updated_by      text NOT NULL,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT auto_export_rules_pk PRIMARY KEY (org_id, project_id),
    CONSTRAINT auto_export_rules_min_score_range CHECK (min_score BETWEEN 0 AND 100)
);
COMMENT ON TABLE clay.auto_export_rules IS 'Rules of projects whose host has no columns for them, or lets us not write them';
COMMENT ON COLUMN clay.auto_export_rules.host_rule IS 'What the host''s columns said when this was written: once they say something else, they rule';

CREATE TABLE clay.auto_export_runs (
    org_id        uuid NOT NULL,
    source_job_id uuid NOT NULL,
    project_id    uuid NOT NULL,
    outcome       text NOT NULL,
    message       text NOT NULL,
    job_id        uuid,
    lead_count    integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT auto_export_runs_pk PRIMARY KEY (org_id, source_job_id),
    CONSTRAINT auto_export_runs_outcome CHECK (outcome IN ('running', 'queued', 'nothing_new', 'off',
        'enterprise_required', 'clay_not_configured', 'destination_closed')),
    CONSTRAINT auto_export_runs_job_fk FOREIGN KEY (org_id, job_id) REFERENCES clay.push_jobs (org_id, id)
);
COMMENT ON TABLE clay.auto_export_runs IS 'A scan exports once: its first result is answered again';

CREATE UNIQUE INDEX push_jobs_one_auto_export_per_scan ON clay.push_jobs (org_id, source_job_id)
    WHERE push_mode = 'auto' AND source_job_id IS NOT NULL;
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(STATEMENTS)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: a release reads the schema of the next.")
