"""Prints the table of faults at the end of the run, for tests of all xdist processes."""

from collections.abc import Generator
from dataclasses import asdict

import pytest

from tests.harness.fault_run import REPORTS, FaultReport

FAULT = "fault"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the fault reports of a test to its pytest report, which xdist transfers between processes."""
    if call.when == "call":
        item.user_properties += [(FAULT, asdict(line)) for line in REPORTS]
        REPORTS.clear()
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, [])]
    lines = [
        FaultReport(**shown)
        for report in sorted(reports, key=lambda report: report.location[:2])
        if report.when == "call"
        for name, shown in report.user_properties
        if name == FAULT
    ]
    if not lines:
        return
    terminalreporter.section("faults")
    widest = max(len(line.fault) for line in lines)
    terminalreporter.write_line(f"{'fault':<{widest}}  leads  lost  doubled  uncertain  seconds to recover")
    for line in lines:
        terminalreporter.write_line(
            f"{line.fault:<{widest}}  {line.leads:>5}  {line.lost:>4}  {line.doubled:>7}  {line.uncertain:>9}  {line.seconds:>18.1f}"
        )
