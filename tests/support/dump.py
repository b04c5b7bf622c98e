"""Dumps schema `clay` as one text: every column of every table, including the queue's, for tests that search for traces."""

from sqlalchemy import text

from clay_push_service.database.database import Database


async def dump(database: Database) -> str:
    """Returns one line per row: the table's name and the row in PostgreSQL's text format, with bytes in hexadecimal."""
    lines: list[str] = []
    async with database.transaction() as connection:
        tables = (
            await connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'clay' ORDER BY 1"))
        ).scalars()
        for table in tables.all():
            rows = await connection.execute(text(f'SELECT CAST(t AS text) FROM clay."{table}" AS t'))
            lines += [f"{table}: {row}" for row in rows.scalars()]
    return "\n".join(lines)
