"""Whatever a lead's row or a request's body holds: one bad lead never stops another, and the API answers 4xx at once."""

import asyncio
import socket
import sys
import time
from pathlib import Path

import asyncpg
import httpx
import pytest

from clay_push_service.demo.nexusleads_schema import create_schema
from clay_push_service.host.tables import Vintage
from tests.support import world
from tests.support.stage import REPOSITORY, access_token, environment

TEXTS = {
    "long": "repeat('x', 200000)",
    "wide": "repeat('🦊', 60000)",
    "right to left": "'\u202eمرحبا\u202c \u200f'",
    "control": r"E'\x01\x1b[31m\n\r\t\x7f'",
    "markup": "'=cmd()|<script>\"\\u0000 {{x}}'",
    "surrogates apart": r"E'\uD83D\uDE00'",
    "joined": "'👩‍👩‍👧‍👦' || repeat(U&'\\0301', 500)",
}
DATES = ("'infinity'", "'-infinity'", "'294276-01-01'", "'4713-01-01 BC'")
NUMBERS = ("'NaN'", "'Infinity'", "'-Infinity'", "99999999999999")
KINDS = {
    "text": TEXTS.values(),
    "character varying": TEXTS.values(),
    "timestamp with time zone": DATES,
    "timestamp without time zone": DATES,
    "date": DATES,
    "numeric": NUMBERS,
    "double precision": NUMBERS[:3],
    "integer": ("2147483647", "-2147483648"),
    "bigint": ("9223372036854775807",),
    "jsonb": (
        """'{"a": [1e308, "\u202e", null, {"deep": {}}]}'""",
        "'[]'",
        "'null'",
        "repeat('[', 5000) || repeat(']', 5000)",
    ),
}


async def test_one_bad_lead_never_stops_another(database_url: str) -> None:
    """Every column of every table that a payload reads is given its worst values, one lead each; the last lead is fine."""
    async with world.draining(database_url, leads=150) as (w, drainer, clay):
        host = await asyncpg.connect(database_url)
        try:
            bad = await _spoil(host, w.lead_ids[:-10])
        finally:
            await host.close()
        assert bad > 30
        accepted = await w.push()
        await w.drain_all(drainer, 60.0)
        rows = await w.deliveries(accepted.job_id)
        assert all(row.state == "done" for row in rows)
        fine = {str(each) for each in w.lead_ids[-10:]}
        assert fine <= {str(row.contributor_id) for row in rows if row.status == "success"}
        causes = {row.cause for row in rows if row.status == "failed"}
        assert causes <= {"too_large", "invalid_lead"}
        assert set(clay.leads.values()) == {1}


async def _spoil(host: asyncpg.Connection, lead_ids: object) -> int:
    """One bad value in one column of one lead each. What PostgreSQL does not take is no danger. Returns how many it took."""
    leads = iter(list(lead_ids))  # type: ignore[call-overload]  # a sequence of ids
    columns = await host.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
        " AND (table_name = 'members' OR table_name IN"
        " (SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'member_id'))"
        " AND table_name <> 'clay_push_log' AND column_name NOT LIKE '%id' ORDER BY md5(column_name)",
    )
    taken = 0
    for column in columns:
        for value in KINDS.get(column["data_type"], ()):
            lead = next(leads, None)
            if lead is None:
                return taken
            key = "id" if column["table_name"] == "members" else "member_id"
            try:
                await host.execute(
                    f'UPDATE {column["table_name"]} SET "{column["column_name"]}" = ({value})::{column["data_type"]} WHERE {key} = $1',
                    lead,
                )
                taken += 1
            except asyncpg.PostgresError:
                continue
    return taken


@pytest.fixture
def hostile_bodies() -> dict[str, bytes]:
    return {
        "60 MB": b'{"lead_ids": ["' + b"x" * 60_000_000 + b'"]}',
        "depth 100,000": b'{"lead_ids": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "depth in objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "wrong types": b'{"lead_ids": {"a": 1}, "project_id": [], "push_again": "perhaps"}',
        "a number": b"1",
        "not JSON": b"\xff\xfe{",
        "NaN": b'{"lead_ids": [NaN]}',
        "a huge number": b'{"lead_ids": [' + b"9" * 100_000 + b"]}",
        "NUL": b'{"lead_ids": ["\\u0000"]}',
        "a lone surrogate": b'{"lead_ids": ["\\ud800"]}',
        "100,000 ids": b'{"lead_ids": [' + b",".join([b'"x"'] * 100_000) + b"]}",
        "many keys": b"{" + b",".join(b'"k%d": 1' % number for number in range(100_000)) + b"}",
        "nothing": b"",
    }


async def test_hostile_bodies_are_refused_within_a_second_at_constant_memory(
    database_url: str, hostile_bodies: dict[str, bytes]
) -> None:
    connection = await asyncpg.connect(database_url)
    await create_schema(connection, Vintage.TODAY)
    await connection.close()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "clay_push_service.cli", "serve", cwd=REPOSITORY,
        env=environment(world.settings_of_tests(database_url)) | {"CLAY_PUSH_PORT": str(port), "CLAY_PUSH_LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as api:
            await _up(api)
            await api.post("/api/clay/push", content=hostile_bodies["wrong types"])
            before = _resident(process.pid)
            headers = {"Authorization": f"Bearer {access_token('nobody')}", "Content-Type": "application/json"}
            for _ in range(2):
                for name, body in hostile_bodies.items():
                    started = time.monotonic()
                    try:
                        answer = await api.post("/api/clay/push", content=body, headers=headers)
                    except (httpx.WriteError, httpx.ReadError):  # refused before it was read
                        assert name == "60 MB"
                        continue
                    took = time.monotonic() - started
                    assert 400 <= answer.status_code < 500, f"{name}: {answer.status_code}"
                    assert answer.headers["content-type"] == "application/problem+json", name
                    assert took < 1.0, f"{name}: {took:.2f} s"
            assert _resident(process.pid) - before < 80_000_000
            assert (await api.get("/healthz")).status_code == 200
    finally:
        process.terminate()
        await process.wait()


def _resident(pid: int) -> int:
    """Bytes, as Linux counts them."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def _up(api: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await api.get("/healthz")
            except httpx.TransportError:
                await asyncio.sleep(0.05)
            else:
                return
