"""`clay-push doctor`: asks everything the service needs, and says for each what is wrong and what to do. Changes nothing."""

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clay_push_service import logs, settings
from clay_push_service.commands.doctor.checks import Finding, Result, database_findings, settings_findings
from clay_push_service.settings import SettingsError

STYLE = {Result.OK: "green", Result.WARNING: "yellow", Result.BROKEN: "bold red"}


def run() -> int:
    """1 if anything is broken; warnings leave 0."""
    logs.configure("console", "ERROR")
    try:
        found = settings.load()
    except SettingsError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        return _print([Finding("settings", Result.BROKEN, line, "Set it, and try again.") for line in lines])
    return _print([*settings_findings(found), *asyncio.run(database_findings(found))])


def _print(findings: Sequence[Finding]) -> int:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("check", "result", "", "what to do"):
        table.add_column(title, overflow="fold", no_wrap=title in {"check", "result"})
    for each in findings:
        table.add_row(each.check, Text(each.result, STYLE[each.result]), Text(each.said), Text(each.remedy))
    Console().print(table)
    return 1 if any(each.result is Result.BROKEN for each in findings) else 0
