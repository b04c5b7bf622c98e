"""The rule "a test uses public names" finds only reads and patches of private names."""

import pytest

from tests.style.privates import private_names


@pytest.mark.parametrize(
    "code",
    [
        "writer._write([])",
        "assert worker._database.pool",
        "client.connections._open.clear()",
        "from clay_push_service.a import _helper",
        "monkeypatch.setattr(worker, '_database', None)",
        "monkeypatch.setattr('clay_push_service.a._helper', None)",
        "with patch.object(worker, '_write'): pass",
        "getattr(worker, '_database')",
    ],
)
def test_a_private_name_of_another_module_is_found(code: str) -> None:
    [violation] = private_names({"tests/test_a.py": "x = 1\n" + code})
    assert (violation.path, violation.line) == ("tests/test_a.py", 2)


@pytest.mark.parametrize(
    "code",
    [
        "class A:\n    def __init__(self):\n        self._open = 1\n    def same(self, other):\n        return other._open",
        "class A(Base):\n    def f(self):\n        return self._inherited",
        "def _helper(): pass\nmodule._helper()",
        "point._replace(x=1)",
        "os._exit(0)",
        "type(a).__name__",
        "setattr(a, 'b', 'c')",
        "_, found = pair",
    ],
)
def test_own_public_and_documented_names_are_allowed(code: str) -> None:
    assert not private_names({"tests/test_a.py": code})


def test_a_file_that_checks_internals_of_libraries_may_read_those_it_lists() -> None:
    code = "connection._transport\nconnection._protocol"
    [violation] = private_names({"tests/test_library_internals.py": code})
    assert violation.line == 2
