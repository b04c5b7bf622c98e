"""The three triggers on the host's `sourcing_jobs`, and their functions in our schema. They can never fail the host's statement.

Neither names a column of the host's in its definition (no WHEN, no UPDATE OF): PostgreSQL would refuse the host's own
ALTER TABLE because of it. Rows are read as JSON, so that a changed column type changes nothing here. Whatever goes wrong
inside leaves the row as the host wrote it. They guard against accidents, not against the host: its role owns the table.
"""

from dataclasses import dataclass

from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.host_schema import JOB_CHANGES, JOBS

WRITER_SETTING, WRITER = "clay.writer", "mirror"
"""Set for one transaction by whoever may write our rows."""
OURS = f"IF pg_catalog.current_setting('{WRITER_SETTING}', true) = '{WRITER}' THEN RETURN NEW; END IF;"
GUARDED = ", ".join(f"'{column}'" for column in (*JOB_CHANGES, "job_type") if column != "updated_at")

# The host's processor turns every running row back to pending when it starts, and fails ours. What the mirror writes is kept;
# other columns pass: refusing the SET NULL of a foreign key would leave a reference to nothing. OLD comes back as a row
# that was "updated", not as none: an ORM takes a count of 0 for an error. A row the host cancels may say so at once;
# the worker sees it there and cancels the push job.
GUARD_BODY = f"""
DECLARE
    before jsonb;
    after jsonb;
    kept jsonb;
BEGIN
    {OURS}
    before := pg_catalog.to_jsonb(OLD);
    IF before ->> 'job_type' IS DISTINCT FROM 'clay_push' THEN RETURN NEW; END IF;
    PERFORM 1 FROM clay.mirror WHERE host_job_id = (before ->> 'id')::uuid;
    IF NOT FOUND THEN RETURN NEW; END IF;
    after := pg_catalog.to_jsonb(NEW);
    SELECT pg_catalog.jsonb_object_agg(key, value) INTO kept
    FROM pg_catalog.jsonb_each(before) WHERE key IN ({GUARDED});
    IF after ->> 'status' = 'cancelled' AND before ->> 'status' IN ('pending', 'running') THEN
        kept := kept - 'status';
    END IF;
    RETURN pg_catalog.jsonb_populate_record(NEW, kept);
EXCEPTION WHEN OTHERS THEN
    RETURN NEW;
END
"""

# A push that the host queues itself: ours before its own processor can see it pending. `lead_ids` goes with the webhook URL,
# so that its processor can never push what we push, whatever becomes of the row. A row that had ended without a push job
# (nothing to send, not configured) and is pending again was tried again by somebody: it is taken again.
INBOX_BODY = f"""
DECLARE
    job jsonb;
    meta jsonb;
BEGIN
    {OURS}
    job := pg_catalog.to_jsonb(NEW);
    IF job ->> 'job_type' IS DISTINCT FROM 'clay_push' OR job ->> 'status' IS DISTINCT FROM 'pending' THEN
        RETURN NEW;
    END IF;
    PERFORM 1 FROM clay.mirror WHERE host_job_id = (job ->> 'id')::uuid;
    IF FOUND THEN RETURN NEW; END IF;
    meta := CASE pg_catalog.jsonb_typeof(job -> 'metadata') WHEN 'object' THEN job -> 'metadata' ELSE '{{}}' END;
    meta := meta - 'clay_webhook_url';
    INSERT INTO clay.inbox (host_job_id, project_id, created_by, push_mode, metadata)
    VALUES ((job ->> 'id')::uuid, (job ->> 'project_id')::uuid, (job ->> 'created_by')::uuid, meta ->> 'push_mode', meta)
    ON CONFLICT (host_job_id) DO UPDATE
    SET done_at = NULL, end_status = NULL, end_message = NULL, written_at = NULL, attempts = 0, due_at = pg_catalog.now()
    WHERE inbox.written_at IS NOT NULL;
    RETURN pg_catalog.jsonb_populate_record(NEW, pg_catalog.jsonb_build_object(
        'status', 'running', 'metadata', (meta - 'lead_ids') || '{{"managed_by": "clay-push"}}'));
EXCEPTION WHEN OTHERS THEN
    RETURN NEW;
END
"""

# A scan that the host completes, whoever created it and whatever its processor does next. AFTER: the row is as it will stand.
# No INSERT: a scan is not made completed, and a restored table must not export old scans again.
SCANS = ("repository_sourcing", "source_ingestion", "stargazer_analysis", "social_enrichment")
SCAN_BODY = f"""
DECLARE
    job jsonb;
BEGIN
    job := pg_catalog.to_jsonb(NEW);
    IF job ->> 'status' IS DISTINCT FROM 'completed' OR pg_catalog.to_jsonb(OLD) ->> 'status' = 'completed'
       OR COALESCE(job ->> 'job_type', '') NOT IN ({", ".join(f"'{each}'" for each in SCANS)})
       OR job ->> 'project_id' IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO clay.finished_scans (source_job_id, project_id, created_by)
    VALUES ((job ->> 'id')::uuid, (job ->> 'project_id')::uuid, (job ->> 'created_by')::uuid)
    ON CONFLICT (source_job_id) DO NOTHING;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
"""


@dataclass(frozen=True, slots=True)
class Trigger:
    """`timing` as in CREATE TRIGGER. By name, the guard comes before the inbox: what is ours is not taken again."""

    name: str
    timing: str
    body: str
    level: Level
    """It is there from this level on."""

    @property
    def create_function(self) -> str:
        # 300 ms: the host's transaction may wait that long for us, and never longer.
        return (
            f"CREATE OR REPLACE FUNCTION clay.{self.name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER\n"
            f"SET search_path = pg_catalog, pg_temp SET lock_timeout = '300ms' AS $clay${self.body}$clay$"
        )

    @property
    def close_function(self) -> str:
        return f"REVOKE ALL ON FUNCTION clay.{self.name}() FROM PUBLIC"

    def create(self, schema: str) -> str:
        return (
            f"CREATE OR REPLACE TRIGGER {self.name} {self.timing} ON {schema}.{JOBS}\n"
            f"FOR EACH ROW EXECUTE FUNCTION clay.{self.name}()"
        )

    def drop(self, schema: str) -> str:
        return f"DROP TRIGGER IF EXISTS {self.name} ON {schema}.{JOBS}"

    @property
    def drop_function(self) -> str:
        return f"DROP FUNCTION IF EXISTS clay.{self.name}()"


GUARD = Trigger("clay_guard_mirror", "BEFORE UPDATE", GUARD_BODY, Level.MIRROR)
INBOX = Trigger("clay_take_pushes", "BEFORE INSERT OR UPDATE", INBOX_BODY, Level.INBOX)
SCAN = Trigger("clay_note_scans", "AFTER UPDATE", SCAN_BODY, Level.INBOX)
TRIGGERS = (GUARD, INBOX, SCAN)
