"""One thing for an operator to do, and how urgent it is."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    """The service works, and an operator should look."""
    FAILING = "failing"
    """The service cannot do its work."""


@dataclass(frozen=True, slots=True)
class Advice:
    level: Level
    what: str
    do: str


def counted(number: int, one: str, many: str) -> str:
    """`1 destination`, `2,000 destinations`."""
    return f"{number:,} {one if number == 1 else many}"
