"""The style rules as pure functions over file texts: forbidden words, file and folder sizes, hidden import cycles."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from tests.style.violation import Violation

MAX_LINES = 250
MAX_TEST_LINES = 300
MAX_FILES = 20
"""Python files in one folder, `__init__.py` included."""
WORDS = re.compile(
    r"(?<![A-Za-z])(whoever|whatever|nobody|somebody|someone|anybody|everybody|everyone|unasked|asked|asks|said|says|told|tells"
    r"|knows|wants|forget|forgets|odd|oddly|amiss|anew|wholly|vain|surely|whereabouts|mend|mends|owes)(?![A-Za-z])",
    re.IGNORECASE,
)
"""Whole words. An underscore separates words, so a name such as `last_said` is also found."""
ALLOWED_WORDS: Mapping[str, frozenset[str]] = {
    "docs/schema.sql": frozenset({"said", "nobody", "odd", "owes"}),  # a dump with texts of released migrations
    "src/clay_push_service/local_database/home.py": frozenset({"nobody"}),  # the name of a system account
}
"""Words that are data, by file."""


def forbidden_words(files: Mapping[str, str], allowed: Mapping[str, frozenset[str]] = ALLOWED_WORDS) -> list[Violation]:
    return [
        Violation(path, number, f"forbidden word {match[0]!r}")
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        for match in WORDS.finditer(line)
        if match[0].lower() not in allowed.get(path, frozenset())
    ]


def oversized_files(files: Mapping[str, str], most: int = MAX_LINES) -> list[Violation]:
    lines = {path: len(text.splitlines()) for path, text in files.items() if path.endswith(".py")}
    return [
        Violation(path, 1, f"{count} lines, at most {most} are allowed")
        for path, count in lines.items()
        if count > most
    ]


def oversized_folders(files: Mapping[str, str]) -> list[Violation]:
    folders = Counter(str(PurePosixPath(path).parent) for path in files if path.endswith(".py"))
    return [
        Violation(folder, 1, f"{count} Python files, at most {MAX_FILES} are allowed")
        for folder, count in folders.items()
        if count > MAX_FILES
    ]


def hidden_cycles(modules: Mapping[str, str]) -> list[Violation]:
    """Returns `TYPE_CHECKING` imports that close an import cycle. `modules` maps a dotted module name to its source text."""
    imports = {module: list(_imports(ast.parse(text), modules)) for module, text in modules.items()}
    graph = {module: {each.target for each in found} for module, found in imports.items()}
    return [
        Violation(module, each.line, f"a TYPE_CHECKING import of {each.target} hides an import cycle")
        for module, found in imports.items()
        for each in found
        if each.is_typing_only and _reaches(graph, each.target, module)
    ]


@dataclass(frozen=True, slots=True)
class _Import:
    target: str
    line: int
    is_typing_only: bool


def _imports(tree: ast.Module, modules: Mapping[str, str]) -> Iterator[_Import]:
    """Yields imports of this project's modules, at the top of a file or inside functions."""
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            dotted = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules else node.module for name in dotted]
        for name in names:
            if name in modules:
                yield _Import(name, getattr(node, "lineno", 1), node in typing_only)


def _reaches(graph: Mapping[str, set[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module == goal:
            return True
        if module not in seen:
            seen.add(module)
            waiting.extend(graph.get(module, ()))
    return False


def module_name(path: str) -> str:
    """Returns the module of a path: `src/clay_push_service/host/tables.py` is `clay_push_service.host.tables`."""
    parts = PurePosixPath(path).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
