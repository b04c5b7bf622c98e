"""The tables of mutants match the code. `make test-mutants` runs the mutants."""

from dataclasses import replace
from typing import Any

import pytest

from tests.mutants.table import Mutant, TableError, check, read_tables

SOME = Mutant(
    "example", 1, "A guarantee.", "gate.py", "not billing_enabled", "billing_enabled", ("tests/test_gate.py",)
)


def test_every_mutant_matches_the_code_and_names_existing_tests() -> None:
    mutants = read_tables()
    check(mutants)
    assert len({(each.file, each.find, each.replace) for each in mutants}) == len(mutants), (
        "a mutant is in the tables twice"
    )


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"find": "no such text"}, "occurs 0 times"),
        ({"find": "e"}, "it must occur once"),
        ({"replace": "not billing_enabled"}, "changes nothing"),
        ({"replace": "not ("}, "not valid Python"),
        ({"file": "no_such_file.py"}, "no file"),
        ({"tests": ("tests/no_such_test.py",)}, "no test"),
    ],
)
def test_a_mutant_that_does_not_match_the_code_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TableError, match=complaint):
        check([replace(SOME, **change)])
