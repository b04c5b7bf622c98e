"""Tables for SQLAlchemy expressions: `clay.clay_push_log`, with one row per lead of a push job, and `clay.destinations`."""

from sqlalchemy import Integer, LargeBinary, Uuid, column, table

from clay_push_service.session_settings import SCHEMA

LOG = table(
    "clay_push_log",
    *(column(name) for name in ("id", "username", "full_name", "status", "state", "cause", "error_message")),
    *(column(name) for name in ("table_epoch", "finished_at", "seq")),
    *(
        column(name, Uuid())
        for name in ("org_id", "job_id", "destination_id", "contributor_id", "project_id", "route_id")
    ),
    schema=SCHEMA,
)
DESTINATIONS = table(
    "destinations", column("id", Uuid()), column("org_id", Uuid()), column("table_epoch", Integer()), schema=SCHEMA
)
ERASED = table(
    "erased_leads", column("org_id", Uuid()), column("hash", LargeBinary()), column("reference", Uuid()), schema=SCHEMA
)
"""What an erasure keeps: salted hashes, which do not reveal the lead."""
