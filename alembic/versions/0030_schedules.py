"""Schedules, which push new leads of a project at set times, and their runs: one for each due time.

Only adds tables, so the release before is not affected.
"""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.execute("""
CREATE TABLE clay.schedules (
    id               uuid NOT NULL,
    org_id           uuid NOT NULL,
    project_id       uuid NOT NULL,
    destination_id   uuid,
    name             text NOT NULL,
    kind             text NOT NULL,
    spec             jsonb NOT NULL,
    time_zone        text NOT NULL,
    filters          jsonb NOT NULL DEFAULT '{}',
    mode             text NOT NULL DEFAULT 'new',
    max_leads        integer,
    catch_up_seconds integer NOT NULL DEFAULT 3600,
    pause_after      smallint NOT NULL DEFAULT 3,
    next_due_at      timestamptz,
    next_run_at      timestamptz,
    tzdata_version   text NOT NULL,
    attempts         smallint NOT NULL DEFAULT 0,
    paused_because   text,
    paused_at        timestamptz,
    counted_from     timestamptz NOT NULL DEFAULT now(),
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_by       text NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schedules_pk PRIMARY KEY (id, org_id),
    CONSTRAINT schedules_destination_fk FOREIGN KEY (destination_id, org_id) REFERENCES clay.destinations (id, org_id),
    CONSTRAINT schedules_kind CHECK (kind IN ('interval', 'daily', 'weekly', 'monthly', 'cron')),
    CONSTRAINT schedules_mode CHECK (mode IN ('new', 'new_and_changed')),
    CONSTRAINT schedules_max_leads CHECK (max_leads BETWEEN 1 AND 50000),
    CONSTRAINT schedules_catch_up CHECK (catch_up_seconds BETWEEN 0 AND 604800),
    CONSTRAINT schedules_pause_after CHECK (pause_after BETWEEN 1 AND 100),
    CONSTRAINT schedules_paused CHECK ((paused_because IS NULL) = (paused_at IS NULL)
        AND (paused_because IS NULL) = (next_due_at IS NOT NULL) AND (next_due_at IS NULL) = (next_run_at IS NULL)),
    CONSTRAINT schedules_paused_because CHECK (paused_because IN ('user', 'failures', 'erasure'))
);
CREATE INDEX schedules_due ON clay.schedules (next_run_at) WHERE next_run_at IS NOT NULL;
CREATE INDEX schedules_of_organization ON clay.schedules (org_id, created_at, id);
CREATE INDEX schedules_of_destination ON clay.schedules (destination_id, org_id) WHERE destination_id IS NOT NULL;
COMMENT ON TABLE clay.schedules IS 'Pushes the new leads of a project at set times';
COMMENT ON COLUMN clay.schedules.spec IS 'The times as a person states them: a local time and days, minutes and an anchor, or a cron expression';
COMMENT ON COLUMN clay.schedules.destination_id IS 'Null: the routes decide, or the default destination';
COMMENT ON COLUMN clay.schedules.next_due_at IS 'The next time of the calendar; null while paused';
COMMENT ON COLUMN clay.schedules.next_run_at IS 'When the run starts: up to 60 s after next_due_at, or later after an error';
COMMENT ON COLUMN clay.schedules.tzdata_version IS 'The time zone rules with which next_due_at was computed';
COMMENT ON COLUMN clay.schedules.attempts IS 'Starts of the next run that ended with an error';
COMMENT ON COLUMN clay.schedules.counted_from IS 'Failures of earlier runs do not count: the schedule was resumed then';

CREATE TABLE clay.schedule_runs (
    org_id      uuid NOT NULL,
    schedule_id uuid NOT NULL,
    due_at      timestamptz NOT NULL,
    started_by  text NOT NULL,
    outcome     text NOT NULL,
    message     text NOT NULL,
    job_ids     uuid[] NOT NULL DEFAULT '{}',
    lead_count  integer NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schedule_runs_pk PRIMARY KEY (org_id, schedule_id, due_at),
    CONSTRAINT schedule_runs_schedule_fk FOREIGN KEY (schedule_id, org_id) REFERENCES clay.schedules (id, org_id) ON DELETE CASCADE,
    CONSTRAINT schedule_runs_outcome CHECK (outcome IN ('queued', 'nothing_new', 'overlap', 'missed', 'paused', 'enterprise_required',
        'clay_not_configured', 'destination_closed', 'results_missing', 'quota_exhausted', 'project_not_found', 'failed')),
    CONSTRAINT schedule_runs_queued CHECK ((outcome = 'queued') = (cardinality(job_ids) > 0) AND (outcome = 'queued') = (lead_count > 0))
);
CREATE INDEX schedule_runs_age ON clay.schedule_runs (started_at);
COMMENT ON TABLE clay.schedule_runs IS 'One row for each due time of a schedule, also for those at which nothing was pushed, with the reason';
COMMENT ON COLUMN clay.schedule_runs.due_at IS 'The due time; of a run that a person started, the start';
COMMENT ON COLUMN clay.schedule_runs.started_by IS '"time", or the actor who started the run';
""")


def downgrade() -> None:
    op.execute("DROP TABLE clay.schedule_runs")
    op.execute("DROP TABLE clay.schedules")
