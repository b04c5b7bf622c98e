"""Dumps schema `clay` as one text: every column of every table, including the queue's, for tests that search for traces."""

from sqlalchemy import text

from clay_push_service.database.database import Database


async def dump(database: Database) -> str:
    """One line a row: the table's name and the row as PostgreSQL writes it; bytes as hexadecimals."""
    lines: list[str] = []
    async with database.transaction() as connection:
        tables = (
            await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'clay' ORDER BY 1"))
        ).scalars()
        for table in tables.all():
            rows = await connection.execute(text(f'SELECT CAST(t AS text) FROM clay."{table}" AS t'))
            lines += [f"{table}: {row}" for row in rows.scalars()]
    return "\n".join(lines)
