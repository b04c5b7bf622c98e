"""A problem of a mapping: where it is, and what is wrong."""

from typing import NamedTuple


class MappingProblem(NamedTuple):
    """`place`: such as `columns[3].template`. `offset`: characters before the wrong place of its text; None: the whole."""

    place: str
    message: str
    offset: int | None = None


class MappingSyntaxError(Exception):
    """A text that cannot be parsed. `offset`: as in MappingProblem."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
