"""The delivery table `clay.clay_push_log` for SQLAlchemy expressions: one row per lead of a push job."""

from sqlalchemy import Uuid, column, table

from clay_push_service.session_settings import SCHEMA

LOG = table(
    "clay_push_log",
    *(column(name) for name in ("id", "username", "full_name", "status", "state", "cause", "error_message")),
    *(column(name) for name in ("table_epoch", "finished_at", "seq")),
    *(column(name, Uuid()) for name in ("org_id", "job_id", "destination_id", "contributor_id", "project_id")),
    schema=SCHEMA,
)
