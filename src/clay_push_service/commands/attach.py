"""`clay-push attach` and `detach`: print the planned changes to NexusLeads' database, then make them with ADMIN_DATABASE_URL."""

import asyncio

import typer

from clay_push_service.database.database import Database
from clay_push_service.database_url import parse
from clay_push_service.errors import InvalidError
from clay_push_service.host.detect import detect
from clay_push_service.host_integration.attach import attach as attaching
from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.attach.plan import AttachRequest, Plan, usage_step
from clay_push_service.settings import Settings

MAX_SHOWN = 10
"""Waiting pushes that are listed by id."""


def parse_level(word: str) -> Level:
    try:
        return Level(word)
    except ValueError:
        raise InvalidError(f"Unknown level {word!r}. The levels are read, mirror and inbox.") from None


def attach(
    settings: Settings, level: Level, *, dry_run: bool, with_trigger: bool, take_waiting: bool, write_enrichment: bool
) -> int:
    """Returns the exit code: 1 if a problem prevents the change."""
    role = parse(settings.database_url).role
    request = AttachRequest(
        level, role, with_trigger=with_trigger, take_waiting=take_waiting, write_enrichment=write_enrichment
    )
    plan = asyncio.run(_attach(settings, request, dry_run=True))
    show_plan(plan, dry_run=dry_run)
    if plan.problems:
        return 1
    if not dry_run:
        asyncio.run(_attach(settings, request, dry_run=False))
        typer.echo(f"Attached at level {level}.")
    return 0


def detach(settings: Settings, *, dry_run: bool) -> int:
    asyncio.run(_detach(settings, dry_run=dry_run))
    return 0


def _admin(settings: Settings) -> Database:
    return Database.for_shell(settings.admin_database_url or settings.database_url, "clay-push-attach")


async def _attach(settings: Settings, request: AttachRequest, *, dry_run: bool) -> Plan:
    database = _admin(settings)
    try:
        async with database.transaction() as connection:
            tables = await detect(connection, settings.host_schema)
            return await attaching.attach(connection, tables, request, dry_run=dry_run)
    finally:
        await database.close()


async def _detach(settings: Settings, *, dry_run: bool) -> None:
    role = parse(settings.database_url).role
    database = _admin(settings)
    try:
        async with database.transaction() as connection:
            tables = await detect(connection, settings.host_schema)
            steps, ended, grants = await attaching.detach(connection, tables, role, dry_run=dry_run)
    finally:
        await database.close()
    for step in steps:
        typer.echo(f"- {step.description}")
    typer.echo(f"- end {ended:,} unfinished rows in {tables.schema}.sourcing_jobs; finished rows stay")
    typer.echo("Nothing was changed (--dry-run)." if dry_run else "Detached.")
    if grants and not dry_run:
        typer.echo(f"Role {role} keeps these privileges. If nothing else uses the role, revoke them:")
        for grant in grants:
            typer.echo(f"  {grant.revoke(tables.schema, role)};")


def show_plan(plan: Plan, *, dry_run: bool) -> None:
    schema, role = plan.tables.schema, plan.request.runtime_role
    standing = f"attached at level {plan.attachment.level}" if plan.attachment else "not attached"
    typer.echo(f"NexusLeads ({plan.tables.vintage}) in schema {schema}; {standing}; the service runs as {role}.")
    for problem in plan.problems:
        typer.echo(f"Problem: {problem}.", err=True)
    if plan.problems:
        return
    if dry_run:
        _show_grants(plan)
    _show_steps(plan, dry_run=dry_run)
    if plan.waiting and plan.request.level is Level.INBOX and not plan.request.take_waiting:
        named = ", ".join(str(each) for each in plan.waiting[:MAX_SHOWN])
        more = f" and {len(plan.waiting) - MAX_SHOWN:,} more" if len(plan.waiting) > MAX_SHOWN else ""
        typer.echo(f"{len(plan.waiting):,} pushes are already queued by NexusLeads: {named}{more}.")
        typer.echo("NexusLeads processes them. With --take-waiting this service processes them.")


def _show_grants(plan: Plan) -> None:
    schema, role = plan.tables.schema, plan.request.runtime_role
    typer.echo("A role with least privileges needs at this level:")
    typer.echo(f"  {usage_step(schema, role).statement};")
    lacking = {(grant.privilege, grant.table) for grant in plan.missing}
    for grant in plan.grants:
        mark = " -- missing" if (grant.privilege, grant.table) in lacking else ""
        typer.echo(f"  {grant.statement(schema, role)};{mark}")


def _show_steps(plan: Plan, *, dry_run: bool) -> None:
    typer.echo("Would do:" if dry_run else "Will do:")
    for step in plan.steps:
        typer.echo(f"- {step.description}")
        if dry_run:
            typer.echo("    " + step.statement.strip().replace("\n", "\n    ") + ";")
    writes = plan.request.write_enrichment
    if not plan.attachment or plan.attachment.level is not plan.request.level:
        typer.echo(f"- record level {plan.request.level} in clay.attachment")
    elif plan.attachment.writes_enrichment is not writes:
        typer.echo(f"- record that values of Clay {'may' if writes else 'may not'} fill empty columns of leads")
    elif not plan.steps:
        typer.echo("- nothing: everything is in place")
