"""Causes of failed calls to Clay's public API, each with its message and remedy. Texts only, no decisions.

Messages and advice that the enrichment guide gives are word for word; the advice begins the remedy.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from clay_push_service.clay.cause import Explanation, Who
from clay_push_service.setting_checks.api_key_form import ADVICE


class ApiCause(StrEnum):
    NOT_CONFIGURED = "credentials_not_configured"
    KEY_UNREADABLE = "key_unreadable"
    INVALID_CREDENTIALS = "invalid_credentials"
    API_NOT_ENABLED = "api_not_enabled"
    INSUFFICIENT_CREDITS = "insufficient_credits"
    ROUTINE_NOT_SET = "routine_not_set"
    NOT_FOUND = "not_found"
    REJECTED = "rejected"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    NOT_CONNECTED = "not_connected"
    NO_RESPONSE = "no_response"
    UNREADABLE = "unreadable_response"
    HELD = "held"
    BLOCKED = "blocked"
    MISSING_INPUT = "missing_input"
    ITEM_FAILED = "item_failed"
    NO_DATA = "no_data"
    STILL_RUNNING = "still_running"
    EXPIRED = "results_expired"


API_EXPLANATIONS: Mapping[ApiCause, Explanation] = MappingProxyType(
    {
        ApiCause.NOT_CONFIGURED: Explanation(
            "Clay API credentials not configured",
            "Save your Clay API key in Settings → Integrations, or verify that CLAY_API_KEY is set (an installation with"
            f" one organization). {ADVICE} After a change of the environment, restart the application.",
            Who.YOU,
            retryable=False,
        ),
        ApiCause.KEY_UNREADABLE: Explanation(
            "The stored Clay API key could not be decrypted.",
            "Save the key again in Settings → Integrations, or ask the NexusLeads operator.",
            Who.OPERATOR,
            retryable=False,
        ),
        ApiCause.INVALID_CREDENTIALS: Explanation(
            "Invalid Clay API credentials",
            "Check that your API key is correct. Verify your Clay subscription is active. Ensure your API key hasn't been"
            " revoked. Clay answers the same when the workspace is not enabled for the API: check that your plan includes"
            " API access.",
            Who.CLAY_ADMIN,
            retryable=False,
        ),
        ApiCause.API_NOT_ENABLED: Explanation(
            "Clay accepted the API key, and refused to run routines with it.",
            "Check that your Clay plan includes API access, and that routines are enabled for the workspace of this key.",
            Who.CLAY_ADMIN,
            retryable=False,
        ),
        ApiCause.INSUFFICIENT_CREDITS: Explanation(
            "Insufficient credits",
            "Check your credit balance in Clay dashboard. Upgrade your plan for more credits. Purchase additional credit"
            " packs. Clay counts data credits and actions separately: either can run out alone.",
            Who.CLAY_ADMIN,
            retryable=False,
        ),
        ApiCause.ROUTINE_NOT_SET: Explanation(
            "No routine is set for this kind of enrichment.",
            "Copy the routine's id from Clay (`clay routines list` shows it) into Settings → Integrations.",
            Who.CLAY_ADMIN,
            retryable=False,
        ),
        ApiCause.NOT_FOUND: Explanation(
            "Clay has no routine with this id.",
            "Copy the routine's id from Clay again. It must belong to the workspace of the API key.",
            Who.CLAY_ADMIN,
            retryable=False,
        ),
        ApiCause.REJECTED: Explanation(
            "Clay rejected the request.",
            "Compare the names of the inputs with those of the routine in Clay.",
            Who.CLAY_ADMIN,
            retryable=False,
        ),
        ApiCause.RATE_LIMITED: Explanation(
            "Rate limit",
            "Clay has API rate limits based on your plan. Spread out batch enrichments. Contact Clay support for higher"
            " limits.",
            Who.YOU,
            retryable=True,
        ),
        ApiCause.SERVER_ERROR: Explanation(
            "Clay returned a server error.", "Try again later.", Who.YOU, retryable=True
        ),
        ApiCause.NOT_CONNECTED: Explanation(
            "Clay could not be reached; nothing was sent.", "Try again later.", Who.YOU, retryable=True
        ),
        ApiCause.NO_RESPONSE: Explanation("Clay gave no response.", "Try again later.", Who.YOU, retryable=True),
        ApiCause.UNREADABLE: Explanation(
            "Clay's response could not be read.",
            "Try again later. If it happens again, report it to the NexusLeads operator.",
            Who.OPERATOR,
            retryable=True,
        ),
        ApiCause.HELD: Explanation(
            "Clay gave no clear response to the start of the run: it may be running, and may be charged.",
            "Look at the routine's runs in Clay before you start it again.",
            Who.YOU,
            retryable=False,
        ),
        ApiCause.BLOCKED: Explanation(
            "NexusLeads is not allowed to send to the configured address of Clay's API.",
            "Ask the NexusLeads operator to check CLAY_PUSH_CLAY_API_URL and CLAY_PUSH_ALLOWED_WEBHOOK_HOSTS.",
            Who.OPERATOR,
            retryable=False,
        ),
        ApiCause.MISSING_INPUT: Explanation(
            "The lead lacks values that the routine needs.",
            "Choose a lead with these values, or add them in NexusLeads.",
            Who.YOU,
            retryable=False,
        ),
        ApiCause.ITEM_FAILED: Explanation(
            "The routine failed for this lead.",
            "Look at the run in Clay: it names the step that failed.",
            Who.CLAY_ADMIN,
            retryable=False,
        ),
        ApiCause.NO_DATA: Explanation(
            "No data found",
            "Lead may have limited online presence. Try providing more information (company website, LinkedIn URL). Some"
            " data may not be publicly available. Check Clay's data sources for coverage in specific regions.",
            Who.YOU,
            retryable=False,
        ),
        ApiCause.STILL_RUNNING: Explanation(
            "The run has not finished yet.",
            "Look at the routine's runs in Clay. Clay keeps the results for about a day.",
            Who.YOU,
            retryable=False,
        ),
        ApiCause.EXPIRED: Explanation(
            "Clay has no results of this run any more; it keeps them for about a day.",
            "Look at the run in Clay. Its credits may have been charged.",
            Who.YOU,
            retryable=False,
        ),
    }
)
