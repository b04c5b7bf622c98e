"""Prints the table of faults at the end of the run."""

import pytest

from tests.faults.field import REPORT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not REPORT:
        return
    terminalreporter.section("faults")
    widest = max(len(line.fault) for line in REPORT)
    terminalreporter.write_line(f"{'fault':<{widest}}  leads  lost  doubled  uncertain  seconds to recover")
    for line in REPORT:
        terminalreporter.write_line(
            f"{line.fault:<{widest}}  {line.leads:>5}  {line.lost:>4}  {line.doubled:>7}  {line.uncertain:>9}  {line.seconds:>18.1f}"
        )
