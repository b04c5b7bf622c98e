"""Describes which values of NexusLeads' settings page are not in use, and why. Pure."""

from typing import Final

from clay_push_service.destination_settings.host_change import Decision, WebhookStep
from clay_push_service.destination_settings.host_values import has_internal_webhook, rate_of
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.secret_box import mask
from clay_push_service.errors import UNFINISHED
from clay_push_service.host.org_settings import ClaySettings
from clay_push_service.settings import Settings

BAD_RATE: Final = (
    "The delay between leads in NexusLeads' settings is not used: it is not a whole number from 1 to 60,000 ms."
)
SMALL_RATE: Final = (
    "The delay between leads in NexusLeads' settings is shorter than Clay's limit allows (10 requests/s per workspace), so it"
    f" was raised to {LEAST_RATE_LIMIT_MS} ms."
)
NO_KEYS: Final = f"The webhook URL in NexusLeads' settings cannot be used yet. {UNFINISHED}"
NOT_APPLIED: Final = (
    "The Clay settings in NexusLeads have changed. This service applies the change within a minute, or before the next push if"
    " that is earlier."
)
WEBHOOK_NOT_APPLIED: Final = (
    "The webhook URL in NexusLeads' settings is not in use yet. This service applies it within a minute, or before the next push"
    " if that is earlier. Preview again then, or push."
)


def problem_of(decision: Decision, settings: Settings) -> str | None:
    """Returns which values of the page are not in use, in one or two sentences; None: every value is in use unchanged."""
    problem = _problem_when_applied(decision, settings)
    if not decision.is_visible:
        return problem
    return NOT_APPLIED if problem is None else f"{NOT_APPLIED} {problem}"


def pending_message(url_mask: str | None) -> str:
    """The pending change in one sentence. `url_mask` None: the webhook was removed there."""
    what = (
        "The webhook was removed in NexusLeads' settings"
        if url_mask is None
        else f"NexusLeads' settings name another webhook ({url_mask})"
    )
    return f"{what}. The change waits until an owner or admin confirms it here."


def _problem_when_applied(decision: Decision, settings: Settings) -> str | None:
    if decision.lacks_keys:
        return NO_KEYS
    if decision.webhook is WebhookStep.PROPOSE and decision.checked is not None:
        return pending_message(mask(str(decision.checked.url)))
    if decision.webhook is WebhookStep.PROPOSE_REMOVAL:
        return pending_message(None)
    if decision.webhook is WebhookStep.KEEP and decision.stored.has_pending:
        return pending_message(decision.stored.pending_mask)
    if decision.refusal is not None:
        return f"The webhook URL in NexusLeads' settings is not used: {decision.refusal.detail}"
    return _problem_of_rate(decision.host, settings)


def _problem_of_rate(host: ClaySettings, settings: Settings) -> str | None:
    if host.rate_limit_ms is None:
        return None
    rate = rate_of(host.rate_limit_ms)
    if rate is None:
        return BAD_RATE
    if rate >= LEAST_RATE_LIMIT_MS or has_internal_webhook(host, settings):
        return None
    return SMALL_RATE
