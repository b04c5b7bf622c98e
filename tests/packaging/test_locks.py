"""Builds and installations use only hashed requirements, including the build backend."""

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LOCKS = sorted((REPOSITORY / "requirements").glob("*.lock"))


def pinned(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.stem))
def test_each_pinned_requirement_has_a_hash(lock: Path) -> None:
    requirements = re.split(r"^(?=[\w.-]+==)", lock.read_text(), flags=re.MULTILINE)[1:]
    assert requirements
    assert [each.splitlines()[0] for each in requirements if "--hash=sha256:" not in each] == []


def test_build_lock_pins_the_build_backend_of_pyproject() -> None:
    [backend] = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["build-system"]["requires"]
    assert backend in (REPOSITORY / "requirements/build.in").read_text().splitlines()
    name, _, version = backend.partition("==")
    assert pinned(REPOSITORY / "requirements/build.lock")[name] == version


@pytest.mark.parametrize("other", ["demo", "dev", "run"])
def test_build_lock_agrees_with_the_locks_it_is_installed_with(other: str) -> None:
    """One pip command installs both locks, and pip refuses two versions of one package."""
    build, beside = pinned(REPOSITORY / "requirements/build.lock"), pinned(REPOSITORY / f"requirements/{other}.lock")
    assert {name: beside[name] for name in build.keys() & beside.keys()} == {
        name: build[name] for name in build.keys() & beside.keys()
    }


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile", "README.md"])
def test_nothing_is_installed_without_hashes_or_with_build_isolation(name: str) -> None:
    text = re.sub(r"\\\n", " ", (REPOSITORY / name).read_text())
    commands = re.findall(r"(?:\$\(PIP\)|pip install)((?: [^&\n#]+)?)", text)
    installs = [each for each in commands if each.strip(" -quiet")]
    assert installs
    for each in installs:
        local = "--no-deps" in each and ("--no-build-isolation" in each or ".whl" in each)
        assert "--require-hashes" in each or local, each
