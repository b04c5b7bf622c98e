"""Runs the demo as a new user does, twice in the same directory. 200 leads at 10 a second take 20 s."""

import asyncio
import json
import re
import stat
from pathlib import Path

from clay_push_service.local_database import postgres
from tests.harness.shell import shell


async def test_the_first_run_sends_and_enriches_and_the_second_sends_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    await asyncio.to_thread(tmp_path.chmod, 0o755)  # started by root, PostgreSQL runs as another account
    demo = ("demo", "--once", "--directory", str(directory), "--port", "0", "--sandbox-port", "0")
    try:
        running = asyncio.create_task(shell(tmp_path, *demo, seconds=90))
        async with asyncio.timeout(60):
            while not await asyncio.to_thread((directory / "service.log").exists):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)
        beside = await shell(tmp_path, *demo)
        assert beside.exit_code == 1
        assert "is in use by process" in beside.err
        assert len(beside.err.splitlines()) == 1
        first = await running
        assert first.exit_code == 0, first.out + first.err
        assert "200 leads queued" in first.out
        assert "All 200 leads of Acme Platform Leads are in the sandbox's table, once each." in first.out
        assert first.out.count("/enrich for ") == 2
        assert re.search(r": enriched \d{4}-\d\d-\d\d \d\d:\d\d UTC, score 92 \(very high\)$", first.out, re.MULTILINE)
        assert re.search(r"^  phone .*from routine, confidence 92 \(very high\)$", first.out, re.MULTILINE)
        assert "  technologies     Python, PostgreSQL    from table, confidence not given" in first.out

        assert "\n  Route 1, segment “High score”: 10 leads to “Priority leads”\n" in first.out
        assert "by routes: 10 leads queued" in first.out
        assert "\nAll 10 leads of its segment are in the second table “Priority leads”, once each.\n" in first.out
        assert "Schedule “Every morning”: Every day at 09:00 Europe/Berlin; next run " in first.out

        second = await shell(tmp_path, *demo, seconds=90)
        assert second.exit_code == 0, second.out + second.err
        assert "0 leads queued, 200 are in Clay already" in second.out
        assert "1 of them repeatedly, as requested earlier. Nothing was sent." in second.out
        assert "/enrich for " not in second.out
        assert "score 92 (very high)" in second.out
        assert "by routes: 0 leads queued" in second.out
        assert "in the second table “Priority leads”, once each." in second.out

        secrets = directory / "demo.secrets"
        assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
        log = (directory / "service.log").read_text()
        for secret in json.loads(secrets.read_text()).values():
            assert secret not in log + first.out + second.out

        other = await shell(tmp_path, *demo, "--vintage", "2026-02", seconds=90)
        assert other.exit_code == 1
        assert "has vintage today" in other.err
    finally:
        await asyncio.to_thread(postgres.remove, directory)
