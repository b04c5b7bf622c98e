"""Adds the offset of a worker's clock to the database's. No default: no row is rewritten, and older workers leave it null."""

from alembic import op

revision = "0013"
down_revision = "0012"

STATEMENTS = """
ALTER TABLE clay.workers ADD COLUMN clock_offset_seconds double precision;
COMMENT ON COLUMN clay.workers.clock_offset_seconds IS 'The worker''s own clock minus the database''s; null: from a release before 0013';
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute(STATEMENTS)
    cursor.close()


def downgrade() -> None:
    op.execute("ALTER TABLE clay.workers DROP COLUMN clock_offset_seconds")
