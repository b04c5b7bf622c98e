"""Several named destinations and workspaces for an organization: names, archive, duplicate handling, revisions of a lead.

Adds columns, indexes and constraints; runs beside the release before, whose destinations get the default name.
"""

from alembic import op

revision = "0032"
down_revision = "0031"

COLUMNS = """
ALTER TABLE clay.workspaces ADD COLUMN IF NOT EXISTS name text NOT NULL DEFAULT 'Default';
COMMENT ON COLUMN clay.workspaces.name IS 'The name that the organization gave it, unique in the organization';
ALTER TABLE clay.destinations
    ADD COLUMN IF NOT EXISTS name text NOT NULL DEFAULT 'Default',
    ADD COLUMN IF NOT EXISTS archived_at timestamptz,
    ADD COLUMN IF NOT EXISTS dedupe text NOT NULL DEFAULT 'unknown',
    ADD COLUMN IF NOT EXISTS dedupe_column text;
COMMENT ON COLUMN clay.destinations.name IS 'The name that the organization gave it, unique among those that are not archived';
COMMENT ON COLUMN clay.destinations.archived_at IS 'When it was archived: it accepts no push, and its history stays';
COMMENT ON COLUMN clay.destinations.dedupe IS 'What the Clay table does with a second row of the same dedupe_column: none, keeps_oldest, keeps_newest, unknown';
ALTER TABLE clay.destination_versions ADD COLUMN IF NOT EXISTS is_internal boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN clay.destination_versions.is_internal IS 'The webhook led into an allowed internal network when it was saved, so its pace may be faster than Clay''s limit';
ALTER TABLE clay.push_jobs ADD COLUMN IF NOT EXISTS sync_mode text NOT NULL DEFAULT 'new';
COMMENT ON COLUMN clay.push_jobs.sync_mode IS 'new: leads that the table does not have; new_and_changed: also leads that have changed since';
ALTER TABLE clay.clay_push_log
    ADD COLUMN IF NOT EXISTS revision integer,
    ADD COLUMN IF NOT EXISTS supersedes uuid;
COMMENT ON COLUMN clay.clay_push_log.revision IS 'From 2: the lead is sent again because it has changed; null: it is sent for the first time, or without a revision';
COMMENT ON COLUMN clay.clay_push_log.supersedes IS 'The first delivery of the lead to this Clay table, which this one supersedes';
"""
CHECKS = (
    ("clay.destinations", "destinations_dedupe", "CHECK (dedupe IN ('none', 'keeps_oldest', 'keeps_newest', 'unknown'))"),
    ("clay.destinations", "destinations_default_in_use", "CHECK (archived_at IS NULL OR NOT is_default)"),
    ("clay.push_jobs", "push_jobs_sync_mode", "CHECK (sync_mode IN ('new', 'new_and_changed'))"),
    ("clay.clay_push_log", "clay_push_log_revision", "CHECK ((revision IS NULL) = (supersedes IS NULL) AND coalesce(revision, 2) >= 2)"),
)  # fmt: skip
INDEXES = (
    ("destinations_name", "UNIQUE", "clay.destinations (org_id, lower(name)) WHERE archived_at IS NULL"),
    ("destinations_of_workspace", "", "clay.destinations (org_id, workspace_id)"),
    ("workspaces_name", "UNIQUE", "clay.workspaces (org_id, lower(name))"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        cursor = op.get_bind().connection.driver_connection.cursor()
        cursor.execute("SHOW lock_timeout")
        [before] = cursor.fetchone()
        # While an ALTER TABLE waits for its lock, all later statements on the table wait behind it.
        cursor.execute("SET lock_timeout = '2s'")
        cursor.execute(COLUMNS)
        for table, name, check in CHECKS:
            # NOT VALID: the check of existing rows, which all have the defaults, takes no lock that stops writes.
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {check} NOT VALID")
            cursor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        # A concurrent build blocks no statement, but it waits for transactions that are older than itself.
        cursor.execute("SET lock_timeout = 0")
        for name, unique, on in INDEXES:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS clay.{name}")  # left invalid by an interrupted run
            cursor.execute(f"CREATE {unique} INDEX CONCURRENTLY {name} ON {on}")
        cursor.execute(f"SET lock_timeout = '{before}'")
        cursor.close()


def downgrade() -> None:
    for name, _, _ in INDEXES:
        op.execute(f"DROP INDEX clay.{name}")
    op.execute("ALTER TABLE clay.clay_push_log DROP COLUMN revision, DROP COLUMN supersedes")
    op.execute("ALTER TABLE clay.push_jobs DROP COLUMN sync_mode")
    op.execute("ALTER TABLE clay.destination_versions DROP COLUMN is_internal")
    op.execute(
        "ALTER TABLE clay.destinations DROP COLUMN name, DROP COLUMN archived_at, DROP COLUMN dedupe, DROP COLUMN dedupe_column"
    )
    op.execute("ALTER TABLE clay.workspaces DROP COLUMN name")
