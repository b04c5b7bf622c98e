"""`clay-push export`: prints everything that is kept about one lead, as the API does."""

import asyncio
from uuid import UUID

import typer

from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.privacy.person_export import PersonExport, export_person
from clay_push_service.settings import Settings


def run(settings: Settings, org: str, lead: str) -> None:
    """Raises 422 for an invalid lead id, and 404 for an unknown lead."""
    try:
        lead_id = UUID(lead)
    except ValueError:
        raise InvalidError(f"{lead!r} is not a lead id (a UUID).") from None
    typer.echo(asyncio.run(_export(settings, org, lead_id)).model_dump_json(indent=2))


async def _export(settings: Settings, org: str, lead_id: UUID) -> PersonExport:
    database = Database.for_shell(settings.database_url)
    box = SecretBox(settings.encryption_keys) if settings.encryption_keys else None
    try:
        async with database.transaction() as connection:
            tables = await detect(connection, settings.host_schema)
            org_id = (await find_organization(connection, tables, org)).id
            return await export_person(connection, tables, box, org_id, shell_actor(), lead_id)
    finally:
        await database.close()
