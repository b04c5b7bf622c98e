"""Destinations, push jobs, their deliveries, the queue, keys and the audit log."""

import re
from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

QUEUE_SCHEMA = Path(__file__).parents[1] / "sql/procrastinate-3.10.0.sql"
"""The script as that release ships it. Not the installed release's: a later one would make fresh databases differ from upgraded ones."""

TABLES = """
CREATE TABLE clay.destinations (
    id               uuid NOT NULL DEFAULT gen_random_uuid(),
    org_id           uuid NOT NULL,
    version_id       uuid,
    table_name       text,
    table_epoch      integer NOT NULL DEFAULT 1,
    rate_limit_ms    integer NOT NULL DEFAULT 200,
    next_slot_at     timestamptz NOT NULL DEFAULT now(),
    throttled_ms     double precision,
    throttled_at     timestamptz,
    host_fingerprint bytea,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT destinations_pk PRIMARY KEY (id),
    CONSTRAINT destinations_one_per_organization UNIQUE (org_id),
    CONSTRAINT destinations_organization_key UNIQUE (org_id, id),
    CONSTRAINT destinations_rate_limit_ms_range CHECK (rate_limit_ms BETWEEN 0 AND 60000),
    CONSTRAINT destinations_table_epoch_range CHECK (table_epoch >= 1)
);
COMMENT ON TABLE clay.destinations IS 'An organization''s Clay table: its pace; its webhook is the current version';
COMMENT ON COLUMN clay.destinations.table_epoch IS 'Counts new Clay tables: what is in an earlier one is not "already in Clay"';
COMMENT ON COLUMN clay.destinations.next_slot_at IS 'The pace: no POST before this moment of the database clock';

CREATE TABLE clay.destination_versions (
    id             uuid NOT NULL,
    org_id         uuid NOT NULL,
    destination_id uuid NOT NULL,
    number         integer NOT NULL,
    sealed_url     bytea,
    sealed_token   bytea,
    url_mask       text NOT NULL,
    fuel_used      integer NOT NULL DEFAULT 0,
    fuel_limit     integer DEFAULT 50000,
    state          text NOT NULL DEFAULT 'open',
    state_reason   text,
    state_since    timestamptz NOT NULL DEFAULT now(),
    probe_at       timestamptz,
    refusals       integer NOT NULL DEFAULT 0,
    outages        integer NOT NULL DEFAULT 0,
    source         text NOT NULL,
    created_by     text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT destination_versions_pk PRIMARY KEY (id),
    CONSTRAINT destination_versions_organization_key UNIQUE (org_id, id),
    CONSTRAINT destination_versions_number UNIQUE (destination_id, number),
    CONSTRAINT destination_versions_destination_fk FOREIGN KEY (org_id, destination_id)
        REFERENCES clay.destinations (org_id, id),
    CONSTRAINT destination_versions_state CHECK (state IN ('open', 'waiting', 'closed')),
    CONSTRAINT destination_versions_source CHECK (source IN ('api', 'host')),
    CONSTRAINT destination_versions_fuel CHECK (fuel_used >= 0 AND (fuel_limit IS NULL OR fuel_limit >= 0))
);
COMMENT ON TABLE clay.destination_versions IS 'A webhook as it was set once, sealed; jobs name a version, never a URL';
ALTER TABLE clay.destinations ADD CONSTRAINT destinations_version_fk FOREIGN KEY (org_id, version_id)
    REFERENCES clay.destination_versions (org_id, id);

CREATE TABLE clay.push_jobs (
    id                     uuid NOT NULL,
    org_id                 uuid NOT NULL,
    project_id             uuid NOT NULL,
    project_name           text,
    destination_version_id uuid NOT NULL,
    table_name             text,
    table_epoch            integer NOT NULL,
    push_mode              text NOT NULL,
    filters                jsonb,
    push_again             boolean NOT NULL DEFAULT false,
    retry_of               uuid,
    source_job_id          uuid,
    created_by             text,
    created_by_user_id     uuid,
    request_id             text,
    status                 text NOT NULL DEFAULT 'pending',
    lead_count             integer NOT NULL DEFAULT 0,
    success_count          integer NOT NULL DEFAULT 0,
    failed_count           integer NOT NULL DEFAULT 0,
    skipped_count          integer NOT NULL DEFAULT 0,
    unknown_count          integer NOT NULL DEFAULT 0,
    cancel_requested_at    timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now(),
    started_at             timestamptz,
    finished_at            timestamptz,
    updated_at             timestamptz NOT NULL DEFAULT now(),
    drained_at             timestamptz,
    CONSTRAINT push_jobs_pk PRIMARY KEY (id),
    CONSTRAINT push_jobs_organization_key UNIQUE (org_id, id),
    CONSTRAINT push_jobs_destination_version_fk FOREIGN KEY (org_id, destination_version_id)
        REFERENCES clay.destination_versions (org_id, id),
    CONSTRAINT push_jobs_retry_of_fk FOREIGN KEY (org_id, retry_of) REFERENCES clay.push_jobs (org_id, id),
    CONSTRAINT push_jobs_mode CHECK (push_mode IN ('selected', 'filtered', 'all', 'auto', 'retry')),
    CONSTRAINT push_jobs_status CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled')),
    CONSTRAINT push_jobs_finished CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled'))),
    CONSTRAINT push_jobs_counts CHECK (
        least(success_count, failed_count, skipped_count, unknown_count) >= 0
        AND unknown_count <= failed_count
        AND success_count + failed_count + skipped_count <= lead_count)
);
CREATE INDEX push_jobs_by_organization ON clay.push_jobs (org_id, created_at DESC, id);
CREATE INDEX push_jobs_live ON clay.push_jobs (destination_version_id) WHERE status IN ('pending', 'running');
CREATE INDEX push_jobs_undrained ON clay.push_jobs (drained_at) WHERE status IN ('pending', 'running');
COMMENT ON COLUMN clay.push_jobs.drained_at IS 'When a slice last worked on it: the sweep wakes what nobody drains';

CREATE TABLE clay.clay_push_log (
    id                   uuid NOT NULL DEFAULT gen_random_uuid(),
    seq                  bigint GENERATED ALWAYS AS IDENTITY,
    org_id               uuid NOT NULL,
    job_id               uuid NOT NULL,
    contributor_id       uuid NOT NULL,
    project_id           uuid NOT NULL,
    table_epoch          integer NOT NULL,
    username             text,
    full_name            text,
    status               varchar(50) NOT NULL DEFAULT 'pending',
    state                text NOT NULL DEFAULT 'waiting',
    cause                text,
    error_message        text,
    clay_response_status integer,
    attempts             integer NOT NULL DEFAULT 0,
    lost_claims          integer NOT NULL DEFAULT 0,
    due_at               timestamptz NOT NULL DEFAULT now(),
    claim_token          uuid,
    lease_until          timestamptz,
    payload_hash         bytea,
    duration_ms          integer,
    created_at           timestamptz NOT NULL DEFAULT now(),
    pushed_at            timestamptz,
    finished_at          timestamptz,
    CONSTRAINT clay_push_log_pk PRIMARY KEY (id),
    CONSTRAINT clay_push_log_job_fk FOREIGN KEY (org_id, job_id) REFERENCES clay.push_jobs (org_id, id),
    CONSTRAINT clay_push_log_status CHECK (status IN ('pending', 'success', 'failed', 'skipped')),
    CONSTRAINT clay_push_log_state CHECK (state IN ('waiting', 'claimed', 'sending', 'done')),
    CONSTRAINT clay_push_log_pending_is_live CHECK ((status = 'pending') = (state <> 'done')),
    CONSTRAINT clay_push_log_claim CHECK ((state IN ('claimed', 'sending')) = (claim_token IS NOT NULL)),
    CONSTRAINT clay_push_log_lease CHECK ((claim_token IS NULL) = (lease_until IS NULL)),
    CONSTRAINT clay_push_log_finished CHECK ((finished_at IS NOT NULL) = (state = 'done')),
    CONSTRAINT clay_push_log_cause CHECK ((cause IS NOT NULL) = (status IN ('failed', 'skipped')) OR status = 'pending')
);
CREATE UNIQUE INDEX clay_push_log_one_live_per_lead ON clay.clay_push_log (org_id, contributor_id) WHERE state <> 'done';
CREATE INDEX clay_push_log_by_lead ON clay.clay_push_log (org_id, contributor_id, seq);
CREATE INDEX clay_push_log_by_job ON clay.clay_push_log (job_id, seq);
CREATE INDEX clay_push_log_due ON clay.clay_push_log (job_id, seq) WHERE state = 'waiting';
CREATE INDEX clay_push_log_leases ON clay.clay_push_log (lease_until) WHERE state IN ('claimed', 'sending');
COMMENT ON TABLE clay.clay_push_log IS 'Deliveries: one lead of one push job. The only record of what Clay took';

CREATE TABLE clay.idempotency_keys (
    org_id       uuid NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       integer NOT NULL,
    answer       jsonb NOT NULL,
    location     text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pk PRIMARY KEY (org_id, key)
);
CREATE INDEX idempotency_keys_by_age ON clay.idempotency_keys (created_at);

CREATE TABLE clay.api_keys (
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    name         text NOT NULL,
    prefix       text NOT NULL,
    key_hash     bytea NOT NULL,
    org_ids      uuid[] NOT NULL,
    scopes       text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    CONSTRAINT api_keys_pk PRIMARY KEY (id),
    CONSTRAINT api_keys_hash UNIQUE (key_hash),
    CONSTRAINT api_keys_scopes CHECK (scopes <@ ARRAY['push', 'read', 'config', 'erase', 'ops'] AND cardinality(scopes) > 0)
);

CREATE TABLE clay.workers (
    id         uuid NOT NULL,
    hostname   text NOT NULL,
    pid        integer NOT NULL,
    version    text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT workers_pk PRIMARY KEY (id)
);
CREATE INDEX workers_by_age ON clay.workers (seen_at);

CREATE TABLE clay.audit_log (
    id      bigint GENERATED ALWAYS AS IDENTITY,
    at      timestamptz NOT NULL DEFAULT now(),
    org_id  uuid,
    actor   text NOT NULL,
    action  text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT audit_log_pk PRIMARY KEY (id)
);
CREATE INDEX audit_log_by_organization ON clay.audit_log (org_id, id DESC);
CREATE FUNCTION clay.audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'clay.audit_log is append-only' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON clay.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION clay.audit_log_is_append_only();
"""

WAKE_UPS = """
CREATE INDEX procrastinate_jobs_wake_ups ON clay.procrastinate_jobs ((args ->> 'job_id')) WHERE status = 'todo'
"""  # ours, on the queue's table: finds whether a push job has a wake-up already


def upgrade() -> None:
    driver = op.get_bind().connection.driver_connection
    cursor = driver.cursor()
    cursor.execute(TABLES)
    # Run raw, because it has many statements, in our schema, and without the extension statement at its top, which an
    # ordinary role may not run and no supported PostgreSQL needs.
    script = re.sub(
        r"^DO \$\$\s*BEGIN\s*CREATE EXTENSION.*?\$\$;",
        "",
        QUEUE_SCHEMA.read_text(encoding="utf-8"),
        count=1,
        flags=re.DOTALL | re.MULTILINE,
    )
    cursor.execute("SET LOCAL search_path TO clay")
    cursor.execute(script)
    cursor.execute(WAKE_UPS)
    cursor.execute("RESET search_path")
    cursor.close()


def downgrade() -> None:
    raise NotImplementedError(
        "The log is the only record of what Clay accepted. To delete it, drop schema `clay` by hand."
    )
