"""The style rules find only violations."""

import pytest

from tests.style.__main__ import find_violations
from tests.style.rules import (
    MAX_FILES,
    MAX_LINES,
    forbidden_words,
    hidden_cycles,
    module_name,
    oversized_files,
    oversized_folders,
)


@pytest.mark.parametrize(
    "text", ["# Whoever reads", "last_said = 1", "# read by NOBODY", "unasked.", "(told)", "has_odd_form"]
)
def test_a_forbidden_word_is_found_in_any_case_and_in_names(text: str) -> None:
    [violation] = forbidden_words({"src/a.py": "x = 1\n" + text})
    assert (violation.path, violation.line) == ("src/a.py", 2)


@pytest.mark.parametrize("text", ["aforesaid", "untold", "saids", "retold"])
def test_a_part_of_a_longer_word_is_not_a_forbidden_word(text: str) -> None:
    assert not forbidden_words({"src/a.py": text})


def test_a_word_that_is_data_is_allowed_only_in_its_file() -> None:
    files = {"src/a.py": 'ACCOUNT = "nobody"', "src/b.py": 'ACCOUNT = "nobody"'}
    [violation] = forbidden_words(files, {"src/a.py": frozenset({"nobody"})})
    assert violation.path == "src/b.py"


def test_a_file_with_more_lines_than_allowed_is_found() -> None:
    files = {"src/fits.py": "\n" * MAX_LINES, "src/long.py": "\n" * (MAX_LINES + 1), "src/long.html": "\n" * 900}
    assert [violation.path for violation in oversized_files(files)] == ["src/long.py"]


def test_a_folder_with_more_files_than_allowed_is_found() -> None:
    files = {f"src/full/{number}.py": "" for number in range(MAX_FILES)}
    files |= {f"src/over/{number}.py": "" for number in range(MAX_FILES + 1)}
    assert [violation.path for violation in oversized_folders(files)] == ["src/over"]


def test_a_type_checking_import_that_closes_a_cycle_is_found() -> None:
    modules = {
        "p.a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.c import C\n",
        "p.b": "from p import a\n",
        "p.c": "def f():\n    from p.b import g\n",
    }
    [violation] = hidden_cycles(modules)
    assert (violation.path, violation.line) == ("p.a", 3)


def test_a_type_checking_import_without_a_cycle_is_allowed() -> None:
    modules = {
        "p.a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.b import B\n",
        "p.b": "import os\n",
    }
    assert not hidden_cycles(modules)


def test_a_path_becomes_a_module_name() -> None:
    assert module_name("src/clay_push_service/host/tables.py") == "clay_push_service.host.tables"
    assert module_name("src/clay_push_service/host/__init__.py") == "clay_push_service.host"


def test_the_whole_check_covers_docs_and_source() -> None:
    files = {"docs/a.md": "It is said.", "src/clay_push_service/a.py": "# told\n"}
    assert len(find_violations(files)) == 2
