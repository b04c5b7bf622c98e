"""`clay-push enrichment undo-write-back`: empties the columns of NexusLeads that this service filled, with the function of the API."""

import asyncio
from uuid import UUID

import typer

from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.host_integration.write_back.write_back import undo_writes
from clay_push_service.settings import Settings


def undo(settings: Settings, org: str, lead: str | None, *, is_confirmed: bool) -> None:
    """Raises 422 for an invalid id, 404 for an unknown organization, and 409 `write_back_not_permitted`."""
    try:
        lead_id = None if lead is None else UUID(lead)
    except ValueError:
        raise InvalidError(f"{lead!r} is not a lead id (a UUID).") from None
    if not is_confirmed:
        whose = "of all leads of the organization" if lead_id is None else "of this lead"
        typer.confirm(f"Empty the columns {whose} that still hold what was written?", abort=True)
    emptied, kept = asyncio.run(_undo(settings, org, lead_id))
    typer.echo(f"Emptied columns: {emptied:,}. Changed since and not touched: {kept:,}.")


async def _undo(settings: Settings, org: str, lead_id: UUID | None) -> tuple[int, int]:
    database = Database.for_shell(settings.database_url)
    try:
        async with database.transaction() as connection:
            tables = await detect(connection, settings.host_schema)
            org_id = (await find_organization(connection, tables, org)).id
            return await undo_writes(connection, tables, settings.host_schema, org_id, shell_actor(), lead_id)
    finally:
        await database.close()
