"""Contracts the schema to several destinations per organization; `migrate` refuses it while a worker has a heartbeat.

The pace moves from `destinations` to `workspaces`, one for each organization. A lead has one live delivery per destination
instead of one per organization. Every key contains the organization: PRIMARY KEY (id, org_id), with the id first because
workers find rows by id. Columns of releases before 0010 go, and two columns get plain names.

Web and worker processes of the release before cannot run on this schema. There is no downgrade: it would lose which
destination a delivery belongs to.
"""

from alembic import op

from clay_push_service import migrations

revision = "0017"
down_revision = "0016"

FILL = """
INSERT INTO clay.workspaces (org_id, rate_limit_ms, next_slot_at, throttled_ms, throttled_at, created_at)
SELECT org_id, rate_limit_ms, next_slot_at, throttled_ms, throttled_at, created_at FROM clay.destinations
ON CONFLICT (org_id) WHERE is_default DO NOTHING;
UPDATE clay.destinations AS destination SET workspace_id = workspace.id
FROM clay.workspaces AS workspace WHERE workspace.org_id = destination.org_id AND destination.workspace_id IS NULL;
UPDATE clay.push_jobs AS job SET destination_id = version.destination_id
FROM clay.destination_versions AS version WHERE job.destination_id IS NULL AND version.id = job.destination_version_id;
UPDATE clay.clay_push_log AS delivery SET destination_id = job.destination_id
FROM clay.push_jobs AS job WHERE delivery.destination_id IS NULL AND job.id = delivery.job_id;
UPDATE clay.mirror SET org_id = job.org_id FROM clay.push_jobs AS job WHERE mirror.org_id IS NULL AND job.id = mirror.job_id;
"""
# Foreign keys depend on the keys that are replaced. A push job refers to its destination through the version only: a
# transaction that updates a row twice checks its foreign keys, and a lock on the destination after one on a push job can
# deadlock with an erasure.
KEYS = """
ALTER TABLE clay.auto_export_runs DROP CONSTRAINT auto_export_runs_job_fk;
ALTER TABLE clay.clay_push_log DROP CONSTRAINT clay_push_log_job_fk;
ALTER TABLE clay.destination_versions DROP CONSTRAINT destination_versions_destination_fk,
    DROP CONSTRAINT destination_versions_meter_fk;
ALTER TABLE clay.destinations DROP CONSTRAINT destinations_version_fk;
ALTER TABLE clay.erased_leads DROP CONSTRAINT erased_leads_erasure_fk;
ALTER TABLE clay.mirror DROP CONSTRAINT mirror_job_fk;
ALTER TABLE clay.push_jobs DROP CONSTRAINT push_jobs_destination_version_fk, DROP CONSTRAINT push_jobs_retry_of_fk;

ALTER TABLE clay.destinations
    DROP CONSTRAINT destinations_one_per_organization, DROP CONSTRAINT destinations_organization_key,
    DROP CONSTRAINT destinations_pk, ADD CONSTRAINT destinations_pk PRIMARY KEY (id, org_id),
    ALTER COLUMN workspace_id SET NOT NULL,
    DROP COLUMN rate_limit_ms, DROP COLUMN next_slot_at, DROP COLUMN throttled_ms, DROP COLUMN throttled_at;
ALTER TABLE clay.destination_versions
    DROP CONSTRAINT destination_versions_organization_key,
    DROP CONSTRAINT destination_versions_pk, ADD CONSTRAINT destination_versions_pk PRIMARY KEY (id, org_id),
    ADD CONSTRAINT destination_versions_destination_key UNIQUE (id, destination_id, org_id);
ALTER TABLE clay.quota_meters
    DROP CONSTRAINT quota_meters_organization_key,
    DROP CONSTRAINT quota_meters_pk, ADD CONSTRAINT quota_meters_pk PRIMARY KEY (id, org_id);
ALTER TABLE clay.erasures
    DROP CONSTRAINT erasures_organization_key,
    DROP CONSTRAINT erasures_pk, ADD CONSTRAINT erasures_pk PRIMARY KEY (id, org_id);
ALTER TABLE clay.pending_webhooks
    DROP CONSTRAINT pending_webhooks_pk, ADD CONSTRAINT pending_webhooks_pk PRIMARY KEY (id, org_id);
ALTER TABLE clay.push_jobs
    ALTER COLUMN destination_id SET NOT NULL,
    DROP CONSTRAINT push_jobs_organization_key,
    DROP CONSTRAINT push_jobs_pk, ADD CONSTRAINT push_jobs_pk PRIMARY KEY USING INDEX push_jobs_key;
ALTER TABLE clay.clay_push_log
    ALTER COLUMN destination_id SET NOT NULL,
    DROP CONSTRAINT clay_push_log_pk, ADD CONSTRAINT clay_push_log_pk PRIMARY KEY USING INDEX clay_push_log_key;
ALTER TABLE clay.mirror
    ALTER COLUMN org_id SET NOT NULL,
    DROP CONSTRAINT mirror_pk, ADD CONSTRAINT mirror_pk PRIMARY KEY (job_id, org_id);
DROP INDEX clay.clay_push_log_one_live_per_lead;

ALTER TABLE clay.auto_export_runs ADD CONSTRAINT auto_export_runs_job_fk
    FOREIGN KEY (org_id, job_id) REFERENCES clay.push_jobs (org_id, id);
ALTER TABLE clay.clay_push_log ADD CONSTRAINT clay_push_log_job_fk
    FOREIGN KEY (org_id, job_id) REFERENCES clay.push_jobs (org_id, id);
ALTER TABLE clay.destination_versions
    ADD CONSTRAINT destination_versions_destination_fk
    FOREIGN KEY (org_id, destination_id) REFERENCES clay.destinations (org_id, id),
    ADD CONSTRAINT destination_versions_meter_fk
    FOREIGN KEY (org_id, meter_id) REFERENCES clay.quota_meters (org_id, id);
ALTER TABLE clay.destinations
    ADD CONSTRAINT destinations_version_fk
    FOREIGN KEY (org_id, version_id) REFERENCES clay.destination_versions (org_id, id),
    ADD CONSTRAINT destinations_workspace_fk
    FOREIGN KEY (org_id, workspace_id) REFERENCES clay.workspaces (org_id, id);
ALTER TABLE clay.erased_leads ADD CONSTRAINT erased_leads_erasure_fk
    FOREIGN KEY (org_id, erasure_id) REFERENCES clay.erasures (org_id, id);
ALTER TABLE clay.mirror ADD CONSTRAINT mirror_job_fk
    FOREIGN KEY (org_id, job_id) REFERENCES clay.push_jobs (org_id, id) ON DELETE CASCADE;
ALTER TABLE clay.push_jobs
    ADD CONSTRAINT push_jobs_destination_version_fk FOREIGN KEY (org_id, destination_id, destination_version_id)
    REFERENCES clay.destination_versions (org_id, destination_id, id),
    ADD CONSTRAINT push_jobs_retry_of_fk FOREIGN KEY (org_id, retry_of) REFERENCES clay.push_jobs (org_id, id);
"""
NAMES = """
DROP TRIGGER give_meter ON clay.destination_versions;
DROP TRIGGER count_on_meter ON clay.destination_versions;
DROP FUNCTION clay.give_meter, clay.count_on_meter;
ALTER TABLE clay.destination_versions DROP COLUMN fuel_used, DROP COLUMN fuel_limit;
ALTER TABLE clay.destination_versions RENAME COLUMN has_odd_form TO has_unusual_form;
ALTER TABLE clay.idempotency_keys RENAME COLUMN answer TO response;
"""


def upgrade() -> None:
    migrations.require_stopped_workers(op.get_bind())
    cursor = op.get_bind().connection.driver_connection.cursor()
    for statements in (FILL, KEYS, NAMES):
        cursor.execute(statements)
    cursor.close()


def downgrade() -> None:
    raise NotImplementedError(
        "0017 has no downgrade: it would lose the destination of each delivery. Restore a backup."
    )
