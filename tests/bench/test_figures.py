"""Each row of README's figures names a measurement that exists, and each measurement has a row."""

import re
from pathlib import Path

from bench.__main__ import MEASUREMENTS

README = Path(__file__).parents[2] / "README.md"
ELSEWHERE = {"transport"}
"""Said in pyproject.toml, where it chose a dependency."""


def test_each_figure_can_be_measured_again() -> None:
    figures = README.read_text().partition("## Figures")[2].partition("\n## ")[0]
    rows = [line for line in figures.splitlines() if line.startswith("| ")][1:]
    named = [re.findall(r"`([^`]+)` \|$", row) for row in rows]
    assert [] not in named
    commands = {command for [command] in named}
    assert commands - {"make soak SOAK_ARGS=30"} == set(MEASUREMENTS) - ELSEWHERE
