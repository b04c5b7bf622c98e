"""Reads and checks the tables of mutants: one TOML file for each package, in the folder `tables`.

A table has a default list of tests and any number of entries:

    tests = ["tests/deliveries/test_claim.py"]

    [[mutant]]
    guarantee = "A lead that is not due yet is not claimed."
    file = "deliveries/claim.py"
    find = " AND due_at <= now()"
    replace = ""
    tests = ["tests/deliveries/test_claim.py::test_a_name"]  # optional: replaces the table's tests
    equivalent = "why no test can notice it"                # optional: the mutant is listed and not run
"""

import ast
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TABLES = HERE / "tables"
ROOT = HERE.parent.parent
PACKAGE = Path("src/clay_push_service")


class TableError(Exception):
    """A table does not match the code. The message names the table and the entry."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: replaces the text `find`, which must occur once in `file` (a path below the package), by `replace`."""

    table: str
    number: int
    guarantee: str
    """One sentence with the behaviour that the mutant breaks."""
    file: str
    find: str
    replace: str
    tests: tuple[str, ...]
    """pytest node ids, relative to the repository."""
    equivalent: str | None = None
    """For a mutant that no test can notice: the reason why the mutated code behaves the same."""

    @property
    def name(self) -> str:
        return f"{self.table}-{self.number}"

    def mutated(self, source: str) -> str:
        """Returns the file's text with the fault. Raises TableError if `find` does not occur exactly once or nothing changes."""
        if (times := source.count(self.find)) != 1:
            raise TableError(f"{self.name}: {self.find!r} occurs {times} times in {self.file}; it must occur once")
        changed = source.replace(self.find, self.replace)
        if changed == source:
            raise TableError(f"{self.name}: the replacement changes nothing")
        return changed


def read_tables(directory: Path = TABLES) -> list[Mutant]:
    """Returns all mutants of all tables, in the order of tables and entries."""
    found: list[Mutant] = []
    for path in sorted(directory.glob("*.toml")):
        content = tomllib.loads(path.read_text())
        tests = tuple(content.get("tests", ()))
        for number, entry in enumerate(content.get("mutant", ()), 1):
            values = {**entry, "tests": tuple(entry.get("tests", tests))}
            try:
                mutant = Mutant(path.stem, number, **values)
            except TypeError as error:
                raise TableError(f"{path.stem}-{number}: {error}") from None
            if not mutant.tests and mutant.equivalent is None:
                raise TableError(f"{mutant.name}: it names no tests")
            found.append(mutant)
    return found


def check(mutants: Sequence[Mutant], root: Path = ROOT) -> None:
    """Raises TableError if an entry does not match the code: a missing file or test, a text that does not occur exactly once, invalid syntax."""
    for mutant in mutants:
        path = root / PACKAGE / mutant.file
        if not path.is_file():
            raise TableError(f"{mutant.name}: there is no file {mutant.file}")
        changed = mutant.mutated(path.read_text())
        try:
            ast.parse(changed)
        except SyntaxError as error:
            raise TableError(f"{mutant.name}: the mutated file is not valid Python: {error}") from None
        for test in mutant.tests:
            if not (root / test.partition("::")[0]).exists():
                raise TableError(f"{mutant.name}: there is no test {test}")
