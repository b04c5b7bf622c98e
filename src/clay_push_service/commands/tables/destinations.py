"""`clay-push destinations`: lists, creates, changes, tests and archives an organization's Clay tables with the service of the API."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import typer
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.callers.actor import Actor
from clay_push_service.clay.webhook_client import ClayClient
from clay_push_service.commands.tables.body import read_body
from clay_push_service.commands.tables.secret_input import read_secret
from clay_push_service.commands.tables.session import (
    find_destination,
    find_mapping,
    find_workspace,
    in_transaction,
    open_destinations,
    table_of,
)
from clay_push_service.database.clock import DatabaseClock
from clay_push_service.destination_settings.connection_test.result import Finding
from clay_push_service.destination_settings.named.schemas import DestinationBody, DestinationUpdate, NamedDestination
from clay_push_service.destination_settings.named.service import NamedDestinations
from clay_push_service.destination_settings.named.used_by import uses_of
from clay_push_service.destinations.read import DestinationView, destination_views
from clay_push_service.destinations.resolve import default_resolver
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.errors import InvalidError
from clay_push_service.settings import Settings

URL_PROMPT: Final = "Webhook URL"
TOKEN_PROMPT: Final = "Auth token"  # noqa: S105 - a prompt


@dataclass(frozen=True, slots=True)
class DestinationOptions:
    """None and False: the option is not given."""

    name: str | None = None
    workspace: str | None = None
    """Its id or name."""
    mapping: str | None = None
    """Its id or name."""
    standard_payload: bool = False
    webhook: bool = False
    token: bool = False
    remove_token: bool = False
    dedupe: str | None = None
    dedupe_column: str | None = None
    quota_used: int | None = None
    quota_limit: int | None = None
    no_quota_limit: bool = False
    new_table: bool = False

    def require_possible(self) -> None:
        """Raises 422 for two options that contradict each other."""
        for first, second, both in (
            ("--quota-limit", "--no-quota-limit", self.quota_limit is not None and self.no_quota_limit),
            ("--token", "--remove-token", self.token and self.remove_token),
            ("--mapping", "--standard-payload", self.mapping is not None and self.standard_payload),
        ):
            if both:
                raise InvalidError(f"{first} and {second} contradict each other. Give one of them.")

    def values(self) -> dict[str, object]:
        """As the body of the API, without what is read from the prompts or the database."""
        given: dict[str, object] = {
            "name": self.name, "dedupe": self.dedupe, "dedupe_column": self.dedupe_column, "quota_used": self.quota_used,
            "quota_limit": self.quota_limit,
        }  # fmt: skip
        values = {name: value for name, value in given.items() if value is not None}
        if self.no_quota_limit:
            values["quota_limit"] = None
        if self.remove_token:
            values["webhook_token"] = None
        if self.standard_payload:
            values["mapping_id"] = None
        if self.new_table:
            values["new_table"] = True
        return values

    def read_secrets(self) -> dict[str, object]:
        """The URL before the token."""
        wanted = (("webhook_url", URL_PROMPT, self.webhook), ("webhook_token", TOKEN_PROMPT, self.token))
        return {name: read_secret(prompt) for name, prompt, is_wanted in wanted if is_wanted}

    async def read_ids(self, service: NamedDestinations) -> dict[str, object]:
        found: dict[str, object] = {}
        async with service.settings.database.transaction() as connection:
            if self.workspace is not None:
                found["workspace_id"] = await find_workspace(connection, service.org_id, self.workspace)
            if self.mapping is not None:
                found["mapping_id"] = await find_mapping(connection, service.org_id, self.mapping)
        return found


def show_all(settings: Settings, org: str, *, archived: bool) -> None:
    async def read(connection: AsyncConnection, actor: Actor) -> Sequence[DestinationView]:
        return await destination_views(connection, actor.org_id, archived=archived)

    table = table_of("id", "name", "default", "workspace", "state", "used", "limit", "dedupe", "mapping", "webhook")
    for view in in_transaction(settings, org, read):
        webhook, mapping = view.webhook, view.mapping
        state = "archived" if view.archived_at else "no webhook" if webhook is None else webhook.state.value
        used = "" if webhook is None else f"{webhook.quota.used:,}"
        limit = "" if webhook is None else "none" if webhook.quota.limit is None else f"{webhook.quota.limit:,}"
        table.add_row(
            str(view.id), view.name, "yes" if view.is_default else "", view.workspace_name, state, used, limit,
            view.dedupe.value, "standard" if mapping is None else f"{mapping.name}, version {mapping.number}",
            webhook.url_mask if webhook else "",
        )  # fmt: skip
    Console().print(table)


def create(settings: Settings, org: str, options: DestinationOptions) -> None:
    """Reads the webhook URL, and with `token` its auth token, from the prompts."""
    options.require_possible()
    box = SecretBox(settings.encryption_keys)  # before the prompts: without a key nothing can be saved
    values = options.values() | options.read_secrets()

    async def run() -> NamedDestination:
        async with open_destinations(settings, org) as service:
            body = read_body(DestinationBody, values | await options.read_ids(service))
            resolver = default_resolver()
            try:
                return await service.create(box, resolver, body)
            finally:
                await resolver.close()

    _show_saved(asyncio.run(run()), "created")


def change(settings: Settings, org: str, destination: str, options: DestinationOptions) -> None:
    options.require_possible()
    if options == DestinationOptions():
        raise InvalidError("Nothing is to be changed: give at least one option. `--help` lists them.")
    _change(settings, org, destination, options, {}, "changed")


def make_default(settings: Settings, org: str, destination: str) -> None:
    _change(settings, org, destination, DestinationOptions(), {"is_default": True}, "the default one now")


def _change(
    settings: Settings, org: str, destination: str, options: DestinationOptions, more: dict[str, object], done: str
) -> None:
    values = options.values() | options.read_secrets() | more

    async def run() -> NamedDestination:
        async with open_destinations(settings, org) as service:
            destination_id = await _find(service, destination)
            update = read_body(DestinationUpdate, values | await options.read_ids(service))
            resolver = default_resolver()
            try:
                return await service.change(
                    lambda: SecretBox(settings.encryption_keys), resolver, destination_id, update
                )
            finally:
                await resolver.close()

    _show_saved(asyncio.run(run()), done)


def archive(settings: Settings, org: str, destination: str, *, is_confirmed: bool) -> None:
    """Ask first, unless `is_confirmed`: its webhook is deleted, and queued leads are not sent."""

    async def find(connection: AsyncConnection, actor: Actor) -> tuple[UUID, str, bool]:
        found = await find_destination(connection, actor.org_id, destination)
        views = await destination_views(connection, actor.org_id)
        name = next(each.name for each in views if each.id == found)
        return found, name, bool(await uses_of(connection, actor.org_id, found))

    destination_id, name, is_used = in_transaction(settings, org, find)
    if not is_confirmed and not is_used:
        typer.confirm(
            f"Archive “{name}”? Its webhook is deleted, and leads that are queued for it are not sent.", abort=True
        )

    async def run() -> int | None:
        async with open_destinations(settings, org) as service:
            return await service.archive(destination_id)

    ended = asyncio.run(run())
    typer.echo(f"“{name}” is archived, and its history stays. Queued leads that will not be sent: {ended or 0:,}.")


def test(settings: Settings, org: str, destination: str) -> int:
    """Send a sample row, and print the stages. Returns the exit code: 0 if Clay accepted the row."""
    box = SecretBox(settings.encryption_keys)

    async def run() -> Finding:
        async with open_destinations(settings, org) as service:
            destination_id = await _find(service, destination)
            client = ClayClient.create(settings)
            try:
                return await service.test(box, client, DatabaseClock(), destination_id)
            finally:
                await client.close()

    finding = asyncio.run(run())
    table = table_of("stage", "result", "message")
    for stage in finding.stages:
        table.add_row(
            stage.name.value, stage.status.value, " ".join(text for text in (stage.message, stage.remedy) if text)
        )
    Console().print(table)
    typer.echo(finding.message)
    return 0 if finding.success else 1


async def _find(service: NamedDestinations, given: str) -> UUID:
    async with service.settings.database.transaction() as connection:
        return await find_destination(connection, service.org_id, given)


def _show_saved(saved: NamedDestination, done: str) -> None:
    typer.echo(f"“{saved.name}” ({saved.id}) is {done}.")
    for warning in saved.warnings:
        typer.echo(f"  {warning}")
