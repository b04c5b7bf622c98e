"""Causes of skipped and failed deliveries, each with its message, remedy and responsible party. Texts only, no decisions."""

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
    EXCLUDED = "excluded"
    NO_ROUTE = "no_route"

    @classmethod
    def _missing_(cls, value: object) -> "Cause | None":
        """Accept the former name of a cause, which a worker of a release before migration 0014 may still write."""
        return cls.QUOTA_EXHAUSTED if value == "fuel_empty" else None


class Who(StrEnum):
    YOU = "you"
    CLAY_ADMIN = "your Clay admin"
    OPERATOR = "NexusLeads operator"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Explanation:
    message: str
    """What happened, in one sentence for a seller. It has no subject, because it describes one lead or many."""
    remedy: str
    """What to do next."""
    who: Who
    """Who can apply the remedy."""
    retryable: bool
    """Whether a retry without `causes` and `lead_ids` sends the lead again. False if Clay may have the lead, or if it cannot be sent."""
    push_remedy: str | None = None
    """The remedy for a push that a closed destination refuses, which has no push job to retry. None: `remedy` applies."""


def _repairable(message: str, remedy: str, who: Who) -> Explanation:
    """A retryable cause. `{again}` in the remedy is the step after the repair: a retry, or for a refused push a new push."""
    return Explanation(
        message, remedy.format(again="retry"), who, retryable=True, push_remedy=remedy.format(again="push")
    )


EXPLANATIONS: Mapping[Cause, Explanation] = MappingProxyType(
    {
        Cause.ALREADY_IN_CLAY: Explanation(
            "Already in your Clay table.",
            "Nothing to do. Push again explicitly to create a second row.",
            Who.NONE,
            retryable=False,
        ),
        Cause.ALREADY_QUEUED: Explanation(
            "Already queued in another push.",
            "Wait until that push has finished.",
            Who.NONE,
            retryable=False,
        ),
        Cause.MAYBE_IN_CLAY: Explanation(
            "An earlier push got no clear response: may already be in Clay.",
            "Check your Clay table, and push again only the leads that are missing there.",
            Who.YOU,
            retryable=False,
        ),
        Cause.CANCELLED: Explanation(
            "The push was cancelled before sending.", "Retry the push to send it.", Who.YOU, retryable=True
        ),
        Cause.TOO_LARGE: _repairable(
            "Larger than 100 KB, the limit of Clay for one row.",
            "Shorten the longest fields in NexusLeads, then {again}.",
            Who.YOU,
        ),
        Cause.INVALID_LEAD: Explanation(
            "The lead's data cannot be converted to a row for Clay.",
            "Report it to NexusLeads, and retry after the correction.",
            Who.OPERATOR,
            retryable=True,
        ),
        Cause.LEAD_GONE: Explanation(
            "Removed from NexusLeads before it was sent.",
            "Nothing to do. Push again if the lead is restored.",
            Who.NONE,
            retryable=False,
        ),
        Cause.REJECTED: _repairable(
            "Clay rejected the row.",
            "Compare the row with the column types of your Clay table, then {again}.",
            Who.YOU,
        ),
        Cause.UNAUTHORIZED: _repairable(
            "Clay rejected the auth token of the webhook.",
            "Copy the token from the webhook source in Clay into Settings → Integrations, then {again}. Clay may need a"
            " minute to accept a new token.",
            Who.CLAY_ADMIN,
        ),
        Cause.QUOTA_EXHAUSTED: _repairable(
            "This webhook has used up its 50,000 lifetime submissions.",
            "Create a new webhook source in Clay (it may feed the same table), save its URL in Settings →"
            " Integrations, then {again}.",
            Who.CLAY_ADMIN,
        ),
        Cause.WEBHOOK_GONE: _repairable(
            "This webhook no longer exists in Clay.",
            "Copy the webhook URL from your Clay table into Settings → Integrations, then {again}.",
            Who.CLAY_ADMIN,
        ),
        Cause.SERVER_ERROR: Explanation(
            "Clay returned a server error four times in a row.", "Retry later.", Who.YOU, retryable=True
        ),
        Cause.NETWORK_ERROR: Explanation(
            "Clay could not be reached four times in a row.", "Retry later.", Who.YOU, retryable=True
        ),
        Cause.CERTIFICATE_ERROR: _repairable(
            "The certificate of the webhook server is not trusted.",
            "Ask the NexusLeads operator to check it, then {again}. It has expired, is for another name, or comes from a proxy"
            " whose certificate authority must be set in CLAY_PUSH_CA_FILE.",
            Who.OPERATOR,
        ),
        Cause.CLAY_UNAVAILABLE: Explanation(
            "Clay was unavailable for more than half an hour.",
            "Retry when Clay is available again.",
            Who.YOU,
            retryable=True,
        ),
        Cause.UNKNOWN: Explanation(
            "Clay gave no clear response: may already be in Clay.",
            "Check your Clay table, and push again only the leads that are missing there.",
            Who.YOU,
            retryable=False,
        ),
        Cause.BLOCKED: _repairable(
            "NexusLeads is not allowed to send to the address of this webhook.",
            "Save the webhook URL from your Clay table in Settings → Integrations, then {again}.",
            Who.YOU,
        ),
        Cause.POISON: Explanation(
            "The worker of NexusLeads crashed three times while sending.",
            "Ask the NexusLeads operator to examine it before you push again.",
            Who.OPERATOR,
            retryable=False,
        ),
        Cause.DESTINATION_REMOVED: _repairable(
            "The Clay connection was removed before sending.",
            "Configure your Clay webhook URL in Settings → Integrations, then {again}.",
            Who.YOU,
        ),
        Cause.SECRET_UNREADABLE: _repairable(
            "The stored webhook URL could not be decrypted.",
            "Save the webhook URL again in Settings → Integrations, or ask the NexusLeads operator; then {again}.",
            Who.OPERATOR,
        ),
        Cause.NOT_AVAILABLE: _repairable(
            "Clay integration is not available on your organization's plan.",
            "Contact us to upgrade, then {again}.",
            Who.YOU,
        ),
        Cause.ERASED: Explanation(
            "Erased, and must not be pushed again.",
            "Nothing to do.",
            Who.NONE,
            retryable=False,
        ),
        Cause.EXCLUDED: Explanation(
            "Kept from Clay by an exclusion of your organization.",
            "Nothing to do. An owner or admin can remove the exclusion; then push again.",
            Who.NONE,
            retryable=False,
        ),
        Cause.NO_ROUTE: Explanation(
            "No route sends the lead to a Clay table.",
            "Push it to a named destination, or ask an owner or admin to change the routes; then push again.",
            Who.YOU,
            retryable=False,
        ),
    }
)

MAYBE_SENT = "An attempt got no clear response: may already be in Clay."
"""Appended to the message of a delivery that had an uncertain attempt and ended with another cause."""
RETRYABLE = tuple(cause for cause, explanation in EXPLANATIONS.items() if explanation.retryable)
