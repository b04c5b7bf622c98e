"""`clay-push migrate`: migrates schema clay as the admin role and grants access to the runtime role."""

import typer

from clay_push_service import migrations
from clay_push_service.database_url import parse
from clay_push_service.settings import Settings


def run(settings: Settings) -> None:
    runtime_role = parse(settings.database_url).role
    migrations.upgrade(settings.admin_database_url or settings.database_url, runtime_role)
    typer.echo(f"Schema clay is at revision {migrations.head()}.")
