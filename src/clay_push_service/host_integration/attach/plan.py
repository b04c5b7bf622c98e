"""What `attach` would change, step by step, and what stands in its way. Looks at everything, changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.host.columns import COLUMNS, OPTIONAL_COLUMNS, OPTIONAL_TABLES
from clay_push_service.host.tables import HostTables
from clay_push_service.host_integration.attach import settings_function
from clay_push_service.host_integration.attach.attachment import Attachment, Level, read_attachment
from clay_push_service.host_integration.attach.grants import (
    Grant,
    may_enter,
    may_let_enter,
    missing_grants,
    needed,
    not_grantable,
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

STANDING = text("""
SELECT t.tgname::text AS name, t.tgenabled <> 'D' AS is_enabled
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relname = 'sourcing_jobs' AND t.tgname = ANY(CAST(:names AS text[])) AND NOT t.tgisinternal
""")
FUNCTIONS = text("""
SELECT p.proname::text AS name, p.prosrc AS body, p.prosecdef AS is_definer,
       coalesce(array_to_string(p.proconfig, ';'), '') AS config
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'clay' AND p.proname = ANY(CAST(:names AS text[]))
""")
MAY_TRIGGER = text("SELECT has_table_privilege(CAST(:table AS text), 'TRIGGER'), current_user::text")
WAITING = """
SELECT id FROM {jobs} AS job WHERE job_type::text = 'clay_push' AND status::text = 'pending'
  AND NOT EXISTS (SELECT 1 FROM clay.mirror WHERE mirror.host_job_id = job.id) ORDER BY created_at, id
"""
ROLE_EXISTS = text("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = :role)")
CONFIG = "search_path=pg_catalog, pg_temp;lock_timeout=300ms"


@dataclass(frozen=True, slots=True)
class Step:
    description: str
    statement: str


@dataclass(frozen=True, slots=True)
class AttachRequest:
    """What the operator asked for. `runtime_role` is the one that serves and works."""

    level: Level
    runtime_role: str
    with_trigger: bool = True
    take_waiting: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    tables: HostTables
    request: AttachRequest
    standing: Attachment | None
    problems: Sequence[str] = ()
    """Must be put right first; nothing is changed."""
    steps: Sequence[Step] = ()
    grants: Sequence[Grant] = ()
    """Everything the role needs at this level, whether it has it or not."""
    missing: Sequence[Grant] = ()
    waiting: Sequence[UUID] = field(default=())
    """Pushes of the host's own that are pending."""


async def make_plan(
    connection: AsyncConnection, tables: HostTables, host_schema: HostSchema, request: AttachRequest
) -> Plan:
    """As the role that would carry it out."""
    standing = await read_attachment(connection)
    problems = _lacking(tables, host_schema, request.level)
    if not (await connection.execute(ROLE_EXISTS, {"role": request.runtime_role})).scalar_one():
        problems.append(f"there is no role {request.runtime_role}, which is to run the service")
    if problems:
        return Plan(tables, request, standing, problems)
    grants = needed(tables, host_schema, request.level)
    missing = await missing_grants(connection, tables.schema, request.runtime_role, grants)
    problems += await _no_grant_right(connection, tables.schema, request.runtime_role, missing)
    problems += await settings_function.unreadable(connection, tables)
    steps = await _grant_steps(connection, tables, request, missing)
    trigger_steps = await _trigger_steps(connection, tables.schema, request)
    if any(step.statement.startswith("CREATE OR REPLACE TRIGGER") for step in trigger_steps):
        problems += await _no_trigger_right(connection, tables.schema)
    if problems:
        return Plan(tables, request, standing, problems, grants=grants, missing=missing)
    waiting = (await connection.execute(text(WAITING.format(jobs=host_schema.table(JOBS))))).scalars().all()
    if waiting and request.take_waiting and request.level is Level.INBOX:
        trigger_steps.append(Step(f"take over {len(waiting)} waiting pushes of the host's", _touch(host_schema)))
    return Plan(tables, request, standing, problems, [*steps, *trigger_steps], grants, missing, waiting)


def _lacking(tables: HostTables, host_schema: HostSchema, level: Level) -> list[str]:
    said = []
    for word, columns in COLUMNS.items():
        name = f"{tables.schema}.{tables.host_name(word)}"
        if not tables.has(word):
            said += [] if word in OPTIONAL_TABLES else [f"table {name} does not exist"]
            continue
        said += [
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
            named = f"{tables.schema}.{table}"
            said += [f"column {named}.{column} does not exist" for column in wanted if column not in has]
    return list(dict.fromkeys(said))


async def _grant_steps(
    connection: AsyncConnection, tables: HostTables, request: AttachRequest, missing: Sequence[Grant]
) -> list[Step]:
    schema, role = tables.schema, request.runtime_role
    steps = [] if await may_enter(connection, schema, role) else [enter_step(schema, role)]
    steps += [
        Step(
            f"let {role} {grant.privilege} {len(grant.columns)} columns of {schema}.{grant.table}",
            grant.statement(schema, role),
        )
        for grant in missing
    ]
    found = await settings_function.find(connection, role)
    steps += [Step(*each) for each in settings_function.statements(tables, role, found)]
    return steps + [
        Step(f"take from {role} the right to read all of {schema}.{grant.table}", grant.revoke(schema, role))
        for grant in await settings_function.table_grants(connection, tables, role)
    ]


async def _no_grant_right(connection: AsyncConnection, schema: str, role: str, missing: Sequence[Grant]) -> list[str]:
    """A GRANT by a role that may not give it is a mere warning in PostgreSQL, so it is asked before."""
    problems = []
    if not (await may_enter(connection, schema, role) or await may_let_enter(connection, schema)):
        problems.append(f"let the owner of schema {schema} run: {enter_step(schema, role).statement}")
    return problems + [
        f"let the owner of {schema}.{grant.table} run: {grant.statement(schema, role)}"
        for grant in await not_grantable(connection, schema, missing)
    ]


def enter_step(schema: str, role: str) -> Step:
    return Step(f"let {role} use schema {schema}", f"GRANT USAGE ON SCHEMA {quoted(schema)} TO {quoted(role)}")


async def _trigger_steps(connection: AsyncConnection, schema: str, request: AttachRequest) -> list[Step]:
    found = await find_ours(connection, schema)
    steps = []
    for trigger in TRIGGERS:
        if not _wanted(trigger, request):
            steps += found.removal(trigger)
            continue
        if found.functions.get(trigger.name) != (trigger.body, True, CONFIG):
            steps += [
                Step(f"write function clay.{trigger.name}", trigger.create_function),
                Step(f"let nobody call clay.{trigger.name} but its trigger", trigger.close_function),
            ]
        if not found.triggers.get(trigger.name):
            what = f"put trigger {trigger.name} ({trigger.timing}, each row) on {schema}.{JOBS}"
            steps.append(Step(what, trigger.create(quoted(schema))))
    return steps


@dataclass(frozen=True, slots=True)
class Found:
    """Ours in this database: triggers with whether they are enabled, functions with body, rights and settings."""

    schema: str
    triggers: Mapping[str, bool]
    functions: Mapping[str, tuple[str, bool, str]]

    def removal(self, trigger: Trigger) -> list[Step]:
        steps = []
        if trigger.name in self.triggers:
            description = f"take trigger {trigger.name} off {self.schema}.{JOBS}"
            steps.append(Step(description, trigger.drop(quoted(self.schema))))
        if trigger.name in self.functions:
            steps.append(Step(f"drop function clay.{trigger.name}", trigger.drop_function))
        return steps


async def find_ours(connection: AsyncConnection, schema: str) -> Found:
    names = [trigger.name for trigger in TRIGGERS]
    triggers = await connection.execute(STANDING, {"schema": schema, "names": names})
    functions = await connection.execute(FUNCTIONS, {"names": names})
    return Found(
        schema,
        {row.name: row.is_enabled for row in triggers},
        {row.name: (row.body, row.is_definer, row.config) for row in functions},
    )


async def removals(connection: AsyncConnection, schema: str) -> list[Step]:
    """All of ours that stands, for `detach`."""
    found = await find_ours(connection, schema)
    steps = [step for trigger in TRIGGERS for step in found.removal(trigger)]
    if await settings_function.find(connection, None) is not None:
        steps.append(Step(f"drop function {settings_function.SIGNATURE}", settings_function.DROP))
    return steps


def _wanted(trigger: Trigger, request: AttachRequest) -> bool:
    levels = list(Level)
    reached = levels.index(trigger.level) <= levels.index(request.level)
    return reached and (request.with_trigger or request.level is Level.INBOX)


async def _no_trigger_right(connection: AsyncConnection, schema: str) -> list[str]:
    name = f"{quoted(schema)}.{JOBS}"
    allowed, role = (await connection.execute(MAY_TRIGGER, {"table": name})).one()
    return (
        [] if allowed else [f"role {role} may not put a trigger on {name}: GRANT TRIGGER ON {name} TO {quoted(role)}"]
    )


def _touch(host_schema: HostSchema) -> str:
    """Written as it is: the trigger does the rest."""
    waiting = WAITING.format(jobs=host_schema.table(JOBS)).strip()
    return f"UPDATE {host_schema.table(JOBS)} SET status = status WHERE id IN ({waiting} FOR UPDATE SKIP LOCKED)"
