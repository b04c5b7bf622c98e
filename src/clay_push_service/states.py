"""The states of push jobs, deliveries and destinations, and the kinds of tables and pushes, as the database's checks define them."""

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


class DuplicateHandling(StrEnum):
    """What a Clay table does with a second row that has the same value in its dedupe column."""

    NONE = "none"
    """It keeps both rows."""
    KEEPS_OLDEST = "keeps_oldest"
    """It drops the second row."""
    KEEPS_NEWEST = "keeps_newest"
    """The second row takes the place of the first."""
    UNKNOWN = "unknown"


class SyncedLeads(StrEnum):
    """Which leads a push sends, of those that it selects."""

    NEW = "new"
    """Leads that the table does not have."""
    NEW_AND_CHANGED = "new_and_changed"
    """Also leads in the table that have changed since."""
