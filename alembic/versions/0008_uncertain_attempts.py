"""Adds the number of a delivery's attempts with an uncertain outcome, which shows that a lead may be in Clay."""

from alembic import op

revision = "0008"
down_revision = "0007"

COLUMN = """
ALTER TABLE clay.clay_push_log ADD COLUMN uncertain_attempts integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN clay.clay_push_log.uncertain_attempts
    IS 'Attempts without an answer or with a 5xx: Clay may hold a row of each. Only grows';
"""


def upgrade() -> None:
    op.get_bind().connection.driver_connection.execute(COLUMN)  # a constant default: the table is not rewritten


def downgrade() -> None:
    op.execute("ALTER TABLE clay.clay_push_log DROP COLUMN uncertain_attempts")
