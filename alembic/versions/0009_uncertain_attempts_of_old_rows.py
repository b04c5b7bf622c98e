"""Derives `uncertain_attempts` for deliveries from before it was counted, without the lock that adding the column needed.

Derived are: no answer (`unknown`), a last answer of 5xx, and a delivery that was sent more than once before it ended for
another reason. One attempt at least is known of each. What ended as `network_error` never reached Clay as far as is known.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

# Rows that a worker holds are skipped: their next result is counted. One pass over the table, which rewrites few rows.
DERIVE = """
UPDATE clay.clay_push_log SET uncertain_attempts = 1
WHERE id IN (
    SELECT id FROM clay.clay_push_log
    WHERE uncertain_attempts = 0
      AND (cause IN ('unknown', 'server_error') OR clay_response_status >= 500
           OR (attempts > 1 AND status IN ('failed', 'skipped') AND cause <> 'network_error')
           OR (attempts > 0 AND cause IN ('lead_gone', 'invalid_lead', 'too_large')))
    FOR NO KEY UPDATE SKIP LOCKED)
"""


def upgrade() -> None:
    op.execute(DERIVE)


def downgrade() -> None:
    pass
