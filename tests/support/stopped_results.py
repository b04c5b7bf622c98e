"""Sets up a destination whose results have stopped: some leads are confirmed, and leads pushed later are not."""

from collections.abc import Sequence
from uuid import UUID

from clay_push_service.deliveries.missing_results import check_destinations
from tests.harness.api import Api

CONFIRMED, UNCONFIRMED = 5, 37
LEADS = CONFIRMED + UNCONFIRMED


async def age(api: Api, minutes: float) -> None:
    """Move all events so far into the past."""
    for table, columns in (
        ("clay_push_log", ("finished_at", "pushed_at", "confirmed_at")),
        ("push_jobs", ("created_at", "finished_at")),
        ("destinations", ("suspect_since", "results_checked_at")),
    ):
        moved = ", ".join(f"{each} = {each} - $1 * interval '1 minute'" for each in columns)
        await api.host.connection.execute(f"UPDATE clay.{table} SET {moved}", float(minutes))


async def confirm(api: Api, lead_ids: Sequence[UUID], after_seconds: float = 5.0) -> None:
    """Confirm the deliveries of these leads, as their results do."""
    await api.host.connection.execute(
        "UPDATE clay.clay_push_log SET confirmed_at = finished_at + $2 * interval '1 second'"
        " WHERE contributor_id = ANY($1) AND status = 'success'",
        list(lead_ids),
        after_seconds,
    )


async def check(api: Api) -> bool:
    """Run the worker's check. Returns whether the organization's destination is suspect."""
    async with api.database.transaction() as connection:
        return any(each.org_id == api.org_id for each in await check_destinations(connection))


async def results_stop(api: Api, minutes: float = 40) -> None:
    """Push five leads and confirm them, then push 37 that get no result."""
    await api.push_and_drain(api.lead_ids[:CONFIRMED])
    await confirm(api, api.lead_ids[:CONFIRMED])
    await age(api, 10)
    await api.push_and_drain(api.lead_ids[CONFIRMED:])
    await age(api, minutes)
