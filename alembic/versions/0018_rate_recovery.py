"""Adds the third value of the rate controller to workspaces; runs beside web and worker processes of the release before.

Those neither read nor write it: without it, the rate recovers within 20 POSTs at the refused rate.
"""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute("""
        ALTER TABLE clay.workspaces ADD COLUMN recovery_ms double precision;
        COMMENT ON COLUMN clay.workspaces.throttled_ms IS 'Milliseconds between two leads directly after the last 429';
        COMMENT ON COLUMN clay.workspaces.throttled_at IS 'When the pause of the last 429 ends';
        COMMENT ON COLUMN clay.workspaces.recovery_ms IS
            'From then until the rate is back at the refused one; null: a number of POSTs at that rate';
    """)
    cursor.close()


def downgrade() -> None:
    op.execute("ALTER TABLE clay.workspaces DROP COLUMN recovery_ms")
    op.execute("COMMENT ON COLUMN clay.workspaces.throttled_at IS NULL")
    op.execute("COMMENT ON COLUMN clay.workspaces.throttled_ms IS NULL")
