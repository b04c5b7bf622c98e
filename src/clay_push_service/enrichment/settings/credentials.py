"""Chooses the API key for an organization's calls to Clay: its own, or that of an installation with one organization."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs, metrics
from clay_push_service.clay.routines_cause import ApiCause
from clay_push_service.clay.routines_client import ApiKey
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.enrichment.settings.table import KeySource, SettingsRow
from clay_push_service.host.org_settings import is_single_organization
from clay_push_service.host.tables import HostTables
from clay_push_service.settings import Settings

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """`key` None: there is no key, or it cannot be unsealed; `cause` gives the reason."""

    key: ApiKey | None
    source: KeySource | None
    cause: ApiCause | None = None
    key_number: int = 0
    """The number of the stored key. Clay's response is recorded for the key that was sent, not for a later one."""


async def environment_key(connection: AsyncConnection, tables: HostTables, settings: Settings) -> ApiKey | None:
    """`CLAY_API_KEY`, if the installation has exactly one organization: reselling data from Clay is forbidden."""
    if settings.clay_api_key is None or not await is_single_organization(connection, tables):
        return None
    return ApiKey(settings.clay_api_key.get_secret_value())


async def credentials_of(
    connection: AsyncConnection,
    tables: HostTables,
    row: SettingsRow | None,
    org_id: UUID,
    box: SecretBox | None,
    settings: Settings,
) -> Credentials:
    """Returns the organization's own key, even if it cannot be unsealed: another workspace must not pay instead."""
    if row is None or row.sealed_api_key is None:
        key = await environment_key(connection, tables, settings)
        if key is None:
            return Credentials(None, None, ApiCause.NOT_CONFIGURED)
        return Credentials(key, KeySource.ENVIRONMENT)
    source = None if row.key_source is None else KeySource(row.key_source)
    if box is not None:
        try:
            key = ApiKey(box.open(row.sealed_api_key, org_id, row.id))
            return Credentials(key, source, key_number=row.key_number)
        except SecretError:
            pass
    log.error("enrichment_key.unreadable", org_id=str(org_id))
    metrics.SECRETS_UNREADABLE.inc()
    return Credentials(None, source, ApiCause.KEY_UNREADABLE)
