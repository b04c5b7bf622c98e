"""Renames the cause `fuel_empty` to `quota_exhausted`, as the glossary names it."""

from alembic import op

revision = "0014"
down_revision = "0013"

RENAME = """
UPDATE clay.destination_versions SET state_reason = '{new}' WHERE state_reason = '{old}';
UPDATE clay.clay_push_log SET cause = '{new}' WHERE cause = '{old}';
"""


def _rename(old: str, new: str) -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    cursor.execute(RENAME.format(old=old, new=new))
    cursor.close()


def upgrade() -> None:
    _rename("fuel_empty", "quota_exhausted")


def downgrade() -> None:
    _rename("quota_exhausted", "fuel_empty")
