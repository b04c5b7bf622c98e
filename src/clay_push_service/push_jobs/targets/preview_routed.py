"""Previews a push that routes divide: each destination by itself, and the sums."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.clay.cause import EXPLANATIONS, Cause
from clay_push_service.destinations.read import NOT_CONFIGURED
from clay_push_service.errors import ConflictError
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.preview import preview
from clay_push_service.push_jobs.schemas import DestinationPreview, Preview, Reason, RouteShare
from clay_push_service.push_jobs.selection import Selection
from clay_push_service.push_jobs.targets.choose import NO_WEBHOOK, PUSH_OTHERS, find_destination_view, refuse_routed
from clay_push_service.push_jobs.targets.divide import Share, divide
from clay_push_service.routing.routes import Routes, read_stored_routes


async def preview_routed(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, selection: Selection, routes: Routes
) -> Preview:
    """Raises 409 `clay_not_configured` if one of the destinations has no webhook."""
    names = {each.id: each.segment_name for each in await read_stored_routes(connection, org_id)}
    found = []
    for share in await divide(connection, tables, org_id, selection, routes):
        shares = _route_shares(share, names)
        found.append(
            await preview_destination(connection, tables, org_id, share.destination_id, share.selection, shares)
        )
    combined = combine(found)
    return (
        combined.model_copy(update={"message": f"{combined.message} {PUSH_OTHERS}"}) if combined.blocked else combined
    )


async def preview_destination(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    destination_id: UUID | None,
    selection: Selection,
    routes: Sequence[RouteShare] = (),
) -> tuple[DestinationPreview, Preview]:
    """Previews the push to one table, as a part of the whole and by itself. Raises 409 `clay_not_configured`."""
    view = await find_destination_view(connection, org_id, destination_id)
    if view is None or view.webhook is None:
        missing = NOT_CONFIGURED if view is None else NO_WEBHOOK.format(view.name)
        raise refuse_routed(ConflictError(missing, code="clay_not_configured"))
    seen = await preview(connection, tables, org_id, selection, view)
    return _of(seen, routes), seen


def _route_shares(share: Share, names: dict[UUID, str | None]) -> list[RouteShare]:
    counts: Counter[UUID | None] = Counter()
    for group in share.groups:
        counts[group.route.id if group.route else None] += len(group.lead_ids)
    return [
        RouteShare(route_id=route_id, segment_name=names.get(route_id) if route_id else None, lead_count=count)
        for route_id, count in counts.items()
    ]


def _of(seen: Preview, routes: Sequence[RouteShare]) -> DestinationPreview:
    return DestinationPreview(
        destination=seen.destination,
        routes=list(routes),
        lead_count=seen.lead_count,
        to_send=seen.to_send,
        skipped=seen.skipped,
        blocked=seen.blocked,
        quota_left_after=seen.quota_left_after,
        quota_warning=seen.quota_warning,
    )


def combine(found: Sequence[tuple[DestinationPreview, Preview]]) -> Preview:
    """The sums; the destination with the most leads to send is first, and a reason that stops one destination stops the push."""
    ordered = sorted(found, key=lambda each: -each[1].to_send)
    previews = [each for _, each in ordered]
    skipped: Counter[Cause] = Counter()
    for each in previews:
        skipped.update({reason.cause: reason.count for reason in each.skipped})
    blocked = next((each for each in previews if each.blocked), None)
    left = [each.quota_left_after for each in previews if each.quota_left_after is not None]
    return previews[0].model_copy(
        update={
            "blocked": blocked.blocked if blocked else None,
            "message": f"“{blocked.destination.name}”: {blocked.message}" if blocked else None,
            "waiting": next((each.waiting for each in previews if each.waiting), None),
            "lead_count": sum(each.lead_count for each in previews),
            "to_send": sum(each.to_send for each in previews),
            "skipped": [
                Reason(cause=cause, count=count, message=EXPLANATIONS[cause].message)
                for cause, count in sorted(skipped.items())
            ],
            "changed_since": sum(each.changed_since for each in previews),
            "too_large": sum(each.too_large for each in previews),
            "without_email": sum(each.without_email for each in previews),
            "estimated": any(each.estimated for each in previews),
            "queued_before": max(each.queued_before for each in previews),
            "seconds": _seconds(previews),
            "quota_left_after": min(left) if left else None,
            "quota_warning": next(
                (f"{each.destination.name}: {each.quota_warning}" for each in previews if each.quota_warning), None
            ),
            "sync_note": next((each.sync_note for each in previews if each.sync_note), None),
            "sample": next((each.sample for each in previews if each.sample is not None), None),
            "destinations": [each for each, _ in ordered],
        }
    )


def _seconds(previews: Sequence[Preview]) -> float:
    """Exact for destinations of one workspace, which share its pace; an upper bound for several workspaces."""
    waiting, sending = 0.0, 0.0
    for each in previews:
        in_line = each.queued_before + each.to_send
        share = each.to_send / in_line if in_line else 0.0
        waiting = max(waiting, each.seconds * (1 - share) if in_line else 0.0)
        sending += each.seconds * share
    return round(waiting + sending, 1)
