"""Reads the destinations of an organization for API responses, without their URLs and tokens, which stay encrypted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.destinations.pace import Pace
from clay_push_service.mappings.ref import NamedVersion, named_version
from clay_push_service.states import DestinationState, DuplicateHandling

QUOTA_WARNINGS: Final = (95, 80)
"""Percent of the quota limit, highest first. Clay gives no warning before the quota is exhausted."""

NOT_CONFIGURED: Final = "Configure your Clay webhook URL in Settings → Integrations"
"""Word for word from the feature document, section 7.2."""


class _ViewRow(NamedTuple):
    id: UUID
    name: str
    is_default: bool
    workspace_id: UUID
    workspace_name: str
    dedupe: str
    dedupe_column: str | None
    mapping_id: UUID | None
    mapping_name: str | None
    mapping_number: int | None
    mapping_version_id: UUID | None
    created_at: datetime
    archived_at: datetime | None
    suspect_since: datetime | None
    table_name: str | None
    table_epoch: int
    rate_limit_ms: int
    next_slot_at: datetime
    throttled_ms: float | None
    throttled_at: datetime | None
    recovery_ms: float | None
    now: datetime
    version_id: UUID | None
    """Null, as the fields up to `has_unusual_form`, without a webhook."""
    number: int
    url_mask: str
    has_token: bool
    used: int
    quota_limit: int | None
    state: str
    state_reason: str | None
    state_since: datetime
    probe_at: datetime | None
    refusals: int
    outages: int
    source: Literal["api", "host"]
    has_unusual_form: bool
    url_since_version: int | None
    new_table_version: int | None
    changed_by: str | None
    changed_at: datetime | None


# An entry without the destination's id is from the time when the organization had one destination.
SELECT = """
SELECT destination.id, destination.name, destination.is_default, workspace.id AS workspace_id, workspace.name AS workspace_name,
       destination.dedupe, destination.dedupe_column, mapping.id AS mapping_id, mapping.name AS mapping_name,
       mapping_version.number AS mapping_number, mapping_version.id AS mapping_version_id, destination.created_at, destination.archived_at,
       destination.suspect_since,
       destination.table_name, destination.table_epoch, workspace.rate_limit_ms, workspace.next_slot_at,
       workspace.throttled_ms, workspace.throttled_at, workspace.recovery_ms, clock_timestamp() AS now,
       version.id AS version_id, version.number, version.url_mask, version.sealed_token IS NOT NULL AS has_token,
       meter.used, meter.quota_limit, version.state, version.state_reason, version.state_since, version.probe_at,
       version.refusals, version.outages, version.source, version.has_unusual_form,
       destination.url_since_version, destination.new_table_version,
       change.actor AS changed_by, change.at AS changed_at
FROM clay.destinations AS destination
JOIN clay.workspaces AS workspace ON workspace.org_id = destination.org_id AND workspace.id = destination.workspace_id
LEFT JOIN clay.destination_versions AS version
       ON version.org_id = destination.org_id AND version.id = destination.version_id
LEFT JOIN clay.quota_meters AS meter ON meter.org_id = version.org_id AND meter.id = version.meter_id
LEFT JOIN clay.mapping_versions AS mapping_version
       ON mapping_version.org_id = destination.org_id AND mapping_version.id = destination.mapping_version_id
LEFT JOIN clay.mappings AS mapping
       ON mapping.org_id = mapping_version.org_id AND mapping.id = mapping_version.mapping_id
LEFT JOIN LATERAL (SELECT actor, at FROM clay.audit_log
                   WHERE org_id = destination.org_id AND action IN ('config.changed', 'config.removed')
                     AND coalesce(details ->> 'destination_id', (
                             SELECT CAST(first.id AS text) FROM clay.destinations AS first
                             WHERE first.org_id = destination.org_id ORDER BY first.created_at, first.id LIMIT 1))
                         = CAST(destination.id AS text)
                   ORDER BY id DESC LIMIT 1) AS change ON true
WHERE destination.org_id = :org_id
"""
READ = Statement(
    f"""{SELECT}
  AND CASE WHEN CAST(:destination_id AS uuid) IS NULL THEN destination.is_default ELSE destination.id = :destination_id END
""",
    _ViewRow,
)
READ_ALL = Statement(
    f"""{SELECT} AND (:archived OR destination.archived_at IS NULL)
ORDER BY destination.archived_at IS NOT NULL, NOT destination.is_default, lower(destination.name), destination.id
""",
    _ViewRow,
)


@dataclass(frozen=True, slots=True)
class Quota:
    """Submissions of the webhook's lifetime. `limit` is None for tables that delete by themselves."""

    used: int
    limit: int | None

    @property
    def remaining(self) -> int | None:
        return None if self.limit is None else max(self.limit - self.used, 0)

    @property
    def warning_percent(self) -> int | None:
        """80 or 95 once that percentage is used, else None."""
        if not self.limit:
            return None
        return next((percent for percent in QUOTA_WARNINGS if self.used * 100 >= self.limit * percent), None)

    @property
    def warning(self) -> str | None:
        """What is used up and what to do, from 80 % of the limit."""
        percent = self.warning_percent
        if percent is None:
            return None
        return (
            f"Over {percent} % of this webhook's lifetime submissions are used; when all are used, Clay accepts no more. "
            "Create a new webhook source in Clay and save its URL here."
        )


@dataclass(frozen=True, slots=True)
class WebhookView:
    """The current webhook: its version, state and quota."""

    version_id: UUID
    number: int
    url_mask: str
    has_token: bool
    quota: Quota
    state: DestinationState
    reason: str | None
    """A cause of `clay.cause`, for `waiting` and `closed`."""
    since: datetime
    until: datetime | None
    """In state `waiting`: the time of the next probe. After a 429: the time of the next POST."""
    refusals: int
    outages: int
    source: Literal["api", "host"]
    """Saved through the API, or on the settings page of NexusLeads."""
    has_unusual_form: bool
    """The URL does not have the form of a Clay webhook URL."""


@dataclass(frozen=True, slots=True)
class DestinationView:
    """`webhook`: None if no webhook was saved yet, or the last one was removed."""

    id: UUID
    name: str
    is_default: bool
    workspace_id: UUID
    workspace_name: str
    dedupe: DuplicateHandling
    dedupe_column: str | None
    mapping: NamedVersion | None
    """None: its push jobs send the standard payload."""
    created_at: datetime
    archived_at: datetime | None
    suspect_since: datetime | None
    """Since when results from Clay have stopped; see `deliveries.suspicion`."""
    table_name: str | None
    clay_table: ClayTable
    rate_limit_ms: int
    current_interval_ms: float
    """`rate_limit_ms`, or more for some seconds after a 429."""
    webhook: WebhookView | None
    changed_by: str | None
    changed_at: datetime | None
    offers_new_table: bool
    """The webhook URL has replaced another one and is not declared to feed a new table."""


async def destination_view(
    connection: AsyncConnection, org_id: UUID, destination_id: UUID | None = None
) -> DestinationView | None:
    """The organization's default destination, or this one, archived or not; None: there is none."""
    row = await READ.one_or_none(connection, {"org_id": org_id, "destination_id": destination_id})
    return None if row is None else _view(row)


async def destination_views(
    connection: AsyncConnection, org_id: UUID, *, archived: bool = False
) -> list[DestinationView]:
    """All destinations: the default one first, the others by name. `archived`: with the archived ones, at the end."""
    return [_view(row) for row in await READ_ALL.rows(connection, {"org_id": org_id, "archived": archived})]


def _view(row: _ViewRow) -> DestinationView:
    pace = Pace(float(row.rate_limit_ms), row.next_slot_at, row.throttled_ms, row.throttled_at, row.recovery_ms)
    interval_ms = pace.interval(row.now) / timedelta(milliseconds=1)
    webhook = None
    if row.version_id is not None:
        state = DestinationState(row.state)
        # Slots are reserved half a second ahead: a later next slot is a pause that Clay requested.
        throttled = row.throttled_at is not None and row.next_slot_at - row.now > timedelta(
            seconds=1, milliseconds=interval_ms
        )
        until = row.probe_at if state is DestinationState.WAITING else row.next_slot_at if throttled else None
        webhook = WebhookView(
            row.version_id, row.number, row.url_mask, row.has_token, Quota(row.used, row.quota_limit), state,
            row.state_reason, row.state_since, until, row.refusals, row.outages, row.source, row.has_unusual_form,
        )  # fmt: skip
    return DestinationView(
        row.id,
        row.name,
        row.is_default,
        row.workspace_id,
        row.workspace_name,
        DuplicateHandling(row.dedupe),
        row.dedupe_column,
        named_version(row.mapping_id, row.mapping_name, row.mapping_number, row.mapping_version_id),
        row.created_at,
        row.archived_at,
        row.suspect_since,
        row.table_name,
        ClayTable(row.id, row.table_epoch),
        row.rate_limit_ms,
        interval_ms,
        webhook,
        row.changed_by,
        row.changed_at,
        webhook is not None and (row.new_table_version or 0) < (row.url_since_version or 0) > 1,
    )
