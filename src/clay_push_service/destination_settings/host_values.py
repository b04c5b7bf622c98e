"""Checks the values that NexusLeads' settings page holds about Clay: webhook URL, table name, delay. Pure."""

from ipaddress import ip_address
from typing import Final

from clay_push_service.destination_settings.webhook_form import check_new_url
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy, check_url
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.host.org_settings import ClaySettings
from clay_push_service.settings import Settings

MAX_RATE_LIMIT_MS: Final = 60_000
MAX_TABLE_NAME: Final = 200


def is_internal_address(checked: CheckedUrl, settings: Settings) -> bool:
    """Whether the host is an IP address in an allowed network. Names are not resolved: that would hold a transaction open."""
    try:
        address = ip_address(checked.host)
    except ValueError:
        return False
    return any(address in network for network in settings.networks)


def has_internal_webhook(host: ClaySettings, settings: Settings) -> bool:
    try:
        return host.webhook_url is not None and is_internal_address(
            check_url(host.webhook_url, Policy.of(settings)), settings
        )
    except BlockedError:
        return False


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


def raised_rate(rate_limit_ms: int, checked: CheckedUrl | None, settings: Settings) -> int:
    """The delay, at least Clay's limit unless the webhook is internal."""
    if checked is not None and is_internal_address(checked, settings):
        return rate_limit_ms
    return max(rate_limit_ms, LEAST_RATE_LIMIT_MS)


def refusal_of(host: ClaySettings, settings: Settings) -> BlockedError | None:
    """Why the guard refuses the webhook URL; None: it is allowed, or there is none."""
    if host.webhook_url is None:
        return None
    try:
        check_new_url(host.webhook_url, Policy.of(settings))
    except BlockedError as error:
        return error
    return None
