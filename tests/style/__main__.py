"""Checks the style rules as part of `make lint`: all rules in src/ and docs/, sizes and private names in tests/. Exits with 1 on a violation."""

import sys
from collections import Counter
from pathlib import Path

from tests.style.privates import private_names
from tests.style.rows import unnamed_rows
from tests.style.rules import (
    MAX_TEST_LINES,
    forbidden_words,
    hidden_cycles,
    module_name,
    oversized_files,
    oversized_folders,
)
from tests.style.violation import Violation

ROOT = Path(__file__).parents[2]
SUFFIXES = frozenset({".py", ".md", ".html", ".js", ".css", ".sql", ".txt", ".json", ".yaml", ".yml", ".toml"})


def read_tree(root: Path, *folders: str) -> dict[str, str]:
    """Returns the texts below these folders, by path."""
    return {
        path.relative_to(root).as_posix(): path.read_text("utf-8")
        for folder in folders
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in SUFFIXES and not any(part.endswith(".egg-info") for part in path.parts)
    }


def find_violations(files: dict[str, str]) -> list[Violation]:
    source = {path: text for path, text in files.items() if path.startswith("src/")}
    modules = {module_name(path): text for path, text in source.items() if path.endswith(".py")}
    return [
        *forbidden_words(files),
        *oversized_files(source),
        *oversized_folders(source),
        *hidden_cycles(modules),
        *unnamed_rows(source),
    ]


def main() -> int:
    tests = {path: text for path, text in read_tree(ROOT, "tests").items() if "/generated/" not in path}
    violations = sorted(
        [
            *find_violations(read_tree(ROOT, "src", "docs")),
            *oversized_files(tests, MAX_TEST_LINES),
            *private_names(tests),
        ]
    )
    for violation in violations:
        sys.stdout.write(f"{violation}\n")
    packages = Counter("/".join(Path(each.path).parts[:3]) for each in violations)
    for package, count in packages.most_common():
        sys.stdout.write(f"{count:5} {package}\n")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
