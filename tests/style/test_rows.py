"""The rule "rows have names" finds only rows of a driver and rows that are read by position."""

import pytest

from tests.style.rows import OWNER, unnamed_rows

READ = "async def read(connection):\n    "


@pytest.mark.parametrize(
    "code",
    [
        "from sqlalchemy import Row, text\n",
        "from sqlalchemy.engine import CursorResult\n",
        READ + "rows = (await connection.execute(FIND)).all()",
        READ + "return (await connection.execute(FIND)).scalar_one()",
        READ + "return [row.id for row in await connection.execute(FIND)]",
        READ + "found = await connection.execute(FIND)",
        READ + "return await connection.fetchval('SELECT 1')",
        READ + "return await driver.fetch('SELECT 1')",
        READ + "first = await FIND.one(connection)\n    return first[0]",
        READ + "first = await FIND.one(connection)\n    return first[-1]",
        READ + "first = await FIND.one(connection)\n    return first[1:]",
        READ + "return (await FIND.rows(connection))[0][1]",
        READ + "rows = await FIND.rows(connection)\n    return rows[0][1]",
        READ + "rows = sorted(await FIND.rows(connection))\n    return [row[0] for row in rows]",
        READ + "rows = await select_rows(connection, query, Lead)\n    for row in rows[:3]:\n        print(row[0])",
        READ + "return {a: b for a, b in await FIND.rows(connection)}",
        READ + "for a, b in await FIND.rows(connection):\n        print(a, b)",
        READ + "a, b = await FIND.one(connection)",
        READ + "[[number]] = await FIND.rows(connection)",
        READ + "if (row := await FIND.one_or_none(connection)):\n        a, b = row",
    ],
)
def test_a_row_without_names_is_found(code: str) -> None:
    assert unnamed_rows({"src/clay_push_service/a.py": code})


@pytest.mark.parametrize(
    "code",
    [
        READ + "rows = await FIND.rows(connection)\n    return rows[0].id",
        READ + "[row] = await FIND.rows(connection)\n    return row.id",
        READ + "first, *others = await FIND.rows(connection)\n    return first.id",
        READ + "changed = await STORE.execute(connection, {})\n    return changed",
        READ + "await connection.execute('SET LOCAL lock_timeout = 1')",
        READ + "return {row.id: row for row in await FIND.rows(connection)}",
        READ + "pairs = [(1, 2)]\n    return [a for a, _ in pairs]",
        "def split(parts):\n    return parts[0], Resend.all(), all(parts)\n",
    ],
)
def test_named_rows_and_other_sequences_are_allowed(code: str) -> None:
    assert not unnamed_rows({"src/clay_push_service/a.py": code})


def test_only_one_module_reads_results_of_drivers() -> None:
    assert not unnamed_rows({OWNER: READ + "return (await connection.execute(FIND)).all()"})
