"""How long a row of a Clay table may take to call back, by organization.

Adds a column with a default; runs beside the release before.
"""

from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    op.execute("""
ALTER TABLE clay.enrichment_settings
    ADD COLUMN table_answer_minutes integer NOT NULL DEFAULT 120,
    ADD CONSTRAINT enrichment_settings_table_answer CHECK (table_answer_minutes BETWEEN 5 AND 1440)""")


def downgrade() -> None:
    op.execute("ALTER TABLE clay.enrichment_settings DROP COLUMN table_answer_minutes")
