"""Why an enrichment item ended without all values, each with message, remedy and responsible party. Texts only, no decisions.

Causes that also end a call to Clay's API have the texts of `clay.routines_cause`, which are those of the enrichment guide.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from clay_push_service.clay.cause import Explanation, Who
from clay_push_service.clay.routines_cause import API_EXPLANATIONS, ApiCause


class ItemCause(StrEnum):
    NOT_CONFIGURED = ApiCause.NOT_CONFIGURED.value
    KEY_UNREADABLE = ApiCause.KEY_UNREADABLE.value
    INVALID_CREDENTIALS = ApiCause.INVALID_CREDENTIALS.value
    INSUFFICIENT_CREDITS = ApiCause.INSUFFICIENT_CREDITS.value
    ROUTINE_NOT_SET = ApiCause.ROUTINE_NOT_SET.value
    NOT_FOUND = ApiCause.NOT_FOUND.value
    REJECTED = ApiCause.REJECTED.value
    RATE_LIMITED = ApiCause.RATE_LIMITED.value
    NOT_CONNECTED = ApiCause.NOT_CONNECTED.value
    UNREADABLE = ApiCause.UNREADABLE.value
    BLOCKED = ApiCause.BLOCKED.value
    HELD = ApiCause.HELD.value
    MISSING_INPUT = ApiCause.MISSING_INPUT.value
    ITEM_FAILED = ApiCause.ITEM_FAILED.value
    NO_DATA = ApiCause.NO_DATA.value
    EXPIRED = ApiCause.EXPIRED.value
    STILL_RUNNING = ApiCause.STILL_RUNNING.value
    MISSING_RESULT = "missing_result"
    NO_ANSWER = "no_answer"
    NOT_PUSHED = "not_pushed"
    BUDGET_EXHAUSTED = "budget_exhausted"
    NOT_AVAILABLE = "not_available"
    ALREADY_REQUESTED = "already_requested"
    ALREADY_ENRICHED = "already_enriched"
    MAYBE_CHARGED = "maybe_charged"
    LEAD_GONE = "lead_gone"
    ERASED = "erased"
    EXCLUDED = "excluded"
    CANCELLED = "cancelled"


_OWN: Mapping[ItemCause, Explanation] = MappingProxyType(
    {
        ItemCause.HELD: Explanation(
            "Clay gave no clear response to the start of the run, and no result arrived within a day. It may have been charged.",
            "Look at the routine's runs in Clay. Enrich the lead again with `again` if it was not run.",
            Who.YOU,
            retryable=False,
        ),
        ItemCause.STILL_RUNNING: Explanation(
            "Clay reported no result of this lead within a day.",
            "Look at the routine's runs in Clay. Its credits may have been charged.",
            Who.YOU,
            retryable=False,
        ),
        ItemCause.MISSING_RESULT: Explanation(
            "Clay reported the run as complete, without a result for this lead.",
            "Look at the run in Clay. Its credits may have been charged. Enrich the lead again with `again`.",
            Who.YOU,
            retryable=True,
        ),
        ItemCause.NO_ANSWER: Explanation(
            "The row was sent to the Clay table, and no result came back in the time that the organization allows (`table_answer_minutes`).",
            "Look at the row in Clay: a condition may hide it or its HTTP API column, a required input may be empty, credits"
            " may be used up, auto-run may be off, or the table may be full.",
            Who.CLAY_ADMIN,
            retryable=True,
        ),
        ItemCause.NOT_PUSHED: Explanation(
            "The row could not be sent to the Clay table.",
            "Read the push job of this lead: it gives the reason.",
            Who.YOU,
            retryable=True,
        ),
        ItemCause.BUDGET_EXHAUSTED: Explanation(
            "The daily budget does not cover this lead.",
            "Enrich it tomorrow, or ask an owner or admin for a larger daily budget.",
            Who.YOU,
            retryable=True,
        ),
        ItemCause.NOT_AVAILABLE: Explanation(
            "Your plan no longer includes the Clay integration.",
            "Upgrade to Enterprise, then enrich again.",
            Who.YOU,
            retryable=True,
        ),
        ItemCause.ALREADY_REQUESTED: Explanation(
            "Another enrichment of this lead has not ended.",
            "Wait until it has ended.",
            Who.NONE,
            retryable=False,
        ),
        ItemCause.ALREADY_ENRICHED: Explanation(
            "This lead was enriched within the last six months.",
            "Enrich it again with `again`.",
            Who.YOU,
            retryable=False,
        ),
        ItemCause.MAYBE_CHARGED: Explanation(
            "An earlier run of this lead got no clear response from Clay, and may have been charged.",
            "Look at the routine's runs in Clay. Enrich the lead again with `again` if it was not run.",
            Who.YOU,
            retryable=False,
        ),
        ItemCause.LEAD_GONE: Explanation(
            "The lead no longer exists in NexusLeads.", "Nothing to do.", Who.NONE, retryable=False
        ),
        ItemCause.ERASED: Explanation(
            "The lead was erased. It is not sent to Clay.", "Nothing to do.", Who.NONE, retryable=False
        ),
        ItemCause.EXCLUDED: Explanation(
            "An exclusion of your organization keeps this lead from Clay.",
            "Ask an owner or admin to remove the exclusion if the lead may be enriched.",
            Who.YOU,
            retryable=False,
        ),
        ItemCause.CANCELLED: Explanation(
            "The job was cancelled before it was requested from Clay.",
            "Enrich the lead again.",
            Who.YOU,
            retryable=True,
        ),
    }
)
ITEM_EXPLANATIONS: Mapping[ItemCause, Explanation] = MappingProxyType(
    {cause: _OWN.get(cause) or API_EXPLANATIONS[ApiCause(cause.value)] for cause in ItemCause}
)
