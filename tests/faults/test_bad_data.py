"""Leads with invalid values: each lead ends, and an invalid one does not stop the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from uuid import UUID

import asyncpg
import pytest

from clay_push_service.host.columns import Vintage, name_in
from clay_push_service.host.read_lead_rows import COUNTS, FLAGS, LEAD_COLUMNS, SCORE_COLUMNS, SOCIAL_COLUMNS
from tests.harness.installation import install_with_drainer

TEXTS = (
    "repeat('x', 200000)",
    "repeat('x', 250)",
    "repeat('🦊', 60000)",
    "repeat('🦊', 25)",
    "'\u202eمرحبا\u202c \u200f'",
    r"E'\x01\x1b[31m\n\r\t\x7f'",
    "'=cmd()|<script>\"\\u0000 {{x}}'",
    r"E'\uD83D\uDE00'",
    "'👩‍👩‍👧‍👦' || repeat(U&'\\0301', 50)",
    "''",
    "NULL",
)
NESTED = "ARRAY[ARRAY['a', 'b'], ARRAY['c', 'd']]"
DATES = ("'infinity'", "'-infinity'", "'294276-01-01'", "'4713-01-01 BC'", "NULL")
KINDS: dict[str, Sequence[str]] = {
    "text": TEXTS,
    "character varying": TEXTS,
    "ARRAY": (
        *(f"ARRAY[{text}]" for text in TEXTS),
        "'{}'",
        "ARRAY[NULL, '', ' ', 'a', 'a']",
        "array_fill('skill'::text, ARRAY[20000])",
        NESTED,
    ),
    "date": DATES,
    "numeric": ("'NaN'", "-999.99", "'1e-20'", "NULL"),
    "integer": ("2147483647", "-2147483648", "NULL"),
    "boolean": ("true", "NULL"),
}
"""Extreme values by PostgreSQL type. PostgreSQL itself refuses values that do not fit into a column."""
READ = {
    "leads": LEAD_COLUMNS,
    "social_context": SOCIAL_COLUMNS,
    "lead_scores": SCORE_COLUMNS,
    "stats": (*COUNTS, *FLAGS, "first_commit_date", "last_commit_date"),
    "sources": ("full_name",),
    "projects": ("name",),
}
"""The tables and columns that a payload reads, by this service's words."""
OF_A_LEAD = ("leads", "social_context", "lead_scores", "stats")


@dataclass(frozen=True, slots=True)
class Case:
    table: str
    column: str
    value: str


async def cases(host: asyncpg.Connection, vintage: Vintage, tables: Sequence[str]) -> list[Case]:
    """Returns every extreme value that PostgreSQL accepts, for every column. A type without values raises KeyError."""
    found = []
    for table in tables:
        for column in READ[table]:
            kind = await host.fetchval(
                "SELECT data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1"
                " AND column_name = $2",
                name_in(table, vintage), column,
            )  # fmt: skip
            values = [
                Case(table, column, value) for value in KINDS[kind] if await _taken(host, vintage, table, column, value)
            ]
            assert values, f"no value fits into {table}.{column}"
            found += values
    return found


async def _taken(host: asyncpg.Connection, vintage: Vintage, table: str, column: str, value: str) -> bool:
    undone = host.transaction()
    await undone.start()
    try:
        name = name_in(table, vintage)
        report = await host.execute(f"UPDATE {name} SET {column} = {value} WHERE ctid = (SELECT min(ctid) FROM {name})")
        assert report == "UPDATE 1", f"{table} is empty"
    except asyncpg.PostgresError:
        return False
    finally:
        await undone.rollback()
    return True


async def spoil(host: asyncpg.Connection, vintage: Vintage, case: Case, lead_id: UUID) -> None:
    key = "id" if case.table == "leads" else name_in("lead_id", vintage)
    if case.table == "stats":  # change one of the lead's two rows
        key = f"ctid = (SELECT min(ctid) FROM {name_in('stats', vintage)} WHERE {key} = $1) AND {key}"
    report = await host.execute(
        f"UPDATE {name_in(case.table, vintage)} SET {case.column} = {case.value} WHERE {key} = $1", lead_id
    )
    assert report == "UPDATE 1", case


@pytest.mark.parametrize("vintage", Vintage)
async def test_an_invalid_lead_fails_alone_and_the_others_are_sent(database_url: str, vintage: Vintage) -> None:
    """Each extreme value of each column is written to another lead. At least ten leads stay valid."""
    async with install_with_drainer(database_url, leads=600, vintage=vintage) as (w, drainer, clay):
        host = await asyncpg.connect(database_url)
        try:
            tried = await cases(host, vintage, OF_A_LEAD)
            social = await host.fetch(f"SELECT {name_in('lead_id', vintage)} FROM social_context ORDER BY 1")
            lead_ids = [row[0] for row in social]
            assert len(tried) + 10 <= len(lead_ids), "each case needs a lead with all its rows"
            for case, lead_id in zip(tried, lead_ids, strict=False):
                await spoil(host, vintage, case, lead_id)
        finally:
            await host.close()
        assert {(case.table, case.column) for case in tried} == {
            (table, column) for table in OF_A_LEAD for column in READ[table]
        }
        accepted = await w.push()
        await w.drain_all(drainer, 60.0)
        rows = {row.contributor_id: row for row in await w.deliveries(accepted.job_id)}
        spoilt = dict(zip(lead_ids, tried, strict=False))
        assert {row.status for lead_id, row in rows.items() if lead_id not in spoilt} == {"success"}
        failed = {case: rows[lead_id].cause for lead_id, case in spoilt.items() if rows[lead_id].status != "success"}
        assert len(failed) > 10
        assert failed == {
            case: "invalid_lead" if case.value == NESTED else "too_large"
            for case in failed
            if case.value in {NESTED, *(value for values in KINDS.values() for value in values if "0000" in value)}
        }
        assert set(clay.leads.values()) == {1}
        assert len(clay.posts) == len(rows) - len(failed)


@pytest.mark.parametrize("vintage", Vintage)
@pytest.mark.parametrize("table", ["projects", "sources"])
async def test_all_leads_of_a_project_or_repository_with_an_invalid_name_end(
    database_url: str, vintage: Vintage, table: str
) -> None:
    """The name is in the payload of each lead, so all leads may fail, but each must end."""
    async with install_with_drainer(database_url, leads=5, vintage=vintage) as (w, drainer, clay):
        host = await asyncpg.connect(database_url)
        try:
            number = count(1)
            for case in await cases(host, vintage, [table]):
                await host.execute(f"UPDATE {name_in(table, vintage)} SET {case.column} = {case.value}")
                accepted = await w.push(again=True)
                await w.drain_all(drainer, 30.0)
                assert {row.status for row in await w.deliveries(accepted.job_id)} == {"success"}, case
                assert set(clay.leads.values()) == {next(number)}
        finally:
            await host.close()
