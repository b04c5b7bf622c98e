"""A problem, its remedy and its urgency, as `/status` and `clay-push doctor` show it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    """The service works; an operator should check it."""
    FAILING = "failing"
    """The service cannot accept or send pushes."""


@dataclass(frozen=True, slots=True)
class Advice:
    level: Level
    what: str
    do: str


def counted(number: int, one: str, many: str) -> str:
    """`1 destination`, `2,000 destinations`."""
    return f"{number:,} {one if number == 1 else many}"
