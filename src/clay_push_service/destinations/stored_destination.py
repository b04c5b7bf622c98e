"""Reads a destination with its webhook unsealed, for a change or a test; its repr shows no secret."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.destinations.quota import Meter
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.destinations.slots import WorkspaceKey
from clay_push_service.states import DestinationState


class _DestinationRow(NamedTuple):
    id: UUID
    is_default: bool
    is_only: bool
    archived_at: datetime | None
    table_name: str | None
    table_epoch: int
    workspace_id: UUID
    rate_limit_ms: int
    version_id: UUID | None
    """Null, as the fields below, without a webhook."""
    sealed_url: bytes | None
    sealed_token: bytes | None
    url_mask: str
    state: str
    meter_id: UUID
    used: int
    quota_limit: int | None


READ = """
SELECT destination.id, destination.is_default,
       NOT EXISTS (SELECT 1 FROM clay.destinations AS other
                   WHERE other.org_id = destination.org_id AND other.id <> destination.id) AS is_only,
       destination.archived_at, destination.table_name, destination.table_epoch, destination.workspace_id,
       workspace.rate_limit_ms, version.id AS version_id, version.sealed_url, version.sealed_token, version.url_mask,
       version.state, meter.id AS meter_id, meter.used, meter.quota_limit
FROM clay.destinations AS destination
JOIN clay.workspaces AS workspace ON workspace.org_id = destination.org_id AND workspace.id = destination.workspace_id
LEFT JOIN clay.destination_versions AS version
       ON version.org_id = destination.org_id AND version.id = destination.version_id
LEFT JOIN clay.quota_meters AS meter ON meter.org_id = version.org_id AND meter.id = version.meter_id
WHERE destination.org_id = :org_id
  AND CASE WHEN CAST(:destination_id AS uuid) IS NULL THEN destination.is_default ELSE destination.id = :destination_id END
"""
PEEK = Statement(READ, _DestinationRow)
# FOR UPDATE: accepting a push holds FOR KEY SHARE, so a push uses the old version or the new one, never parts of both.
LOCK = Statement(f"{READ} FOR UPDATE OF destination", _DestinationRow)


@dataclass(frozen=True, slots=True)
class StoredWebhook:
    destination_id: UUID
    version_id: UUID
    workspace: WorkspaceKey
    url: str | None
    """None: it cannot be unsealed, so every URL that is saved differs from it."""
    token: str | None
    url_mask: str
    meter: Meter
    state: DestinationState

    def __repr__(self) -> str:
        return f"StoredWebhook(version_id={self.version_id})"


@dataclass(frozen=True, slots=True)
class StoredDestination:
    id: UUID
    is_default: bool
    is_only: bool
    """The organization has, and had, no other destination."""
    is_archived: bool
    table_name: str | None
    clay_table: ClayTable
    workspace: WorkspaceKey
    rate_limit_ms: int
    webhook: StoredWebhook | None

    @property
    def version_id(self) -> UUID | None:
        return self.webhook.version_id if self.webhook else None


async def read_destination(
    connection: AsyncConnection,
    box: SecretBox,
    org_id: UUID,
    destination_id: UUID | None = None,
    /,
    *,
    lock: bool = False,
) -> StoredDestination | None:
    """The organization's default destination, or this one. None: there is none. `lock` prevents changes until the transaction ends."""
    values = {"org_id": org_id, "destination_id": destination_id}
    row = await (LOCK if lock else PEEK).one_or_none(connection, values)
    if row is None:
        return None
    workspace = WorkspaceKey(org_id, row.workspace_id)
    webhook = None
    if row.version_id is not None:
        url: str | None = None
        token: str | None = None
        try:
            url = box.open(row.sealed_url or b"", org_id, row.version_id)
            token = box.open(row.sealed_token, org_id, row.version_id) if row.sealed_token else None
        except SecretError:
            url = token = None  # one is useless without the other
        webhook = StoredWebhook(
            row.id, row.version_id, workspace, url, token, row.url_mask, Meter(row.meter_id, row.used, row.quota_limit),
            DestinationState(row.state),
        )  # fmt: skip
    return StoredDestination(
        row.id, row.is_default, row.is_only, row.archived_at is not None, row.table_name,
        ClayTable(row.id, row.table_epoch), workspace, row.rate_limit_ms, webhook,
    )  # fmt: skip
