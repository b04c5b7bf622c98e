"""`clay-push exclusions`: adds, lists and removes exclusions with the same rules as the API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.host.tables import HostTables
from clay_push_service.privacy.exclude import ExclusionResult, exclude
from clay_push_service.routing.address import parse_address
from clay_push_service.routing.domain import parse_domain, warning_of
from clay_push_service.routing.exclusion_target import ExcludedSegment, ExclusionTarget
from clay_push_service.routing.exclusions import (
    Exclusion,
    ExclusionKind,
    list_exclusions,
    remove_exclusion,
)
from clay_push_service.settings import Settings

PAGE = 200
Result = TypeVar("Result")


def parse_target(lead: str | None, domain: str | None, email: str | None, segment: str | None) -> ExclusionTarget:
    """Raises 422 unless exactly one of them is given and valid."""
    if [lead, domain, email, segment].count(None) != 3:  # noqa: PLR2004 - of four
        raise InvalidError("Give exactly one of --lead, --domain, --email and --segment.")
    if segment is not None:
        return ExcludedSegment(_identifier(segment, "a segment id"))
    if lead is not None:
        return _identifier(lead, "a lead id")
    if email is not None:
        address = parse_address(email)
        if address is None:
            raise InvalidError("--email is not one e-mail address. Give it as jane@acme.com.")
        return address
    found = parse_domain(domain or "")
    if found is None:
        raise InvalidError(f"{domain!r} is not an e-mail domain. Give it as acme.com.")
    return found


def add(settings: Settings, org: str, target: ExclusionTarget, reason: str, *, opt_out: bool) -> None:
    kind = ExclusionKind.OPT_OUT if opt_out else ExclusionKind.EXCLUSION

    async def act(connection: AsyncConnection, tables: HostTables, org_id: UUID) -> ExclusionResult:
        return await exclude(connection, tables, org_id, shell_actor(), target, kind, reason.strip())

    if not reason.strip():
        raise InvalidError("The reason is empty. Give one with --reason.")
    added = _in_transaction(settings, org, act)
    if added.is_new:
        typer.echo(
            f"Excluded ({added.exclusion.id}). Queued deliveries skipped: {added.stopped:,}."
            f" Queued enrichments skipped: {added.stopped_enrichments:,}."
        )
    else:
        typer.echo(f"It was excluded already ({added.exclusion.id}).")
    if warning := warning_of(added.exclusion.domain):
        typer.echo(f"Warning: {warning}", err=True)


def show_all(settings: Settings, org: str) -> None:
    async def act(connection: AsyncConnection, _tables: HostTables, org_id: UUID) -> list[Exclusion]:
        found: list[Exclusion] = []
        cursor: str | None = None
        while True:
            page, cursor = await list_exclusions(connection, org_id, None, cursor, PAGE)
            found.extend(page)
            if cursor is None:
                return found

    table = Table(box=None, pad_edge=False)
    for title in ("id", "kind", "of", "reason", "by", "since"):
        table.add_column(title, overflow="fold")
    for each in _in_transaction(settings, org, act):
        segment = f"segment {each.segment_id}" if each.segment_id else None
        shown = (
            "an erased lead" if each.erased_at else str(each.lead_id or each.domain or segment or "an e-mail address")
        )
        since = f"{each.created_at:%Y-%m-%d}"
        table.add_row(str(each.id), each.kind, shown, each.reason or "", each.created_by, since)
    Console().print(table)


def remove(settings: Settings, org: str, exclusion: str) -> None:
    exclusion_id = _identifier(exclusion, "the id of an exclusion")

    async def act(connection: AsyncConnection, _tables: HostTables, org_id: UUID) -> None:
        await remove_exclusion(connection, org_id, shell_actor(), exclusion_id)

    _in_transaction(settings, org, act)
    typer.echo("The exclusion is removed. Its leads may be pushed again.")


def _identifier(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"{text!r} is not {what} (a UUID).") from None


def _in_transaction(
    settings: Settings, org: str, act: Callable[[AsyncConnection, HostTables, UUID], Awaitable[Result]]
) -> Result:
    async def run() -> Result:
        database = Database.for_shell(settings.database_url)
        try:
            async with database.transaction() as connection:
                tables = await detect(connection, settings.host_schema)
                return await act(connection, tables, (await find_organization(connection, tables, org)).id)
        finally:
            await database.close()

    return asyncio.run(run())
