"""Validates and saves an organization's webhook. A new URL or token is a new version; queued jobs keep the version they have.

The guard that checks a URL before each POST also checks it before it is stored.
"""

from uuid import UUID

from aiohttp.abc import AbstractResolver

from clay_push_service.database.database import Database
from clay_push_service.destination_settings.config_change import BULLET, ConfigChange, Keep
from clay_push_service.destination_settings.save_config import SaveConfig, ensure_destination
from clay_push_service.destination_settings.webhook_form import check_new_url
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.resolve import is_internal
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.unsealed import StoredWebhook, read_destination
from clay_push_service.errors import ConflictError, InvalidError


async def configure(
    database: Database,
    box: SecretBox,
    policy: Policy,
    resolver: AbstractResolver,
    org_id: UUID,
    actor: str,
    change: ConfigChange,
    *,
    source: str = "api",
    settles: UUID | None = None,
) -> None:
    """Check the change, resolve the host and save. Holds no connection while the host is resolved.

    Raises 422 `webhook_blocked` if the guard refuses the URL, 422 for an invalid value, 409 `config_changed` if another
    request has changed the settings meanwhile. Saving the stored URL or token again, unmasked, opens a closed or waiting
    destination.
    """
    async with database.transaction() as connection:
        seen = await read_destination(connection, box, org_id)
    checked, unmasked = _url_of(change, seen.webhook if seen else None, policy)
    try:
        internal = await is_internal(checked, policy, resolver)
    except BlockedError as error:
        raise blocked(error) from None
    rate = change.rate_limit_ms
    if not isinstance(rate, Keep) and rate < LEAST_RATE_LIMIT_MS and not internal:
        raise InvalidError(
            "Clay accepts 10 requests/s per workspace, so the delay between two leads cannot be shorter than"
            f" {LEAST_RATE_LIMIT_MS} ms. Only a webhook in an allowed internal network may have a shorter delay.",
            errors=[
                {
                    "field": "rate_limit_ms",
                    "message": f"must be at least {LEAST_RATE_LIMIT_MS}",
                }
            ],
        )
    async with database.transaction() as connection:
        await ensure_destination(connection, org_id)
        current = await read_destination(connection, box, org_id, lock=True)
        if current is None or current.version_id != (seen.version_id if seen else None):
            raise ConflictError(
                "Another request has changed the Clay settings. Read them again.", code="config_changed"
            )
        save = SaveConfig(connection, box, org_id, actor, source, change, current, checked, unmasked, internal, settles)
        await save.run()


def blocked(error: BlockedError) -> InvalidError:
    """Return the guard's refusal as the 422 for the caller."""
    return InvalidError(
        error.detail,
        code="webhook_blocked",
        extra={"reason": error.reason},
        errors=[{"field": "webhook_url", "message": error.detail}],
    )


def _url_of(change: ConfigChange, webhook: StoredWebhook | None, policy: Policy) -> tuple[CheckedUrl, bool]:
    """Return the URL to store, and whether the caller sent it unmasked."""
    given = change.webhook_url
    masked = not isinstance(given, Keep) and BULLET in given
    if masked and (webhook is None or given != webhook.url_mask):
        raise InvalidError(
            "This masked URL does not match the stored webhook. Paste the complete webhook URL from Clay.",
            errors=[{"field": "webhook_url", "message": "does not match the stored webhook"}],
        )
    unmasked = not isinstance(given, Keep) and not masked
    stored = None if webhook is None else webhook.url
    if isinstance(given, Keep) or masked:
        if webhook is None or webhook.url is None:
            raise InvalidError(
                "No usable webhook URL is stored. Paste the webhook URL of your Clay table.",
                errors=[{"field": "webhook_url", "message": "is required"}],
            )
        given = webhook.url
    try:
        return check_new_url(given, policy, stored), unmasked
    except BlockedError as error:
        raise blocked(error) from None
