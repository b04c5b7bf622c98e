"""`clay-push api-keys`: creates, lists and revokes service keys. A key is shown only when it is created."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.api_keys import ApiKey, create_key, list_keys, revoke_key
from clay_push_service.callers.caller import Scope
from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.settings import Settings

Result = TypeVar("Result")


def create(settings: Settings, name: str, orgs: Sequence[str], scopes: Sequence[str]) -> None:
    known = {scope.value: scope for scope in Scope}
    for scope in scopes:
        if scope not in known:
            raise InvalidError(f"Unknown scope {scope!r}. The scopes are {', '.join(known)}.")

    async def act(connection: AsyncConnection) -> str:
        tables = await detect(connection, settings.host_schema) if orgs else None
        org_ids = [(await find_organization(connection, tables, org)).id for org in orgs] if tables else []
        created = await create_key(connection, name, org_ids, {known[scope] for scope in scopes}, shell_actor())
        return created.plain

    plain = _in_transaction(settings, act)
    typer.echo(plain)
    typer.echo("The key is not shown again. Send it as `Authorization: Bearer`, together with X-Org-Id.", err=True)


def show_all(settings: Settings) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("prefix", "name", "scopes", "organizations", "created", "last used", "state"):
        table.add_column(title, overflow="fold")
    for key in _in_transaction(settings, list_keys):
        table.add_row(*_cells(key))
    Console().print(table)


def revoke(settings: Settings, prefix: str) -> None:
    async def act(connection: AsyncConnection) -> ApiKey:
        return await revoke_key(connection, prefix, shell_actor())

    key = _in_transaction(settings, act)
    typer.echo(f"Key {key.prefix} ({key.name}) is revoked. Requests with it are refused from now on.")


def _cells(key: ApiKey) -> Sequence[str]:
    orgs = "\n".join(str(org_id) for org_id in key.org_ids) or "none"
    state = f"revoked {_day(key.revoked_at)}" if key.revoked_at else "live"
    return (
        key.prefix, key.name, ", ".join(sorted(key.scopes)), orgs, _day(key.created_at), _day(key.last_used_at), state,
    )  # fmt: skip


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"


def _in_transaction(settings: Settings, act: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        database = Database.for_shell(settings.database_url)
        try:
            async with database.transaction() as connection:
                return await act(connection)
        finally:
            await database.close()

    return asyncio.run(main())
