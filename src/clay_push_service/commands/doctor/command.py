"""`clay-push doctor`: checks everything the service needs and prints problems with remedies. It changes nothing."""

import asyncio
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from clay_push_service import logs, settings
from clay_push_service.commands.doctor.database_checks import check_database
from clay_push_service.commands.doctor.finding import Finding, Result
from clay_push_service.commands.doctor.settings_checks import check_settings
from clay_push_service.settings import SettingsError

STYLE = {Result.OK: "green", Result.WARNING: "yellow", Result.BROKEN: "bold red"}


def run() -> int:
    """Returns the exit code: 1 if a check is broken. Warnings alone give 0."""
    logs.configure("console", "ERROR")
    try:
        found = settings.load()
    except SettingsError as error:
        remedy = "Correct this setting, and try again."
        return _print([Finding("settings", Result.BROKEN, line, remedy) for line in error.lines])
    return _print([*check_settings(found), *asyncio.run(check_database(found))])


def _print(findings: Sequence[Finding]) -> int:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("check", "result", "", "what to do"):
        table.add_column(title, overflow="fold", no_wrap=title in {"check", "result"})
    for each in findings:
        table.add_row(each.check, Text(each.result, STYLE[each.result]), Text(each.message), Text(each.remedy))
    Console().print(table)
    return 1 if any(each.result is Result.BROKEN for each in findings) else 0
