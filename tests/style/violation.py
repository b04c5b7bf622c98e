"""A place in the source tree that breaks a style rule."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"
