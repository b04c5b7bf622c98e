"""Expands the schema for several destinations per organization; runs beside web and worker processes of the release before.

Adds `workspaces` (empty until 0017), a `destination_id` on push jobs and deliveries, and the indexes that 0017 turns into keys.
Existing rows are filled in short transactions that skip locked rows, and indexes are built concurrently: no statement waits for
longer than a batch. Rows that the release before writes meanwhile have no `destination_id`; 0017 fills them. A run that was
interrupted can be repeated: every step tolerates what an earlier run did.
"""

from typing import Any

from alembic import op

revision = "0016"
down_revision = "0015"

PAGES = 500
"""Pages of the delivery log filled in one transaction: about 15,000 rows, 0.2 s."""

COLUMNS = """
CREATE TABLE IF NOT EXISTS clay.workspaces (
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    org_id        uuid NOT NULL,
    is_default    boolean NOT NULL DEFAULT true,
    rate_limit_ms integer NOT NULL DEFAULT 200,
    next_slot_at  timestamptz NOT NULL DEFAULT now(),
    throttled_ms  double precision,
    throttled_at  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT workspaces_pk PRIMARY KEY (id, org_id),
    CONSTRAINT workspaces_rate_limit_ms_range CHECK (rate_limit_ms BETWEEN 0 AND 60000)
);
CREATE UNIQUE INDEX IF NOT EXISTS workspaces_one_default ON clay.workspaces (org_id) WHERE is_default;
COMMENT ON TABLE clay.workspaces IS 'A customer''s Clay workspace. It owns the pace: Clay limits requests per workspace';
COMMENT ON COLUMN clay.workspaces.is_default IS 'The workspace of the organization''s default destination';
COMMENT ON COLUMN clay.workspaces.rate_limit_ms IS 'Milliseconds between two leads; 0: no pace';
COMMENT ON COLUMN clay.workspaces.next_slot_at IS 'The first slot that is not reserved';

ALTER TABLE clay.destinations
    ADD COLUMN IF NOT EXISTS workspace_id uuid,
    ADD COLUMN IF NOT EXISTS is_default boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN clay.destinations.is_default IS 'The destination of pushes that name none';
CREATE UNIQUE INDEX IF NOT EXISTS destinations_one_default ON clay.destinations (org_id) WHERE is_default;
ALTER TABLE clay.push_jobs ADD COLUMN IF NOT EXISTS destination_id uuid;
ALTER TABLE clay.clay_push_log ADD COLUMN IF NOT EXISTS destination_id uuid;
ALTER TABLE clay.mirror ADD COLUMN IF NOT EXISTS org_id uuid;
"""
FILL_JOBS = """
UPDATE clay.push_jobs AS job SET destination_id = version.destination_id
FROM clay.destination_versions AS version
WHERE job.destination_id IS NULL AND version.id = job.destination_version_id AND job.id IN (
    SELECT id FROM clay.push_jobs WHERE destination_id IS NULL LIMIT 5000 FOR NO KEY UPDATE SKIP LOCKED)
"""
# Claims and results of the same rows skip or wait for one batch only; rows that are locked now are filled by 0017.
FILL_DELIVERIES = """
UPDATE clay.clay_push_log AS delivery SET destination_id = job.destination_id
FROM clay.push_jobs AS job
WHERE job.id = delivery.job_id AND delivery.id IN (
    SELECT id FROM clay.clay_push_log
    WHERE ctid >= CAST(%(first)s AS tid) AND ctid < CAST(%(end)s AS tid) AND destination_id IS NULL
    FOR NO KEY UPDATE SKIP LOCKED)
"""
BLOCKS = "SELECT pg_relation_size('clay.clay_push_log') / current_setting('block_size')::integer"
INDEXES = (
    ("clay_push_log_one_live", "UNIQUE", "clay.clay_push_log (org_id, destination_id, contributor_id) WHERE state <> 'done'"),
    ("clay_push_log_key", "UNIQUE", "clay.clay_push_log (id, org_id)"),
    ("push_jobs_key", "UNIQUE", "clay.push_jobs (id, org_id)"),
)  # fmt: skip


def upgrade() -> None:
    with op.get_context().autocommit_block():
        cursor = op.get_bind().connection.driver_connection.cursor()
        cursor.execute("SHOW lock_timeout")
        [before] = cursor.fetchone()
        # While an ALTER TABLE waits for its lock, all later statements on the table wait behind it.
        cursor.execute("SET lock_timeout = '2s'")
        cursor.execute(COLUMNS)
        fill(cursor)
        # A concurrent build blocks no statement, but it waits for transactions that are older than itself.
        cursor.execute("SET lock_timeout = 0")
        for name, unique, on in INDEXES:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS clay.{name}")  # left invalid by an interrupted run
            cursor.execute(f"CREATE {unique} INDEX CONCURRENTLY {name} ON {on}")
        cursor.execute(f"SET lock_timeout = '{before}'")
        cursor.close()


def fill(cursor: Any) -> None:
    """Fill `destination_id` where it is missing, in batches."""
    while True:
        cursor.execute(FILL_JOBS)
        if not cursor.rowcount:
            break
    cursor.execute(BLOCKS)
    [blocks] = cursor.fetchone()
    for first in range(0, blocks + 1, PAGES):
        cursor.execute(FILL_DELIVERIES, {"first": f"({first},0)", "end": f"({first + PAGES},0)"})


def downgrade() -> None:
    op.execute("ALTER TABLE clay.mirror DROP COLUMN org_id")
    for name, _, _ in INDEXES:
        op.execute(f"DROP INDEX clay.{name}")
    op.execute("ALTER TABLE clay.clay_push_log DROP COLUMN destination_id")
    op.execute("ALTER TABLE clay.push_jobs DROP COLUMN destination_id")
    op.execute("DROP INDEX clay.destinations_one_default")
    op.execute("ALTER TABLE clay.destinations DROP COLUMN workspace_id, DROP COLUMN is_default")
    op.execute("DROP TABLE clay.workspaces")
