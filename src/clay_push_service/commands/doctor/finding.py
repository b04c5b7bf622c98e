"""The result of one doctor check: ok, a warning or an error, with a message and a remedy."""

from dataclasses import dataclass
from enum import StrEnum


class Result(StrEnum):
    OK = "ok"
    WARNING = "warning"
    BROKEN = "BROKEN"


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    result: Result
    message: str
    remedy: str = ""


def sentence(words: str) -> str:
    """A clause as a sentence: capital letter and full stop."""
    return f"{words[0].upper()}{words[1:]}."
