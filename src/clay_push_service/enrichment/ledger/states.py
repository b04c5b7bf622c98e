"""States of enrichment jobs, items and runs, as the database's checks define them."""

from enum import StrEnum


class RequestWay(StrEnum):
    """How Clay receives the request."""

    ROUTINE = "routine"
    """A run of a routine through Clay's public API."""
    TABLE = "table"
    """A push to the Clay table, whose HTTP API column sends the result back."""


class EnrichmentMode(StrEnum):
    """Who chose the leads of a job."""

    ONE = "one"
    BATCH = "batch"
    AUTO = "auto"
    """A rule, after a scan."""
    STALE = "stale"
    """A rule, for leads that were enriched some months ago."""


class LegalBasis(StrEnum):
    """Why the organization may process the lead's data (GDPR, article 6)."""

    CONSENT = "consent"
    LEGITIMATE_INTEREST = "legitimate_interest"


class EnrichmentJobStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    """Every lead that was not skipped failed or expired."""
    CANCELLED = "cancelled"


ENDED = frozenset({EnrichmentJobStatus.COMPLETED, EnrichmentJobStatus.FAILED, EnrichmentJobStatus.CANCELLED})


class ItemState(StrEnum):
    QUEUED = "queued"
    """Nothing was sent to Clay."""
    STARTING = "starting"
    """The start of its run is in flight."""
    HELD = "held"
    """The start of its run got no clear response. It is never started again without an explicit request."""
    REQUESTED = "requested"
    """Clay is processing it."""
    DONE = "done"


class ItemOutcome(StrEnum):
    FOUND = "found"
    """Clay found every requested field."""
    PARTIAL = "partial"
    NOTHING = "nothing"
    FAILED = "failed"
    EXPIRED = "expired"
    """No result arrived before the deadline."""
    SKIPPED = "skipped"
    """Nothing was requested from Clay."""
    CANCELLED = "cancelled"


class RunState(StrEnum):
    STARTING = "starting"
    HELD = "held"
    RUNNING = "running"
    ENDED = "ended"


class CostSource(StrEnum):
    """Where the credits and actions of an item come from."""

    NONE = "none"
    """Clay was not requested, or refused the run: nothing is charged."""
    RESERVED = "reserved"
    """The upper estimate, while the result is not known."""
    ESTIMATED = "estimated"
    REPORTED = "reported"
    """An output of the routine reports the credits."""
