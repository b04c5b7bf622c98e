"""Chooses the destinations of a push, locks them, and requires that they accept leads.

The destination that the request names, else those of the routes, else the default one. This is the only module that chooses
them, for pushes and previews alike.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.database.statement import Statement
from clay_push_service.destination_settings.named.store import destination_archived, destination_not_found
from clay_push_service.destinations.clay_table import ClayTable
from clay_push_service.destinations.read import NOT_CONFIGURED, DestinationView, destination_view
from clay_push_service.errors import ConflictError
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.schemas import PushBody, PushFilteredBody
from clay_push_service.push_jobs.selection import Selection, select_leads
from clay_push_service.push_jobs.targets.divide import Share, divide
from clay_push_service.push_jobs.targets.sync_mode import with_changed_leads
from clay_push_service.push_jobs.views import DestinationRef
from clay_push_service.routing.routes import read_routes
from clay_push_service.states import DestinationState, DuplicateHandling, SyncedLeads

# Prevents a change or removal of a webhook until our commit. A statement of its own: one that waited for a change would see
# the new destination beside the old versions, and find none.
LOCK_DESTINATION = Statement("SELECT 1 FROM clay.destinations WHERE org_id = :org_id ORDER BY id FOR KEY SHARE")
# A push that looks at all tables waits for every push of the organization that has begun, and a later push waits for it. Its
# snapshot then contains all deliveries to other tables, and no check after the insert could find more. Pushes to one table
# do not wait for each other.
LOCK_ALL = Statement("SELECT 1 FROM clay.destinations WHERE org_id = :org_id ORDER BY id FOR UPDATE")


class _CurrentDestination(NamedTuple):
    id: UUID
    name: str
    archived_at: datetime | None
    table_name: str | None
    table_epoch: int
    rate_limit_ms: int
    dedupe: str
    mapping_version_id: UUID | None
    version_id: UUID | None
    """Null, as the fields below, without a webhook."""
    state: str
    state_reason: str | None


DESTINATION = Statement(
    """
SELECT destination.id, destination.name, destination.archived_at, destination.table_name, destination.table_epoch,
       workspace.rate_limit_ms, destination.dedupe, destination.mapping_version_id,
       version.id AS version_id, version.state, version.state_reason
FROM clay.destinations AS destination
JOIN clay.workspaces AS workspace ON workspace.org_id = destination.org_id AND workspace.id = destination.workspace_id
LEFT JOIN clay.destination_versions AS version
       ON version.org_id = destination.org_id AND version.id = destination.version_id
WHERE destination.org_id = :org_id
  AND CASE WHEN CAST(:destination_id AS uuid) IS NULL THEN destination.is_default ELSE destination.id = :destination_id END
""",
    _CurrentDestination,
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination that accepts new push jobs."""

    name: str
    version_id: UUID
    table_name: str | None
    clay_table: ClayTable
    rate_limit_ms: int
    dedupe: DuplicateHandling
    mapping_version_id: UUID | None = None
    """What its push jobs send; None: the standard payload."""

    @property
    def ref(self) -> DestinationRef:
        assert self.clay_table.destination_id is not None  # noqa: S101 - a destination that exists has an id
        return DestinationRef(id=self.clay_table.destination_id, name=self.name)


NO_WEBHOOK = "The destination “{}” has no webhook. Save one in its settings."
NOTHING_QUEUED = "Nothing was queued, because your routes send some of these leads to a Clay table that takes none."
PUSH_OTHERS = "To push the other leads now, select them alone, name a destination, or change the routes."


class Target(NamedTuple):
    """The leads of a push that go to one destination."""

    destination: Destination
    selection: Selection


async def lock_destinations(connection: AsyncConnection, org_id: UUID, *, anywhere: bool = False) -> None:
    """Lock them before any push job (see `deliveries.counters`): webhooks and erased leads do not change until our commit.

    `anywhere`: for a push that skips what is in any table.
    """
    await (LOCK_ALL if anywhere else LOCK_DESTINATION).execute(connection, {"org_id": org_id})


async def require_destination(
    connection: AsyncConnection,
    org_id: UUID,
    destination_id: UUID | None = None,
    *,
    lock: bool = True,
    named: bool = False,
) -> Destination:
    """Return this destination, or the organization's default one. A read does not lock. `named`: the messages name it.

    Raises 404 `destination_not_found`, 409 `destination_archived`, `clay_not_configured` or `destination_closed`, the last with
    the reason and the remedy.
    """
    if lock:
        await lock_destinations(connection, org_id)
    row = await DESTINATION.one_or_none(connection, {"org_id": org_id, "destination_id": destination_id})
    if row is None and destination_id is not None:
        raise destination_not_found()
    if row is not None and row.archived_at is not None:
        raise destination_archived()
    table = {"destination": {"id": str(row.id), "name": row.name}} if named and row is not None else {}
    if row is None or row.version_id is None:
        missing = NO_WEBHOOK.format(row.name) if named and row is not None else NOT_CONFIGURED
        raise ConflictError(missing, code="clay_not_configured", extra=table)
    if row.state == DestinationState.CLOSED:
        reason = Cause(row.state_reason or "")  # a closed version has a reason
        explanation = EXPLANATIONS[reason]
        remedy = explanation.push_remedy or explanation.remedy
        raise ConflictError(
            f"{f'The Clay table “{row.name}”' if named else 'Your Clay table'} does not accept leads now:"
            f" {explanation.message} {remedy}",
            code="destination_closed",
            extra={"reason": reason.value, "remedy": remedy, "who": explanation.who.value, **table},
        )
    clay_table = ClayTable(row.id, row.table_epoch)
    return Destination(
        row.name,
        row.version_id,
        row.table_name,
        clay_table,
        row.rate_limit_ms,
        DuplicateHandling(row.dedupe),
        row.mapping_version_id,
    )


async def choose_targets(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, body: PushBody | PushFilteredBody
) -> list[Target]:
    """Lock the destinations, and choose the destination of each selected lead. Raises what `require_destination` and `select_leads` raise."""
    targets = await _choose(connection, tables, org_id, body)
    if body.sync_mode is SyncedLeads.NEW:
        return targets
    return [await _with_changed(connection, tables, org_id, each, is_routed=len(targets) > 1) for each in targets]


async def _choose(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, body: PushBody | PushFilteredBody
) -> list[Target]:
    await lock_destinations(connection, org_id, anywhere=body.anywhere)
    if body.destination_id is None:
        routes = await read_routes(connection, org_id)
        if not routes.is_empty:
            selection = await select_leads(connection, tables, org_id, body)
            return [
                Target(await _require_routed(connection, org_id, share), share.selection)
                for share in await divide(connection, tables, org_id, selection, routes)
            ]
    destination = await require_destination(connection, org_id, body.destination_id, lock=False)
    return [Target(destination, await select_leads(connection, tables, org_id, body))]


async def _require_routed(connection: AsyncConnection, org_id: UUID, share: Share) -> Destination:
    """Return the destination. Raises what `require_destination` raises, with the name of the table, which the request does not contain."""
    try:
        return await require_destination(connection, org_id, share.destination_id, lock=False, named=True)
    except ConflictError as error:
        raise refuse_routed(error) from None


async def _with_changed(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, target: Target, *, is_routed: bool
) -> Target:
    """Raises 409 `sync_mode_refused`; with several tables, it names the one that refuses."""
    destination, selection = target
    table, dedupe = destination.clay_table, destination.dedupe
    try:
        return Target(destination, await with_changed_leads(connection, tables, org_id, table, dedupe, selection))
    except ConflictError as error:
        if not is_routed:
            raise
        named = f"The Clay table “{destination.name}”: {error.detail}"
        extra = {**error.extra, "destination": destination.ref.model_dump(mode="json")}
        raise refuse_routed(ConflictError(named, code=error.code, extra=extra, errors=error.errors)) from None


def refuse_routed(error: ConflictError) -> ConflictError:
    """Explains that one table stops the push of all leads, and how to push the others."""
    detail = f"{NOTHING_QUEUED} {error.detail} {PUSH_OTHERS}"
    return ConflictError(detail, code=error.code, extra=error.extra, errors=error.errors)


async def find_destination_view(
    connection: AsyncConnection, org_id: UUID, destination_id: UUID | None
) -> DestinationView | None:
    """The destination that a read names, or the default one. Raises 404 `destination_not_found`, 409 `destination_archived`."""
    view = await destination_view(connection, org_id, destination_id)
    if view is None and destination_id is not None:
        raise destination_not_found()
    if view is not None and view.archived_at is not None:
        raise destination_archived()
    return view
