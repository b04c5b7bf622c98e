"""Query plans of the service's statements."""

from typing import Any

import asyncpg

from clay_push_service.database.statement import Statement


async def generic_plan(connection: asyncpg.Connection, statement: Statement[Any]) -> str:
    """Returns the plan that a repeated execution uses, which is made for unknown values."""
    prepared = await connection.prepare(statement.sql)
    kinds = ", ".join(each.name for each in prepared.get_parameters())
    values = ", ".join("NULL" for _ in prepared.get_parameters())
    async with connection.transaction():
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE looked_at ({kinds}) AS {statement.sql}")
        lines = await connection.fetch(f"EXPLAIN EXECUTE looked_at ({values})")
        await connection.execute("DEALLOCATE looked_at")
    return "\n".join(line[0] for line in lines)
