"""Adds counters of 2xx responses with a web page, and a mark for unusual webhook URLs. Constant defaults rewrite no table."""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = """
ALTER TABLE clay.push_jobs ADD COLUMN page_count integer NOT NULL DEFAULT 0;
ALTER TABLE clay.destination_versions ADD COLUMN has_odd_form boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN clay.push_jobs.page_count IS 'Leads that were answered with 2xx and a web page: successes, perhaps not by a webhook';
COMMENT ON COLUMN clay.destination_versions.has_odd_form IS 'Saved although the URL has not the form of a Clay webhook';
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute(STATEMENTS)
    cursor.close()


def downgrade() -> None:
    op.execute("ALTER TABLE clay.destination_versions DROP COLUMN has_odd_form")
    op.execute("ALTER TABLE clay.push_jobs DROP COLUMN page_count")
