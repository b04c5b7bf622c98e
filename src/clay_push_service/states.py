"""The states of push jobs, deliveries and destinations, as the database's checks define them."""

from enum import StrEnum


class PushMode(StrEnum):
    """How the leads of a push job were chosen."""

    SELECTED = "selected"
    FILTERED = "filtered"
    ALL = "all"
    AUTO = "auto"
    RETRY = "retry"


class JobStatus(StrEnum):
    """The status of a push job in the API. `running` includes waiting for Clay; see `waiting` in the response."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DeliveryStatus(StrEnum):
    """The status of a delivery in the API."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"


class DeliveryState(StrEnum):
    """The internal state of a delivery: only a row marked SENDING can become `unknown` when its worker dies."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    SENDING = "sending"
    DONE = "done"


class DestinationState(StrEnum):
    OPEN = "open"
    WAITING = "waiting"
    CLOSED = "closed"
