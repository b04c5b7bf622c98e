"""The states that rows go through, as the database's checks know them; the tables themselves are made by Alembic."""

from enum import StrEnum


class PushMode(StrEnum):
    """How the leads of a push job were chosen."""

    SELECTED = "selected"
    FILTERED = "filtered"
    ALL = "all"
    AUTO = "auto"
    RETRY = "retry"


class JobStatus(StrEnum):
    """What callers see of a push job. `running` includes waiting for Clay; see `waiting` in the answer."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeliveryStatus(StrEnum):
    """What callers see of a delivery."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


class DeliveryState(StrEnum):
    """Where a delivery is inside: only a row marked SENDING can become `unknown` when its worker dies."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    SENDING = "sending"
    DONE = "done"


class DestinationState(StrEnum):
    OPEN = "open"
    WAITING = "waiting"
    CLOSED = "closed"
