"""Mappings: which columns a Clay table receives. Adds tables, and columns that are null for today's payload.

Runs beside the release before, which sends every push job with today's payload: update the workers before the first mapping is used.
"""

from alembic import op

revision = "0034"
down_revision = "0033"

TABLES = """
CREATE TABLE IF NOT EXISTS clay.mappings (
    id          uuid NOT NULL,
    org_id      uuid NOT NULL,
    name        text NOT NULL,
    based_on    text,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz,
    CONSTRAINT mappings_pk PRIMARY KEY (id, org_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS mappings_name ON clay.mappings (org_id, lower(name)) WHERE archived_at IS NULL;
COMMENT ON TABLE clay.mappings IS 'Which columns a destination receives, by name; the columns are in the versions';
COMMENT ON COLUMN clay.mappings.based_on IS 'The table template that it was made from';

CREATE TABLE IF NOT EXISTS clay.mapping_versions (
    id         uuid NOT NULL,
    org_id     uuid NOT NULL,
    mapping_id uuid NOT NULL,
    number     integer NOT NULL,
    columns    jsonb NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT mapping_versions_pk PRIMARY KEY (id, org_id),
    CONSTRAINT mapping_versions_number UNIQUE (org_id, mapping_id, number),
    CONSTRAINT mapping_versions_mapping FOREIGN KEY (mapping_id, org_id) REFERENCES clay.mappings (id, org_id),
    CONSTRAINT mapping_versions_columns CHECK (jsonb_typeof(columns) = 'array' AND jsonb_array_length(columns) BETWEEN 1 AND 120)
);
COMMENT ON TABLE clay.mapping_versions IS 'The columns of a mapping as they were saved once; never changed, because push jobs name a version';

CREATE TABLE IF NOT EXISTS clay.table_templates (
    id            uuid NOT NULL,
    org_id        uuid NOT NULL,
    name          text NOT NULL,
    about         text NOT NULL,
    dedupe_column text,
    columns       jsonb NOT NULL,
    created_by    text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT table_templates_pk PRIMARY KEY (id, org_id)
);
CREATE UNIQUE INDEX IF NOT EXISTS table_templates_name ON clay.table_templates (org_id, lower(name));
COMMENT ON TABLE clay.table_templates IS 'Columns of Clay tables that an organization has saved to use again';

ALTER TABLE clay.destinations ADD COLUMN IF NOT EXISTS mapping_version_id uuid;
COMMENT ON COLUMN clay.destinations.mapping_version_id IS 'What new push jobs send; null: the standard payload';
ALTER TABLE clay.push_jobs ADD COLUMN IF NOT EXISTS mapping_version_id uuid;
COMMENT ON COLUMN clay.push_jobs.mapping_version_id IS 'What its deliveries send, copied from the destination at accept; null: the standard payload';
"""
REFERENCES = (
    ("clay.destinations", "destinations_mapping_version"),
    ("clay.push_jobs", "push_jobs_mapping_version"),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        cursor = op.get_bind().connection.driver_connection.cursor()
        cursor.execute("SHOW lock_timeout")
        [before] = cursor.fetchone()
        # While an ALTER TABLE waits for its lock, all later statements on the table wait behind it.
        cursor.execute("SET lock_timeout = '2s'")
        cursor.execute(TABLES)
        for table, name in REFERENCES:
            # NOT VALID: the check of existing rows, which are all null, takes no lock that stops writes.
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")
            cursor.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (mapping_version_id, org_id)"
                " REFERENCES clay.mapping_versions (id, org_id) NOT VALID"
            )
            cursor.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")
        cursor.execute(f"SET lock_timeout = '{before}'")
        cursor.close()


def downgrade() -> None:
    op.execute("ALTER TABLE clay.push_jobs DROP COLUMN mapping_version_id")
    op.execute("ALTER TABLE clay.destinations DROP COLUMN mapping_version_id")
    op.execute("DROP TABLE clay.table_templates, clay.mapping_versions, clay.mappings")
