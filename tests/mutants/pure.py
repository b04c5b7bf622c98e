"""Mutates the pure modules with mutmut: python -m tests.mutants.pure.

These modules need no database, so their tests run against some hundred mutants in minutes. mutmut works in a copy of the
repository. The exit code is 0 if at least 95 % of the mutants that are not equivalent were noticed.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.mutants.table import HERE, PACKAGE, ROOT

LEAST_SHARE = 0.95
LISTS = HERE / "pure.toml"
"""Modules, their tests, and the equivalent mutants: `function`, the changed line (`becomes`), and why no test can notice it."""
COPIED = ("src", "tests", "alembic", "bench", "pyproject.toml", "README.md")
NOTICED = frozenset({"killed", "timeout", "segfault", "suspicious", "caught by type check"})

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant that no test can notice: the function's name, the changed line (without indentation), and the reason."""

    function: str
    becomes: str
    reason: str


def configuration(modules: list[str], tests: list[str]) -> str:
    """Returns the `setup.cfg` for mutmut."""
    lines = ["[mutmut]", f"source_paths={PACKAGE}", "only_mutate="]
    lines += [f"    {PACKAGE / module}" for module in modules]
    lines += ["also_copy=", *(f"    {name}" for name in COPIED)]
    lines += ["pytest_add_cli_args_test_selection=", *(f"    {test}" for test in tests)]
    return "\n".join(lines) + "\n"


def results(directory: Path) -> Iterator[tuple[str, str]]:
    """Returns name and verdict of every mutant."""
    listed = mutmut(directory, "results", "--all", "true")
    for line in listed.stdout.splitlines():
        name, _, verdict = line.strip().partition(": ")
        if "__mutmut_" in name:
            yield name, verdict


def change_of(directory: Path, name: str) -> tuple[str, str]:
    """Returns the function and the new line of a mutant."""
    shown = mutmut(directory, "show", name).stdout.splitlines()
    added = [line[1:].strip() for line in shown if line.startswith("+") and not line.startswith("+++")]
    return function_of(name), " ".join(added)


def coroutines(modules: list[str]) -> set[str]:
    """Returns the functions that read the database. Their tests are not pure, so this program does not judge them."""
    trees = [ast.parse((ROOT / PACKAGE / module).read_text()) for module in modules]
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}


def function_of(name: str) -> str:
    """Returns the function that a mutant changes."""
    function = re.sub(r"__mutmut_\d+$", "", name.rpartition(".")[2]).removeprefix("x_").replace("ǁ", ".")
    return function.removeprefix("x.").strip(".")


def mutmut(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut in this folder and return its output."""
    return subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments], cwd=directory, check=False, capture_output=True, text=True
    )


def main() -> int:
    lists = tomllib.loads(LISTS.read_text())
    equivalents = {Equivalent(**entry) for entry in lists.get("equivalent", ())}
    with tempfile.TemporaryDirectory(prefix="clay-push-mutants-") as base:
        directory = Path(base)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, directory / name)
            else:
                shutil.copy(ROOT / name, directory / name)
        (directory / "setup.cfg").write_text(configuration(lists["modules"], lists["tests"]))
        ran = mutmut(directory, "run", "--max-children", "2")
        skipped = coroutines(lists["modules"])
        verdicts = {name: verdict for name, verdict in results(directory) if function_of(name) not in skipped}
        if not verdicts:
            console.print(f"mutmut did not run:\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}", markup=False)
            return 2
        survivors = {name: change_of(directory, name) for name, verdict in verdicts.items() if verdict not in NOTICED}
    known = {(each.function, each.becomes) for each in equivalents}
    left = {name: change for name, change in survivors.items() if change not in known}
    stale = known - set(survivors.values())
    for name, (function, becomes) in left.items():
        console.print(f"{verdicts[name]}: {function}: {becomes}", markup=False)
    for function, becomes in sorted(stale):
        console.print(f"not a survivor any more, remove it from the list: {function}: {becomes}", markup=False)
    counted = len(verdicts) - (len(survivors) - len(left))
    share = (counted - len(left)) / counted
    console.print(f"{dict(Counter(verdicts.values()))}")
    console.print(
        f"{counted - len(left)} of {counted} mutants noticed ({share:.1%}); {len(survivors) - len(left)} equivalent"
    )
    return 0 if share >= LEAST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
