"""`clay-push erase`: erases leads as the API does, and prints the receipt, the only list of what was sent to Clay."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import typer

from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.privacy.erase import MAX_LEADS, erase
from clay_push_service.privacy.receipt import Receipt, read_receipt
from clay_push_service.settings import Settings


def run(settings: Settings, org: str, leads: Sequence[str], former_values: Sequence[str] | None) -> None:
    """Raises 422 for an invalid lead id, before anything is erased."""
    receipt = asyncio.run(_erase(settings, org, [_lead_id(lead) for lead in leads], former_values))
    typer.echo(receipt.model_dump_json(indent=2))
    typer.echo(receipt.message, err=True)
    if any(lead.gone_to_clay for lead in receipt.leads):
        typer.echo("Delete these rows in Clay by hand. Find them by `_meta.delivery_id`.", err=True)


def _lead_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"{text!r} is not a lead id (a UUID).") from None


async def _erase(
    settings: Settings, org: str, lead_ids: Sequence[UUID], former_values: Sequence[str] | None
) -> Receipt:
    if len(lead_ids) > MAX_LEADS:
        raise InvalidError(f"Too many leads: at most {MAX_LEADS:,} can be erased at once.")
    database = Database.for_shell(settings.database_url)
    try:
        async with database.transaction() as connection:
            tables = await detect(connection, settings.host_schema)
            org_id = (await find_organization(connection, tables, org)).id
            erasure_id, people = await erase(connection, tables, org_id, shell_actor(), lead_ids, former_values)
            known = {person.reference: person.lead_id for person in people}
            return await read_receipt(connection, org_id, erasure_id, known)
    finally:
        await database.close()
