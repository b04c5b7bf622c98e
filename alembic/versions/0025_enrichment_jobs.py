"""Enrichment jobs, their items and the runs of routines; the webhook of finished runs, and the pause of rules.

Only adds tables and nullable columns, so the release before is not affected.
"""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute("""
ALTER TABLE clay.enrichment_settings
    ADD COLUMN run_webhook_id text,
    ADD COLUMN sealed_webhook_secret bytea,
    ADD COLUMN rules_paused_at timestamptz,
    ADD COLUMN rules_paused_cause text,
    ADD CONSTRAINT enrichment_settings_webhook CHECK ((run_webhook_id IS NULL) = (sealed_webhook_secret IS NULL)),
    ADD CONSTRAINT enrichment_settings_rules_paused CHECK ((rules_paused_at IS NULL) = (rules_paused_cause IS NULL));
COMMENT ON COLUMN clay.enrichment_settings.run_webhook_id IS 'Clay''s id of the webhook that reports finished runs; null: none is set';
COMMENT ON COLUMN clay.enrichment_settings.sealed_webhook_secret IS 'Its signing secret, encrypted, bound to the id of this row';
COMMENT ON COLUMN clay.enrichment_settings.rules_paused_at IS 'Since when rules enrich nothing, until an owner resumes them or a test succeeds';

CREATE TABLE clay.enrichment_jobs (
    id                  uuid NOT NULL,
    org_id              uuid NOT NULL,
    project_id          uuid,
    kind                text NOT NULL,
    way                 text NOT NULL,
    mode                text NOT NULL,
    legal_basis         text NOT NULL,
    again               boolean NOT NULL,
    status              text NOT NULL DEFAULT 'pending',
    lead_count          integer NOT NULL,
    found_count         integer NOT NULL DEFAULT 0,
    partial_count       integer NOT NULL DEFAULT 0,
    nothing_count       integer NOT NULL DEFAULT 0,
    failed_count        integer NOT NULL DEFAULT 0,
    expired_count       integer NOT NULL DEFAULT 0,
    skipped_count       integer NOT NULL DEFAULT 0,
    cancelled_count     integer NOT NULL DEFAULT 0,
    credits_low         numeric(12,2) NOT NULL,
    credits_high        numeric(12,2),
    actions_low         numeric(12,2) NOT NULL,
    actions_high        numeric(12,2),
    credits             numeric(12,2) NOT NULL DEFAULT 0,
    actions             numeric(12,2) NOT NULL DEFAULT 0,
    source_job_id       uuid,
    created_by          text NOT NULL,
    created_by_user_id  uuid,
    request_id          text,
    cancel_requested_at timestamptz,
    created_at          timestamptz NOT NULL DEFAULT now(),
    started_at          timestamptz,
    finished_at         timestamptz,
    CONSTRAINT enrichment_jobs_pk PRIMARY KEY (id, org_id),
    CONSTRAINT enrichment_jobs_kind CHECK (kind IN ('full', 'email')),
    CONSTRAINT enrichment_jobs_way CHECK (way IN ('routine', 'table')),
    CONSTRAINT enrichment_jobs_mode CHECK (mode IN ('one', 'batch', 'auto', 'stale')),
    CONSTRAINT enrichment_jobs_legal_basis CHECK (legal_basis IN ('consent', 'legitimate_interest')),
    CONSTRAINT enrichment_jobs_status CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    CONSTRAINT enrichment_jobs_finished CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled'))),
    CONSTRAINT enrichment_jobs_counts CHECK (found_count + partial_count + nothing_count + failed_count + expired_count
                                             + skipped_count + cancelled_count <= lead_count)
);
CREATE INDEX enrichment_jobs_by_time ON clay.enrichment_jobs (org_id, created_at DESC, id DESC);
COMMENT ON TABLE clay.enrichment_jobs IS 'Requests to enrich leads';
COMMENT ON COLUMN clay.enrichment_jobs.project_id IS 'Null: the leads belong to several projects';
COMMENT ON COLUMN clay.enrichment_jobs.credits_low IS 'Estimated credits of the leads that were not skipped, when the job was accepted';
COMMENT ON COLUMN clay.enrichment_jobs.credits IS 'The sum over the items: reserved, estimated or reported credits';

CREATE TABLE clay.enrichment_runs (
    id           uuid NOT NULL,
    org_id       uuid NOT NULL,
    kind         text NOT NULL,
    routine_id   text NOT NULL,
    outputs      jsonb NOT NULL,
    clay_run_id  text,
    state        text NOT NULL DEFAULT 'starting',
    cause        text,
    claim_token  uuid,
    lease_until  timestamptz,
    next_poll_at timestamptz,
    polls        integer NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT now(),
    complete_at  timestamptz,
    expires_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    CONSTRAINT enrichment_runs_pk PRIMARY KEY (id, org_id),
    CONSTRAINT enrichment_runs_clay_run UNIQUE (org_id, clay_run_id),
    CONSTRAINT enrichment_runs_kind CHECK (kind IN ('full', 'email')),
    CONSTRAINT enrichment_runs_state CHECK (state IN ('starting', 'held', 'running', 'ended')),
    CONSTRAINT enrichment_runs_running CHECK (state <> 'running' OR (clay_run_id IS NOT NULL AND next_poll_at IS NOT NULL)),
    CONSTRAINT enrichment_runs_lease CHECK ((claim_token IS NULL) = (lease_until IS NULL)
                                            AND (state <> 'starting' OR lease_until IS NOT NULL)),
    CONSTRAINT enrichment_runs_finished CHECK ((finished_at IS NOT NULL) = (state = 'ended'))
);
CREATE INDEX enrichment_runs_due ON clay.enrichment_runs (next_poll_at, org_id) WHERE state = 'running';
CREATE INDEX enrichment_runs_live ON clay.enrichment_runs (org_id, started_at) WHERE state <> 'ended';
COMMENT ON TABLE clay.enrichment_runs IS 'Calls that start a routine in Clay for up to 100 items; each is started once';
COMMENT ON COLUMN clay.enrichment_runs.outputs IS 'Field: key of the result, as the settings had it when the run was started';
COMMENT ON COLUMN clay.enrichment_runs.state IS 'held: the start got no clear response, so Clay may be running and charging it';
COMMENT ON COLUMN clay.enrichment_runs.complete_at IS 'When Clay first reported the run as complete';

CREATE TABLE clay.enrichment_run_reports (
    id          uuid NOT NULL,
    org_id      uuid NOT NULL,
    clay_run_id text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    state       text NOT NULL DEFAULT 'waiting',
    tries       integer NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT enrichment_run_reports_pk PRIMARY KEY (id, org_id),
    CONSTRAINT enrichment_run_reports_one_per_run UNIQUE (org_id, clay_run_id),
    CONSTRAINT enrichment_run_reports_state CHECK (state IN ('waiting', 'known', 'adopted', 'unrelated', 'expired'))
);
CREATE INDEX enrichment_run_reports_waiting ON clay.enrichment_run_reports (org_id, next_try_at) WHERE state = 'waiting';
CREATE INDEX enrichment_run_reports_by_age ON clay.enrichment_run_reports (received_at);
COMMENT ON TABLE clay.enrichment_run_reports IS 'Runs that Clay''s webhook reported as finished; an unknown one may be a run that is held';

CREATE TABLE clay.enrichment_items (
    id           uuid NOT NULL,
    seq          bigint GENERATED ALWAYS AS IDENTITY,
    org_id       uuid NOT NULL,
    job_id       uuid NOT NULL,
    lead_id      uuid NOT NULL,
    project_id   uuid NOT NULL,
    kind         text NOT NULL,
    way          text NOT NULL,
    state        text NOT NULL,
    outcome      text,
    cause        text,
    missing      text[] NOT NULL DEFAULT '{}',
    run_id       uuid,
    delivery_id  uuid,
    due_at       timestamptz NOT NULL DEFAULT now(),
    attempts     smallint NOT NULL DEFAULT 0,
    throttled_at timestamptz,
    found        text[] NOT NULL DEFAULT '{}',
    not_found    text[] NOT NULL DEFAULT '{}',
    credits      numeric(8,2) NOT NULL DEFAULT 0,
    actions      numeric(8,2) NOT NULL DEFAULT 0,
    cost_basis   text NOT NULL DEFAULT 'none',
    started_at   timestamptz,
    deadline_at  timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CONSTRAINT enrichment_items_pk PRIMARY KEY (id, org_id),
    CONSTRAINT enrichment_items_job FOREIGN KEY (job_id, org_id) REFERENCES clay.enrichment_jobs (id, org_id),
    CONSTRAINT enrichment_items_run FOREIGN KEY (run_id, org_id) REFERENCES clay.enrichment_runs (id, org_id),
    CONSTRAINT enrichment_items_kind CHECK (kind IN ('full', 'email')),
    CONSTRAINT enrichment_items_way CHECK (way IN ('routine', 'table')),
    CONSTRAINT enrichment_items_state CHECK (state IN ('queued', 'starting', 'held', 'requested', 'done')),
    CONSTRAINT enrichment_items_outcome CHECK (outcome IN ('found', 'partial', 'nothing', 'failed', 'expired', 'skipped', 'cancelled')),
    CONSTRAINT enrichment_items_done CHECK ((outcome IS NOT NULL) = (state = 'done') AND (finished_at IS NOT NULL) = (state = 'done')),
    CONSTRAINT enrichment_items_cause CHECK ((cause IS NOT NULL) = (outcome IS NOT NULL AND outcome NOT IN ('found', 'partial'))),
    CONSTRAINT enrichment_items_in_run CHECK (state NOT IN ('starting', 'held') OR run_id IS NOT NULL),
    CONSTRAINT enrichment_items_requested CHECK (state <> 'requested' OR (run_id IS NOT NULL OR delivery_id IS NOT NULL)
                                                                AND deadline_at IS NOT NULL),
    CONSTRAINT enrichment_items_cost_basis CHECK (cost_basis IN ('none', 'reserved', 'estimated', 'reported'))
);
CREATE UNIQUE INDEX enrichment_items_one_live ON clay.enrichment_items (org_id, lead_id) WHERE state <> 'done';
CREATE INDEX enrichment_items_queued ON clay.enrichment_items (org_id, seq) WHERE state = 'queued';
CREATE INDEX enrichment_items_of_job ON clay.enrichment_items (job_id, org_id, seq);
CREATE INDEX enrichment_items_of_run ON clay.enrichment_items (run_id, org_id) WHERE run_id IS NOT NULL;
CREATE INDEX enrichment_items_of_delivery ON clay.enrichment_items (org_id, delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX enrichment_items_of_lead ON clay.enrichment_items (org_id, lead_id, finished_at);
CREATE INDEX enrichment_items_by_day ON clay.enrichment_items (org_id, started_at) WHERE started_at IS NOT NULL;
CREATE INDEX enrichment_items_deadlines ON clay.enrichment_items (deadline_at) WHERE state IN ('held', 'requested');
COMMENT ON TABLE clay.enrichment_items IS 'One lead of an enrichment job; its id is the item''s id in Clay';
COMMENT ON COLUMN clay.enrichment_items.lead_id IS 'After an erasure, the reference that replaces the lead';
COMMENT ON COLUMN clay.enrichment_items.missing IS 'Values that the lead lacks (cause missing_input)';
COMMENT ON COLUMN clay.enrichment_items.delivery_id IS 'The delivery whose row in the Clay table calls back (way table)';
COMMENT ON COLUMN clay.enrichment_items.credits IS 'Counts against the budget of the day of started_at; see cost_basis';
COMMENT ON COLUMN clay.enrichment_items.throttled_at IS 'Since when Clay has answered 429';
""")


def downgrade() -> None:
    op.execute("DROP TABLE clay.enrichment_items")
    op.execute("DROP TABLE clay.enrichment_run_reports")
    op.execute("DROP TABLE clay.enrichment_runs")
    op.execute("DROP TABLE clay.enrichment_jobs")
    op.execute("""
ALTER TABLE clay.enrichment_settings DROP COLUMN run_webhook_id, DROP COLUMN sealed_webhook_secret,
    DROP COLUMN rules_paused_at, DROP COLUMN rules_paused_cause
""")
