"""The style rule "rows have names": results of statements are records, not rows of a driver, and are not read by position. Pure."""

import ast
from collections.abc import Iterator, Mapping

from tests.style.violation import Violation

OWNER = "src/clay_push_service/database/statement.py"
"""The only module that reads results of SQLAlchemy and asyncpg."""
OTHER_DRIVERS = (
    "src/clay_push_service/demo/",
    "src/clay_push_service/local_database/",
    "src/clay_push_service/sandbox/",
)
"""Tools that are not part of the service. They use psycopg, asyncpg and SQLite directly."""
RESULT_METHODS = frozenset(
    {
        "all", "first", "one", "one_or_none", "scalar", "scalar_one", "scalar_one_or_none", "scalars", "mappings", "tuples",
        "fetchone", "fetchall",
    }
)  # fmt: skip
"""Methods of SQLAlchemy's results. They take no argument, unlike the methods of `Statement`."""
DRIVER_METHODS = frozenset({"fetch", "fetchval", "fetchrow"})
ROW_CLASSES = frozenset({"Row", "RowMapping", "Result", "CursorResult"})
MANY, ONE = frozenset({"rows", "select_rows"}), frozenset({"one", "one_or_none", "select_one", "select_one_or_none"})
"""Methods that return several records, and methods that return one."""


def unnamed_rows(files: Mapping[str, str]) -> list[Violation]:
    found = []
    for path, text in files.items():
        if not path.endswith(".py") or path == OWNER or path.startswith(OTHER_DRIVERS):
            continue
        tree = ast.parse(text)
        found += [Violation(path, line, message) for line, message in (*_foreign_results(tree), *_positions(tree))]
    return found


def _foreign_results(tree: ast.Module) -> Iterator[tuple[int, str]]:
    unused = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Await) and id(node) not in unused and _is_connection_execute(node.value):
            yield node.lineno, "the result of connection.execute() is used: use a Statement with a record"
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
            for alias in node.names:
                if alias.name in ROW_CLASSES:
                    yield node.lineno, f"sqlalchemy's {alias.name}: return a record of a Statement instead"
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, receiver = node.func.attr, node.func.value
        is_class = isinstance(receiver, ast.Name) and receiver.id[:1].isupper()
        takes_nothing = not node.args and not node.keywords
        if (name in RESULT_METHODS and takes_nothing and not is_class) or name in DRIVER_METHODS:
            yield node.lineno, f".{name}() reads a driver's rows: use a Statement with a record"


def _is_connection_execute(value: ast.expr) -> bool:
    """Returns whether this is `execute` of a connection. `Statement.execute` is allowed, because it returns a number."""
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in {"execute", "exec_driver_sql"}
        and isinstance(value.func.value, ast.Name)
        and value.func.value.id in {"connection", "driver"}
    )


def _positions(tree: ast.Module) -> Iterator[tuple[int, str]]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        yield from _Names(function).positions()


class _Names:
    """The names of one function that hold records, or sequences of records."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._nodes = list(ast.walk(function))
        self._many: set[str] = set()
        self._one: set[str] = set()
        before = -1
        while before != len(self._many) + len(self._one):  # a name may be assigned from another name
            before = len(self._many) + len(self._one)
            for target, value in self._bindings():
                if isinstance(target, ast.Name) and self._is_many(value):
                    self._many.add(target.id)
                if isinstance(target, ast.Name) and self._is_one(value):
                    self._one.add(target.id)
            self._one |= {
                target.id for target, value in self._loops() if self._is_many(value) and isinstance(target, ast.Name)
            }

    def positions(self) -> Iterator[tuple[int, str]]:
        for target, value in self._loops():
            if self._is_many(value) and isinstance(target, ast.Tuple | ast.List):
                yield target.lineno, "a row is unpacked by position: use the record's names"
        for target, value in self._bindings():
            if not isinstance(target, ast.Tuple | ast.List):
                continue
            is_nested = any(isinstance(each, ast.Tuple | ast.List) for each in target.elts)
            if self._is_one(value) or (is_nested and self._is_many(value)):
                yield target.lineno, "a row is unpacked by position: use the record's names"
        for node in self._nodes:
            if isinstance(node, ast.Subscript) and self._is_one(node.value) and not isinstance(node.slice, ast.Name):
                yield node.lineno, "a row is read by position: use the record's names"

    def _loops(self) -> Iterator[tuple[ast.expr, ast.expr]]:
        for node in self._nodes:
            if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
                yield node.target, node.iter

    def _bindings(self) -> Iterator[tuple[ast.expr, ast.expr]]:
        for node in self._nodes:
            if isinstance(node, ast.Assign):
                yield from ((target, node.value) for target in node.targets)
            if isinstance(node, ast.NamedExpr | ast.AnnAssign) and node.value is not None:
                yield node.target, node.value

    def _is_many(self, value: ast.expr) -> bool:
        if isinstance(value, ast.Name):
            return value.id in self._many
        if isinstance(value, ast.Subscript):
            return self._is_many(value.value) and isinstance(value.slice, ast.Slice)
        if (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id in {"sorted", "list", "reversed"}
        ):
            return bool(value.args) and self._is_many(value.args[0])
        return _called(value) in MANY

    def _is_one(self, value: ast.expr) -> bool:
        if isinstance(value, ast.Name):
            return value.id in self._one
        if isinstance(value, ast.Subscript):
            return self._is_many(value.value) and not isinstance(value.slice, ast.Slice)
        return _called(value) in ONE


def _called(value: ast.expr) -> str | None:
    """Returns the name of the function that is called and awaited."""
    if not isinstance(value, ast.Await) or not isinstance(value.value, ast.Call):
        return None
    function = value.value.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
