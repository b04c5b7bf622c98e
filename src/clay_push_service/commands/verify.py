"""`clay-push verify`: checks the invariants of the live data, for a cron job. It reports violations and repairs nothing."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clay_push_service.database.database import Database
from clay_push_service.deliveries.invariants import CHECKS, STATEMENT_SECONDS, Violation, verify
from clay_push_service.settings import Settings

SWEEPS = 5
"""Sweeps after which an expired lease or a lead without a worker is a violation. The next sweep repairs it; if five did not, no worker sweeps."""


def run(settings: Settings) -> int:
    """Returns the exit code: 1 if an invariant is violated."""
    return _print(asyncio.run(_verify(settings)))


async def _verify(settings: Settings) -> list[Violation]:
    database = Database.for_shell(settings.database_url, "clay-push-verify", answer_seconds=STATEMENT_SECONDS + 5)
    try:
        async with database.transaction() as connection:
            return await verify(connection, timedelta(seconds=SWEEPS * settings.sweep_seconds))
    finally:
        await database.close()


def _print(violations: Sequence[Violation]) -> int:
    broken = {violation.check.name: violation for violation in violations}
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("check", "result", "", "for example"):
        table.add_column(title, overflow="fold", no_wrap=title in {"check", "result"})
    for check in CHECKS:
        violation = broken.get(check.name)
        if violation is None:
            table.add_row(check.name, Text("ok", "green"), Text(check.must_hold), "")
        else:
            result = Text(f"BROKEN {violation.count:,}", "bold red")
            table.add_row(check.name, result, Text(check.must_hold), Text(", ".join(violation.sample)))
    Console().print(table)
    return 1 if violations else 0
