"""Reads the default destination of an organization for API responses, without its URL and token, which stay encrypted."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.destinations.pace import Pace
from clay_push_service.states import DestinationState

QUOTA_WARNINGS: Final = (95, 80)
"""Percent of the quota limit, highest first. Clay gives no warning before the quota is exhausted."""

NOT_CONFIGURED: Final = "Configure your Clay webhook URL in Settings → Integrations"
"""Word for word from the feature document, section 7.2."""


class _ViewRow(NamedTuple):
    id: UUID
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


READ = Statement(
    """
SELECT destination.id, destination.table_name, destination.table_epoch, workspace.rate_limit_ms, workspace.next_slot_at,
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
LEFT JOIN LATERAL (SELECT actor, at FROM clay.audit_log
                   WHERE org_id = destination.org_id AND action IN ('config.changed', 'config.removed')
                   ORDER BY id DESC LIMIT 1) AS change ON true
WHERE destination.org_id = :org_id AND destination.is_default
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


async def destination_view(connection: AsyncConnection, org_id: UUID) -> DestinationView | None:
    """Returns None if the organization never had a destination."""
    row = await READ.one_or_none(connection, {"org_id": org_id})
    if row is None:
        return None
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
        row.table_name,
        ClayTable(row.id, row.table_epoch),
        row.rate_limit_ms,
        interval_ms,
        webhook,
        row.changed_by,
        row.changed_at,
        webhook is not None and (row.new_table_version or 0) < (row.url_since_version or 0) > 1,
    )
