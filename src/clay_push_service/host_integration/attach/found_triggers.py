"""Reads which triggers and functions of this service exist in the NexusLeads database, and plans how to drop them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.host_integration.attach.host_schema import JOBS, quoted
from clay_push_service.host_integration.attach.triggers import TRIGGERS, Trigger


class _TriggerRow(NamedTuple):
    name: str
    is_enabled: bool


OUR_TRIGGERS = Statement(
    """
SELECT t.tgname::text AS name, t.tgenabled <> 'D' AS is_enabled
FROM pg_catalog.pg_trigger t
JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relname = 'sourcing_jobs' AND t.tgname = ANY(CAST(:names AS text[])) AND NOT t.tgisinternal
""",
    _TriggerRow,
)


class _FunctionRow(NamedTuple):
    name: str
    body: str
    is_definer: bool
    config: str


FUNCTIONS = Statement(
    """
SELECT p.proname::text AS name, p.prosrc AS body, p.prosecdef AS is_definer,
       coalesce(array_to_string(p.proconfig, ';'), '') AS config
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = 'clay' AND p.proname = ANY(CAST(:names AS text[]))
""",
    _FunctionRow,
)
CONFIG = "search_path=pg_catalog, pg_temp;lock_timeout=300ms"
"""The settings of each trigger function."""


@dataclass(frozen=True, slots=True)
class Step:
    description: str
    statement: str


@dataclass(frozen=True, slots=True)
class FoundTriggers:
    """The service's triggers (name → enabled) and their functions (name → body, security definer, settings) in this database."""

    schema: str
    triggers: Mapping[str, bool]
    functions: Mapping[str, tuple[str, bool, str]]

    def removal(self, trigger: Trigger) -> list[Step]:
        steps = []
        if trigger.name in self.triggers:
            description = f"drop trigger {trigger.name} on {self.schema}.{JOBS}"
            steps.append(Step(description, trigger.drop(quoted(self.schema))))
        if trigger.name in self.functions:
            steps.append(Step(f"drop function clay.{trigger.name}", trigger.drop_function))
        return steps


async def find_triggers(connection: AsyncConnection, schema: str) -> FoundTriggers:
    names = [trigger.name for trigger in TRIGGERS]
    triggers = await OUR_TRIGGERS.rows(connection, {"schema": schema, "names": names})
    functions = await FUNCTIONS.rows(connection, {"names": names})
    return FoundTriggers(
        schema,
        {row.name: row.is_enabled for row in triggers},
        {row.name: (row.body, row.is_definer, row.config) for row in functions},
    )
