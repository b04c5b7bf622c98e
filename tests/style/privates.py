"""The rule "a test uses public names": finds reads and patches of another module's private names in tests."""

import ast
from collections.abc import Iterator, Mapping

from tests.style.violation import Violation

MESSAGE = "{} is private to another module: test its public face, or make it public if it is the real seam"
PUBLIC = frozenset({"_replace", "_asdict", "_fields", "_make", "_exit"})
"""Documented names of NamedTuple and `os` that begin with an underscore."""
ALLOWED: Mapping[str, frozenset[str]] = {
    "tests/test_library_internals.py": frozenset({"_transport"}),  # checks library internals that src/ uses
}
PATCHERS = frozenset({"setattr", "getattr", "delattr", "hasattr", "patch", "object"})
"""Functions that take an attribute's name as a string."""


def private_names(files: Mapping[str, str]) -> list[Violation]:
    return [
        Violation(path, line, MESSAGE.format(name))
        for path, text in files.items()
        if path.endswith(".py")
        for line, name in _found(ast.parse(text))
        if name not in ALLOWED.get(path, frozenset())
    ]


def _found(tree: ast.Module) -> Iterator[tuple[int, str]]:
    own = _defined(tree)
    for node in ast.walk(tree):
        for name in _names(node):
            if name.startswith("_") and not name.startswith("__") and name not in PUBLIC and name not in own:
                yield getattr(node, "lineno", 1), name


def _names(node: ast.AST) -> list[str]:
    """Returns the names that a node takes from another object or module."""
    match node:
        case ast.Attribute(value=ast.Name(id="self" | "cls")):
            return []
        case ast.Attribute(attr=name):
            return [name]
        case ast.ImportFrom(names=names):
            return [alias.name for alias in names]
        case ast.Call(func=ast.Attribute(attr=function) | ast.Name(id=function), args=arguments) if (
            function in PATCHERS
        ):
            texts = [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            return [text.rpartition(".")[2] for text in texts]
        case _:
            return []


def _defined(tree: ast.Module) -> set[str]:
    """Returns the names that the file defines: functions, classes, fields, and attributes of `self`."""
    found = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case _:
                pass
    return found
