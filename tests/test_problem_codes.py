"""Every problem code that the code raises is in the table with its status, and in the description of the API."""

import ast
import inspect
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from clay_push_service import errors, gate, problems
from clay_push_service.api import errors as web_errors
from clay_push_service.problem_codes import PROBLEM_CODES
from tests.support.description import described

SOURCE = Path(errors.__file__).parent
CLASSES = {
    name: found
    for module in (errors, web_errors)
    for name, found in inspect.getmembers(module, inspect.isclass)
    if issubclass(found, errors.ClayPushError)
}
SHELL_ONLY = {"workers_running", "not_migrated", "not_attachable", "api_key_not_found"}
"""Codes that only commands raise."""
OF_FRAMEWORK = {"http_error"}
"""Codes of the framework's own refusals."""


def raised() -> Iterator[tuple[str, int | None]]:
    """Returns code and status of each refusal in the source. The status is None if a subclass defines it."""
    for found in CLASSES.values():
        yield found.code, found.status
    yield gate.ENTERPRISE_REQUIRED, errors.ForbiddenError.status
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES:
                for word in node.keywords:
                    if word.arg == "code" and isinstance(word.value, ast.Constant):
                        yield str(word.value.value), CLASSES[node.func.id].status
            elif isinstance(node, ast.ClassDef):
                yield from ((found, None) for found in map(own_code, node.body) if found)


def own_code(statement: ast.stmt) -> str | None:
    """Returns the code of a class that defines one."""
    match statement:
        case ast.Assign([ast.Name("code")], ast.Constant(str(code))):
            return code
    return None


DESCRIBED = described()["info"]["description"]
RAISED: defaultdict[str, set[int]] = defaultdict(set)
for _code, _status in raised():
    RAISED[_code] |= set() if _status is None else {_status}


@pytest.mark.parametrize("code", sorted(set(RAISED) - SHELL_ONLY - OF_FRAMEWORK))
def test_a_raised_code_is_in_the_table_and_the_description(code: str) -> None:
    assert RAISED[code] <= {PROBLEM_CODES[code].status}
    assert f"| `{code}` | {PROBLEM_CODES[code].status} | {PROBLEM_CODES[code].meaning} |" in DESCRIBED


def test_a_response_lists_the_codes_of_its_status() -> None:
    report = str(problems.responses(409)[409]["description"])
    assert "`job_running`" in report
    assert "`lead_not_found`" not in report


def test_the_table_has_no_unused_code() -> None:
    assert len(RAISED) > 40
    assert set(PROBLEM_CODES) == set(RAISED) - SHELL_ONLY - OF_FRAMEWORK
