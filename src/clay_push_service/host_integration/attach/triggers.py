"""The three triggers on the host's `sourcing_jobs` and their functions in schema clay. They never fail the host's statement.

No trigger definition names a host column (no WHEN, no UPDATE OF): otherwise PostgreSQL would refuse the host's own
ALTER TABLE. Rows are read as JSON, so that a changed column type has no effect here. An error inside leaves the row
as the host wrote it. The triggers prevent accidents, not actions of the host: its role owns the table.
"""

from dataclasses import dataclass

from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.host_schema import JOB_CHANGES, JOBS

WRITER_SETTING, WRITER = "clay.writer", "mirror"
"""Set for one transaction by code that may write the mirrored rows."""
SKIP_OWN_WRITES = f"IF pg_catalog.current_setting('{WRITER_SETTING}', true) = '{WRITER}' THEN RETURN NEW; END IF;"
GUARDED = ", ".join(f"'{column}'" for column in (*JOB_CHANGES, "job_type") if column != "updated_at")

# The host's processor resets every running row to pending when it starts, and would fail ours. Columns that the mirror writes keep
# their values; other columns pass, because refusing the SET NULL of a foreign key would leave a dangling reference. The row counts
# as updated: an ORM treats a count of 0 as an error. A cancellation by the host passes; the worker then cancels the push job.
GUARD_BODY = f"""
DECLARE
    before jsonb;
    after jsonb;
    kept jsonb;
BEGIN
    {SKIP_OWN_WRITES}
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

# Takes over a push that the host queues, before its own processor sees it pending. Removes `lead_ids` and the webhook URL from the
# row, so that the processor can never push the same leads. A row that ended without a push job (nothing to send, not
# configured) and is pending again is a retry: it is taken over again.
INBOX_BODY = f"""
DECLARE
    job jsonb;
    meta jsonb;
BEGIN
    {SKIP_OWN_WRITES}
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

# Records a scan that the host completes, independent of its creator and of the host's processor. AFTER: the row is final.
# Not on INSERT: scans are not created completed, and restoring the table must not export old scans again.
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
    """`timing` as in CREATE TRIGGER. Triggers run in order of name: the guard before the inbox, so mirrored rows are not taken over."""

    name: str
    timing: str
    body: str
    level: Level
    """The lowest level that has this trigger."""

    @property
    def create_function(self) -> str:
        # 300 ms: the host's transaction never waits longer for a lock.
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
