"""Why a delivery was skipped or failed, with a sentence, a remedy and who acts: words only, no decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Cause(StrEnum):
    ALREADY_IN_CLAY = "already_in_clay"
    ALREADY_QUEUED = "already_queued"
    MAYBE_IN_CLAY = "maybe_in_clay"
    CANCELLED = "cancelled"
    TOO_LARGE = "too_large"
    INVALID_LEAD = "invalid_lead"
    LEAD_GONE = "lead_gone"
    REJECTED = "rejected"
    UNAUTHORIZED = "unauthorized"
    QUOTA_EXHAUSTED = "quota_exhausted"
    WEBHOOK_GONE = "webhook_gone"
    SERVER_ERROR = "server_error"
    NETWORK_ERROR = "network_error"
    CERTIFICATE_ERROR = "certificate_error"
    CLAY_UNAVAILABLE = "clay_unavailable"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    POISON = "poison"
    DESTINATION_REMOVED = "destination_removed"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a cause, not a secret
    NOT_AVAILABLE = "not_available"
    ERASED = "erased"

    @classmethod
    def _missing_(cls, value: object) -> "Cause | None":
        """Reads the former name of a cause, which a worker of a release before migration 0014 may still write."""
        return cls.QUOTA_EXHAUSTED if value == "fuel_empty" else None


class Who(StrEnum):
    YOU = "you"
    CLAY_ADMIN = "your Clay admin"
    OPERATOR = "NexusLeads operator"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Explanation:
    message: str
    """What happened, in one sentence a seller understands: of one lead as well as of a job's many, so it says neither."""
    remedy: str
    who: Who
    """Who can do something about it."""
    retryable: bool
    """Does a retry that names nothing send it again? Never where Clay may have it, or where there is nothing to send."""


EXPLANATIONS: Mapping[Cause, Explanation] = MappingProxyType(
    {
        Cause.ALREADY_IN_CLAY: Explanation(
            "Already in your Clay table.",
            "Push again on purpose for a second row.",
            Who.NONE,
            retryable=False,
        ),
        Cause.ALREADY_QUEUED: Explanation(
            "Already on the way to Clay in another push.",
            "Wait for that push to end.",
            Who.NONE,
            retryable=False,
        ),
        Cause.MAYBE_IN_CLAY: Explanation(
            "An earlier push ended without an answer: may already be in Clay.",
            "Look in your Clay table, and push again on purpose what is missing there.",
            Who.YOU,
            retryable=False,
        ),
        Cause.CANCELLED: Explanation(
            "The push was cancelled before this was sent.", "Retry the push to send it.", Who.YOU, retryable=True
        ),
        Cause.TOO_LARGE: Explanation(
            "Larger than the 100 KB that Clay takes for one row.",
            "Shorten the longest fields in NexusLeads, then retry.",
            Who.YOU,
            retryable=True,
        ),
        Cause.INVALID_LEAD: Explanation(
            "The data cannot be turned into a row for Clay.",
            "Report it to NexusLeads; retry when it is corrected.",
            Who.OPERATOR,
            retryable=True,
        ),
        Cause.LEAD_GONE: Explanation(
            "Removed from NexusLeads before it was sent.",
            "Nothing to do; push again if it comes back.",
            Who.NONE,
            retryable=False,
        ),
        Cause.REJECTED: Explanation(
            "Clay refused the row.",
            "Compare the row with the column types of your Clay table, then retry.",
            Who.YOU,
            retryable=True,
        ),
        Cause.UNAUTHORIZED: Explanation(
            "Clay refused the webhook's auth token.",
            "Copy the token from the webhook source in Clay into Settings → Integrations, then retry; a new token may"
            " take Clay a minute.",
            Who.CLAY_ADMIN,
            retryable=True,
        ),
        Cause.QUOTA_EXHAUSTED: Explanation(
            "This webhook has used up its 50,000 lifetime submissions.",
            "Create a new webhook source in Clay (it may feed the same table), save its URL in Settings →"
            " Integrations, then retry.",
            Who.CLAY_ADMIN,
            retryable=True,
        ),
        Cause.WEBHOOK_GONE: Explanation(
            "Clay does not know this webhook any more.",
            "Copy the webhook URL from your Clay table into Settings → Integrations, then retry.",
            Who.CLAY_ADMIN,
            retryable=True,
        ),
        Cause.SERVER_ERROR: Explanation(
            "Clay had a problem of its own, four times in a row.", "Retry later.", Who.YOU, retryable=True
        ),
        Cause.NETWORK_ERROR: Explanation(
            "Clay could not be reached, four times in a row.", "Retry later.", Who.YOU, retryable=True
        ),
        Cause.CERTIFICATE_ERROR: Explanation(
            "The certificate of the webhook's server is not trusted.",
            "Ask the NexusLeads operator: it has expired, is for another name, or comes from a proxy whose authority must be"
            " given in CLAY_PUSH_CA_FILE; then retry.",
            Who.OPERATOR,
            retryable=True,
        ),
        Cause.CLAY_UNAVAILABLE: Explanation(
            "Clay was unavailable for more than half an hour.", "Retry when Clay is back.", Who.YOU, retryable=True
        ),
        Cause.UNKNOWN: Explanation(
            "Clay gave no clear answer: may already be in Clay.",
            "Look in your Clay table, and push again on purpose what is missing there.",
            Who.YOU,
            retryable=False,
        ),
        Cause.BLOCKED: Explanation(
            "The webhook's address is not one that NexusLeads may send to.",
            "Save a webhook URL that Clay gave you in Settings → Integrations, then retry.",
            Who.YOU,
            retryable=True,
        ),
        Cause.POISON: Explanation(
            "Sending it broke our own worker three times.",
            "Nothing you can do: the operator must look at it before it is pushed again.",
            Who.OPERATOR,
            retryable=False,
        ),
        Cause.DESTINATION_REMOVED: Explanation(
            "The Clay connection was removed before this was sent.",
            "Configure your Clay webhook URL in Settings → Integrations, then retry.",
            Who.YOU,
            retryable=True,
        ),
        Cause.SECRET_UNREADABLE: Explanation(
            "The stored webhook URL could not be decrypted.",
            "Save the webhook URL again in Settings → Integrations, or ask the NexusLeads operator; then retry.",
            Who.OPERATOR,
            retryable=True,
        ),
        Cause.NOT_AVAILABLE: Explanation(
            "Clay integration is not available on your organization's plan.",
            "Contact us to upgrade, then retry.",
            Who.YOU,
            retryable=True,
        ),
        Cause.ERASED: Explanation(
            "Was erased and must not be pushed again.",
            "Nothing to do.",
            Who.NONE,
            retryable=False,
        ),
    }
)

MAYBE_SENT = "An attempt got no clear answer: may already be in Clay."
"""Follows the message of a delivery that had such an attempt and ended with a cause that does not say so."""
RETRYABLE = tuple(cause for cause, explanation in EXPLANATIONS.items() if explanation.retryable)
