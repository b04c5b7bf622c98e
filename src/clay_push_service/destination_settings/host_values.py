"""Validates the values that NexusLeads' settings page holds about Clay: webhook URL, table name, delay. Pure."""

from ipaddress import ip_address
from typing import Final

from clay_push_service.destination_settings.webhook_form import check_new_url
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy, check_url
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.errors import UNFINISHED
from clay_push_service.host.org_settings import ClaySettings
from clay_push_service.settings import Settings

MAX_RATE_LIMIT_MS: Final = 60_000
MAX_TABLE_NAME: Final = 200
BAD_RATE: Final = (
    "The delay between leads in NexusLeads' settings is not used: it is not a whole number from 1 to 60,000 ms."
)
SMALL_RATE: Final = (
    "The delay between leads in NexusLeads' settings is shorter than Clay's limit allows (10 requests/s per workspace), so it"
    f" was raised to {LEAST_RATE_LIMIT_MS} ms."
)
NO_KEYS: Final = f"The webhook URL in NexusLeads' settings cannot be used yet. {UNFINISHED}"


def is_internal_address(checked: CheckedUrl, settings: Settings) -> bool:
    """Whether the host is an IP address in an allowed network. Names are not resolved: that would hold a transaction open."""
    try:
        address = ip_address(checked.host)
    except ValueError:
        return False
    return any(address in network for network in settings.networks)


def pending_message(url_mask: str | None) -> str:
    """The pending change in one sentence. `url_mask` None: the webhook was removed there."""
    what = (
        "The webhook was removed in NexusLeads' settings"
        if url_mask is None
        else f"NexusLeads' settings name another webhook ({url_mask})"
    )
    return f"{what}. The change waits until an owner or admin confirms it here."


def table_name_of(host: ClaySettings) -> str | None:
    """The table name with printable characters only, shortened to the longest name of this service."""
    if host.table_name is None:
        return None
    return "".join(character for character in host.table_name if character.isprintable())[:MAX_TABLE_NAME] or None


def rate_of(written: str) -> int | None:
    """The delay in milliseconds; None unless it is a whole number in range."""
    if not (written.isascii() and written.isdecimal() and len(written) <= len(str(MAX_RATE_LIMIT_MS))):
        return None
    return int(written) if int(written) <= MAX_RATE_LIMIT_MS else None


def refusal_of(host: ClaySettings, settings: Settings) -> BlockedError | None:
    """Why the guard refuses the webhook URL; None: it is allowed, or there is none."""
    if host.webhook_url is None:
        return None
    try:
        check_new_url(host.webhook_url, Policy.of(settings))
    except BlockedError as error:
        return error
    return None


def problem_of(host: ClaySettings, refusal: BlockedError | None, settings: Settings) -> str | None:
    """The value that is not used as written, in one sentence; None: every value is used."""
    if refusal is not None:
        return f"The webhook URL in NexusLeads' settings is not used: {refusal.detail}"
    if host.rate_limit_ms is None:
        return None
    rate = rate_of(host.rate_limit_ms)
    if rate is None:
        return BAD_RATE
    if rate >= LEAST_RATE_LIMIT_MS or _is_internal_webhook(host, settings):
        return None
    return SMALL_RATE


def _is_internal_webhook(host: ClaySettings, settings: Settings) -> bool:
    try:
        return host.webhook_url is not None and is_internal_address(
            check_url(host.webhook_url, Policy.of(settings)), settings
        )
    except BlockedError:
        return False
