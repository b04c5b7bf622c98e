"""Plans the steps of `attach`, and finds problems that prevent them. Read-only."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.host.columns import COLUMNS, OPTIONAL_COLUMNS, OPTIONAL_TABLES
from clay_push_service.host.tables import HostTables
from clay_push_service.host_integration.attach import settings_function
from clay_push_service.host_integration.attach.attachment import Attachment, Level, read_attachment
from clay_push_service.host_integration.attach.found_triggers import CONFIG, Step, find_triggers
from clay_push_service.host_integration.attach.grants import (
    Grant,
    may_grant_schema_usage,
    may_use_schema,
    missing_grants,
    needed_grants,
    ungrantable,
)
from clay_push_service.host_integration.attach.host_schema import (
    JOB_CHANGES,
    JOBS,
    LOG,
    PROGRESS,
    PROGRESS_CHANGES,
    HostSchema,
    quoted,
)
from clay_push_service.host_integration.attach.triggers import TRIGGERS, Trigger


class _TriggerRight(NamedTuple):
    allowed: bool
    role: str


MAY_TRIGGER = Statement(
    "SELECT has_table_privilege(CAST(:table AS text), 'TRIGGER') AS allowed, current_user::text AS role", _TriggerRight
)
WAITING = """
SELECT id FROM {jobs} AS job WHERE job_type::text = 'clay_push' AND status::text = 'pending'
  AND NOT EXISTS (SELECT 1 FROM clay.mirror WHERE mirror.host_job_id = job.id) ORDER BY created_at, id
"""
ROLE_EXISTS = Statement("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = :role)", bool)


@dataclass(frozen=True, slots=True)
class AttachRequest:
    """The operator's request. `runtime_role`: the role of web processes and workers."""

    level: Level
    runtime_role: str
    with_trigger: bool = True
    take_waiting: bool = False
    write_enrichment: bool = False
    """Fill empty columns of leads with values that Clay found."""


@dataclass(frozen=True, slots=True)
class Plan:
    tables: HostTables
    request: AttachRequest
    attachment: Attachment | None
    """Before this plan."""
    problems: Sequence[str] = ()
    """These must be repaired first; nothing is changed."""
    steps: Sequence[Step] = ()
    grants: Sequence[Grant] = ()
    """All rights that the role needs at this level, including those it has."""
    missing: Sequence[Grant] = ()
    waiting: Sequence[UUID] = field(default=())
    """Pending pushes of the host."""


async def make_plan(
    connection: AsyncConnection, tables: HostTables, host_schema: HostSchema, request: AttachRequest
) -> Plan:
    """Runs as the role that would apply the plan."""
    attachment = await read_attachment(connection)
    problems = _missing_columns(tables, host_schema, request.level)
    if not await ROLE_EXISTS.one(connection, {"role": request.runtime_role}):
        problems.append(f"role {request.runtime_role}, which runs the service, does not exist")
    if problems:
        return Plan(tables, request, attachment, problems)
    grants = needed_grants(tables, host_schema, request.level, write_enrichment=request.write_enrichment)
    missing = await missing_grants(connection, tables.schema, request.runtime_role, grants)
    problems += await _missing_grant_rights(connection, tables.schema, request.runtime_role, missing)
    problems += await settings_function.unreadable_tables(connection, tables)
    steps = await _grant_steps(connection, tables, request, missing)
    trigger_steps = await _trigger_steps(connection, tables.schema, request)
    if any(step.statement.startswith("CREATE OR REPLACE TRIGGER") for step in trigger_steps):
        problems += await _missing_trigger_right(connection, tables.schema)
    if problems:
        return Plan(tables, request, attachment, problems, grants=grants, missing=missing)
    waiting = await Statement(WAITING.format(jobs=host_schema.table(JOBS)), UUID).rows(connection)
    if waiting and request.take_waiting and request.level is Level.INBOX:
        trigger_steps.append(
            Step(f"take over {len(waiting)} waiting pushes of NexusLeads", _take_over_statement(host_schema))
        )
    return Plan(tables, request, attachment, problems, [*steps, *trigger_steps], grants, missing, waiting)


def _missing_columns(tables: HostTables, host_schema: HostSchema, level: Level) -> list[str]:
    missing = []
    for word, columns in COLUMNS.items():
        name = f"{tables.schema}.{tables.host_name(word)}"
        if not tables.has(word):
            missing += [] if word in OPTIONAL_TABLES else [f"table {name} does not exist"]
            continue
        missing += [
            f"column {name}.{tables.host_name(key)} does not exist"
            for key in columns
            if not tables.has(word, key) and f"{word}.{key}" not in OPTIONAL_COLUMNS
        ]
    if level.mirrors:
        for table, has, wanted in (
            (JOBS, host_schema.jobs, (*JOB_CHANGES, "id", "job_type")),
            (PROGRESS, host_schema.progress, ("id", "job_id", "step_number", *PROGRESS_CHANGES)),
            (LOG, host_schema.log, ("id", "org_id", "status", "pushed_at")),
        ):
            name = f"{tables.schema}.{table}"
            missing += [f"column {name}.{column} does not exist" for column in wanted if column not in has]
    return list(dict.fromkeys(missing))


async def _grant_steps(
    connection: AsyncConnection, tables: HostTables, request: AttachRequest, missing: Sequence[Grant]
) -> list[Step]:
    schema, role = tables.schema, request.runtime_role
    steps = [] if await may_use_schema(connection, schema, role) else [usage_step(schema, role)]
    steps += [
        Step(
            f"let {role} {grant.privilege} {len(grant.columns)} columns of {schema}.{grant.table}",
            grant.statement(schema, role),
        )
        for grant in missing
    ]
    found = await settings_function.find_function(connection, role)
    steps += [Step(*each) for each in settings_function.missing_steps(tables, role, found)]
    return steps + [
        Step(f"take from {role} the right to read all of {schema}.{grant.table}", grant.revoke(schema, role))
        for grant in await settings_function.table_grants(connection, tables, role)
    ]


async def _missing_grant_rights(
    connection: AsyncConnection, schema: str, role: str, missing: Sequence[Grant]
) -> list[str]:
    """PostgreSQL only warns when a role grants a right that it cannot give, so the right is checked first."""
    problems = []
    if not (await may_use_schema(connection, schema, role) or await may_grant_schema_usage(connection, schema)):
        problems.append(f"let the owner of schema {schema} run: {usage_step(schema, role).statement}")
    return problems + [
        f"let the owner of {schema}.{grant.table} run: {grant.statement(schema, role)}"
        for grant in await ungrantable(connection, schema, missing)
    ]


def usage_step(schema: str, role: str) -> Step:
    return Step(f"let {role} use schema {schema}", f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)}")


async def _trigger_steps(connection: AsyncConnection, schema: str, request: AttachRequest) -> list[Step]:
    found = await find_triggers(connection, schema)
    steps = []
    for trigger in TRIGGERS:
        if not _is_requested(trigger, request):
            steps += found.removal(trigger)
            continue
        if found.functions.get(trigger.name) != (trigger.body, True, CONFIG):
            steps += [
                Step(f"create function clay.{trigger.name}", trigger.create_function),
                Step(
                    f"close function clay.{trigger.name} to all roles; its trigger still calls it",
                    trigger.close_function,
                ),
            ]
        if not found.triggers.get(trigger.name):
            what = f"create trigger {trigger.name} ({trigger.timing}, each row) on {schema}.{JOBS}"
            steps.append(Step(what, trigger.create(quoted(schema))))
    return steps


async def plan_removals(connection: AsyncConnection, schema: str) -> list[Step]:
    """The steps of `detach`: drops everything that `attach` created."""
    found = await find_triggers(connection, schema)
    steps = [step for trigger in TRIGGERS for step in found.removal(trigger)]
    if await settings_function.find_function(connection, None) is not None:
        steps.append(Step(f"drop function {settings_function.SIGNATURE}", settings_function.DROP))
    return steps


def _is_requested(trigger: Trigger, request: AttachRequest) -> bool:
    levels = list(Level)
    reached = levels.index(trigger.level) <= levels.index(request.level)
    return reached and (request.with_trigger or request.level is Level.INBOX)


async def _missing_trigger_right(connection: AsyncConnection, schema: str) -> list[str]:
    name = f"{quoted(schema)}.{JOBS}"
    found = await MAY_TRIGGER.one(connection, {"table": name})
    return (
        []
        if found.allowed
        else [f"role {found.role} may not create a trigger on {name}: GRANT TRIGGER ON {name} TO {quoted(found.role)}"]
    )


def _take_over_statement(host_schema: HostSchema) -> str:
    """Updates the rows without a change, so that the trigger takes them over."""
    waiting = WAITING.format(jobs=host_schema.table(JOBS)).strip()
    return f"UPDATE {host_schema.table(JOBS)} SET status = status WHERE id IN ({waiting} FOR UPDATE SKIP LOCKED)"
