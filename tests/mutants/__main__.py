"""Runs the mutants of the tables: python -m tests.mutants [--sample 20] [--only claim] [--jobs 2].

Each mutant is applied to a copy of `src`, and its tests run against that copy. A failing test means that the mutant was noticed.
The exit code is 0 if at least 95 % of the mutants that are not equivalent were noticed (in a sample: all of them).
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.mutants.table import PACKAGE, ROOT, Mutant, TableError, check, read_tables

LEAST_SHARE = 0.95
TEST_SECONDS = 120
"""Time limit of one test. A test that hangs has also noticed the mutant."""
MUTANT_SECONDS = 600
"""Time limit of all tests of one mutant."""
UNCHANGED_SECONDS = 3600
"""Time limit of the tests of all chosen mutants on the unchanged code."""
PASSED, FAILED = 0, 1
"""Exit codes of pytest. Every other code means that the tests did not run."""

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    mutant: Mutant
    noticed: bool
    seconds: float


class RunError(Exception):
    """The tests of a mutant did not run, so there is no verdict."""


async def run_tests(source: Path, tests: Sequence[str], *options: str, seconds: float) -> tuple[int, str]:
    """Run tests against the package below `source`, for at most `seconds`. Returns pytest's exit code and output."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(ROOT)])}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", "--durations=0",
        f"--timeout={TEST_SECONDS}", *options, *tests,
        cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return FAILED, "killed after its time"
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


async def run_unchanged(tests: Sequence[str], jobs: int) -> tuple[int, str]:
    """Run the tests on the code as it is. Those that fail run once more, alone, as they do for a mutant."""
    source = ROOT / PACKAGE.parts[0]
    code, output = await run_tests(source, tests, "-n", str(jobs), seconds=UNCHANGED_SECONDS)
    failed = [
        line.removeprefix("FAILED ").partition(" - ")[0] for line in output.splitlines() if line.startswith("FAILED ")
    ]
    if code != FAILED or not failed:
        return code, output
    console.print("Failed beside others, run again alone: " + ", ".join(failed), markup=False)
    return await run_tests(source, failed, "-n", "0", seconds=UNCHANGED_SECONDS)


async def run_mutant(mutant: Mutant, source: Path) -> Verdict:
    """Apply the mutant to the copy of `src` at `source`, run its tests, and restore the file."""
    path = source / Path(*PACKAGE.parts[1:]) / mutant.file
    original = path.read_text()
    started = time.monotonic()
    write(path, mutant.mutated(original))
    try:
        code, output = await run_tests(source, mutant.tests, "-x", "-n", "0", seconds=MUTANT_SECONDS)
    finally:
        write(path, original)
    # a failed import during collection also notices the mutant
    if code not in {PASSED, FAILED} and "ImportError while" not in output and "ERROR collecting" not in output:
        raise RunError(f"{mutant.name}: pytest ended with {code}:\n{output[-2000:]}")
    return Verdict(mutant, code != PASSED, time.monotonic() - started)


def write(path: Path, text: str) -> None:
    """Write a module and delete its cached bytecode, whose key is only size and second."""
    path.write_text(text)
    for cached in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        cached.unlink()


async def run_all(mutants: Sequence[Mutant], jobs: int) -> list[Verdict]:
    """Run the mutants, `jobs` at a time, each job on its own copy, and print one line for each mutant."""
    left = list(reversed(mutants))
    verdicts: list[Verdict] = []

    async def work(directory: Path) -> None:
        shutil.copytree(ROOT / PACKAGE.parts[0], directory)
        while left:
            verdict = await run_mutant(left.pop(), directory)
            verdicts.append(verdict)
            mutant = verdict.mutant
            word = "noticed " if verdict.noticed else "SURVIVED"
            console.print(
                f"{word} {verdict.seconds:5.1f} s  {mutant.name}  {mutant.file}: {mutant.guarantee}", markup=False
            )

    with tempfile.TemporaryDirectory(prefix="clay-push-mutants-") as base:
        async with asyncio.TaskGroup() as group:
            for number in range(jobs):
                group.create_task(work(Path(base) / str(number)))
    return verdicts


async def main() -> int:
    """Returns the exit code: 0 if enough were noticed, 1 if too few, 2 if the tables or the tests on unchanged code fail."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, help="run this many, chosen at random; all must be noticed")
    parser.add_argument("--seed", type=int, default=None, help="of the random choice; printed when not given")
    parser.add_argument("--only", default="", help="run the mutants whose name or file contains this text")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    given = parser.parse_args()
    try:
        every = read_tables()
        check(every)
    except TableError as error:
        console.print(str(error), markup=False)
        return 2
    chosen = [each for each in every if given.only in f"{each.name} {each.file}" and each.equivalent is None]
    if given.sample is not None:
        seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
        console.print(f"A sample of {given.sample} mutants, --seed {seed}")
        chosen = random.Random(seed).sample(chosen, min(given.sample, len(chosen)))
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    code, output = await run_unchanged(tests, given.jobs)
    if code != PASSED:
        console.print(f"The tests fail without any mutant:\n{output[-3000:]}", markup=False)
        return 2
    try:
        verdicts = await run_all(chosen, given.jobs)
    except ExceptionGroup as group:
        if group.subgroup(RunError) is None:
            raise
        console.print(str(group.exceptions[0]), markup=False)
        return 2
    noticed = sum(verdict.noticed for verdict in verdicts)
    equivalent = [mutant for mutant in every if mutant.equivalent is not None]
    for verdict in verdicts:
        if not verdict.noticed:
            mutant = verdict.mutant
            console.print(
                f"survived: {mutant.name} {mutant.file}\n  - {mutant.find}\n  + {mutant.replace}", markup=False
            )
    share = noticed / len(verdicts) if verdicts else 0.0
    console.print(
        f"{noticed} of {len(verdicts)} mutants noticed ({share:.1%}); {len(equivalent)} equivalent ones not run"
    )
    return 0 if share >= (1.0 if given.sample is not None else LEAST_SHARE) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
