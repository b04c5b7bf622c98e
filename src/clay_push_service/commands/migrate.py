"""`clay-push migrate`: our schema, by the role that may make it, for the role that runs on it."""

import typer

from clay_push_service import migrations
from clay_push_service.database_url import parse
from clay_push_service.settings import Settings


def run(settings: Settings) -> None:
    runtime_role = parse(settings.database_url).role
    migrations.upgrade(settings.admin_database_url or settings.database_url, runtime_role)
    typer.echo(f"Schema clay is at revision {migrations.head()}.")
