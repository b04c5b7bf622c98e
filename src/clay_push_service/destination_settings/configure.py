"""Validates and saves an organization's webhook. A new URL or token is a new version; queued jobs keep the version they have.

The guard that checks a URL before each POST also checks it before it is stored.
"""

from dataclasses import dataclass
from uuid import UUID

from aiohttp.abc import AbstractResolver
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.database import Database
from clay_push_service.destination_settings.config_change import BULLET, ConfigChange, Unchanged
from clay_push_service.destination_settings.named.neighbours import rate_refused
from clay_push_service.destination_settings.save_config import SaveConfig, ensure_destination
from clay_push_service.destination_settings.webhook_form import check_new_url
from clay_push_service.destinations.guard import BlockedError, CheckedUrl, Policy
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.resolve import is_internal
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.destinations.stored_destination import StoredDestination, StoredWebhook, read_destination
from clay_push_service.errors import ConflictError, InvalidError


@dataclass(frozen=True, slots=True)
class CheckedChange:
    """A change whose URL the guard allows. `unmasked`: the caller sent the URL in full. `internal`: it leads into an allowed network."""

    checked: CheckedUrl
    unmasked: bool
    internal: bool


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
    """Check the change of the default destination, resolve the host and save. Holds no connection while the host is resolved.

    Raises 422 `webhook_blocked` if the guard refuses the URL, 422 for an invalid value, 409 `config_changed` if another
    request has changed the settings meanwhile, 409 `webhook_in_use` if another destination has the webhook. Saving the stored
    URL or token again, unmasked, opens a closed or waiting destination.
    """
    async with database.transaction() as connection:
        seen = await read_destination(connection, box, org_id)
    found = await check_change(change, seen.webhook if seen else None, policy, resolver)
    async with database.transaction() as connection:
        await ensure_destination(connection, org_id)
        current = await read_destination(connection, box, org_id, lock=True)
        await save_change(connection, box, org_id, actor, change, found, seen, current, source=source, settles=settles)


async def check_change(
    change: ConfigChange, webhook: StoredWebhook | None, policy: Policy, resolver: AbstractResolver
) -> CheckedChange:
    """Check the URL and resolve its host. `webhook`: the stored one. Raises 422."""
    checked, unmasked = _url_of(change, webhook, policy)
    try:
        internal = await is_internal(checked, policy, resolver)
    except BlockedError as error:
        raise blocked(error) from None
    rate = change.rate_limit_ms
    if not isinstance(rate, Unchanged) and rate < LEAST_RATE_LIMIT_MS and not internal:
        raise rate_refused()
    return CheckedChange(checked, unmasked, internal)


async def save_change(
    connection: AsyncConnection,
    box: SecretBox,
    org_id: UUID,
    actor: str,
    change: ConfigChange,
    found: CheckedChange,
    seen: StoredDestination | None,
    current: StoredDestination | None,
    *,
    source: str = "api",
    settles: UUID | None = None,
) -> None:
    """Saves a checked change. `seen`: the destination that was checked. `current`: the same, locked. Raises 409 `config_changed` if its webhook differs."""
    if current is None or current.version_id != (seen.version_id if seen else None):
        raise ConflictError("Another request has changed the Clay settings. Read them again.", code="config_changed")
    save = SaveConfig(
        connection, box, org_id, actor, source, change, current, found.checked, found.unmasked, found.internal, settles
    )
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
    new_url = change.webhook_url
    masked = not isinstance(new_url, Unchanged) and BULLET in new_url
    if masked and (webhook is None or new_url != webhook.url_mask):
        raise InvalidError(
            "This masked URL does not match the stored webhook. Paste the complete webhook URL from Clay.",
            errors=[{"field": "webhook_url", "message": "does not match the stored webhook"}],
        )
    unmasked = not isinstance(new_url, Unchanged) and not masked
    stored = None if webhook is None else webhook.url
    if isinstance(new_url, Unchanged) or masked:
        if webhook is None or webhook.url is None:
            raise InvalidError(
                "No usable webhook URL is stored. Paste the webhook URL of your Clay table.",
                errors=[{"field": "webhook_url", "message": "is required"}],
            )
        new_url = webhook.url
    try:
        return check_new_url(new_url, policy, stored), unmasked
    except BlockedError as error:
        raise blocked(error) from None
