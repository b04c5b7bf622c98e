"""Each row of the figures in docs/performance.md names a measurement that exists, and each measurement has a row."""

import re
from pathlib import Path

from bench.__main__ import MEASUREMENTS

PAGE = Path(__file__).parents[2] / "docs/performance.md"
ELSEWHERE = {"transport"}
"""A measurement that was made once to choose a dependency. Its figure is in docs/decisions/009-own-http-client.md."""


def test_each_figure_can_be_measured_again() -> None:
    figures = PAGE.read_text().partition("## Figures")[2].partition("\n## ")[0]
    rows = [line for line in figures.splitlines() if line.startswith("| ")][1:]
    named = [re.findall(r"`([^`]+)` \|$", row) for row in rows]
    assert [] not in named
    commands = {command for [command] in named}
    assert commands - {"make soak SOAK_ARGS=30"} == set(MEASUREMENTS) - ELSEWHERE
