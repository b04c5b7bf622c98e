"""Describes a failed statement for the log: SQLSTATE, relation and statement name; never a parameter or a row."""

import re
from collections.abc import Iterator
from types import TracebackType

import asyncpg
import psycopg
from sqlalchemy.exc import DBAPIError

PACKAGE = "clay_push_service."
STATEMENT_RUNNERS = ("clay_push_service.database.", "clay_push_service.queue")
"""Modules that run the statements of others."""
NAMES_OBJECTS_ONLY = ("42", "3D", "3F")
"""SQLSTATE classes (access rules, missing objects) whose message names objects and quotes no value."""
RELATION = re.compile(r'\b(?:FROM|JOIN|INTO|UPDATE)\s+((?:"[^"]+"|\w+)\.(?:"[^"]+"|\w+))', re.IGNORECASE)
"""Matches qualified names; all statements of this service qualify them."""
MAX_CHARACTERS = 200


def failure(error: BaseException) -> dict[str, str]:
    """Fields for a log line.

    `error`: the class, the database's own where there is one. Only for an error of the database, as far as they are known:
    `sqlstate`; `relation`, from the server, else from the statement; `statement`, the module and function that ran it;
    `reason`, the server's message if it names only objects.
    """
    chain = list(_chain(error))
    cause = next((each for each in chain if isinstance(each, asyncpg.PostgresError | psycopg.Error)), None)
    if cause is None:
        inner = next((each for each in chain if isinstance(each, asyncpg.InterfaceError)), None)
        known = inner if inner is not None else (error.orig or error) if isinstance(error, DBAPIError) else error
        fields = {"error": type(known).__name__}
        return fields | _named(_statement_name(error)) if inner is not None or isinstance(error, DBAPIError) else fields
    state: str = getattr(cause, "sqlstate", None) or ""
    fields = {"error": type(cause).__name__}
    if state:
        fields["sqlstate"] = state
    if relation := _relation(cause, chain):
        fields["relation"] = relation
    if state.startswith(NAMES_OBJECTS_ONLY):
        fields["reason"] = str(cause).partition("\n")[0][:MAX_CHARACTERS]
    return fields | _named(_statement_name(error) or _statement_name(cause))


def _named(statement: str | None) -> dict[str, str]:
    return {"statement": statement} if statement else {}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what caused it, outermost first."""
    each: BaseException | None = error
    seen = set[int]()
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        original = each.orig if isinstance(each, DBAPIError) else None
        each = original or each.__cause__


def _relation(cause: BaseException, chain: list[BaseException]) -> str | None:
    source = cause.diag if isinstance(cause, psycopg.Error) else cause
    table: str | None = getattr(source, "table_name", None)
    if table:
        schema: str | None = getattr(source, "schema_name", None)
        return f"{schema}.{table}" if schema else table
    sql = next((each.statement for each in chain if isinstance(each, DBAPIError) and each.statement), None)
    sql = sql or getattr(cause, "statement_of_clay_push", None) or ""
    named = dict.fromkeys(name.replace('"', "") for name in RELATION.findall(sql))
    return ", ".join(named)[:MAX_CHARACTERS] or None


def _statement_name(error: BaseException) -> str | None:
    """Return the innermost function of this service in the traceback, such as `deliveries.claim.claim`."""
    found, trace = None, error.__traceback__
    while isinstance(trace, TracebackType):
        module: str = trace.tb_frame.f_globals.get("__name__", "")
        if module.startswith(PACKAGE) and not module.startswith(STATEMENT_RUNNERS):
            found = f"{module.removeprefix(PACKAGE)}.{trace.tb_frame.f_code.co_qualname}"
        trace = trace.tb_next
    return found
