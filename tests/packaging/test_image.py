"""Checks the Dockerfile without Docker: copied files exist, the wheel runs as an ordinary user, and the health check works."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from clay_push_service.host.columns import Vintage
from tests.harness.nexusleads import open_nexusleads
from tests.harness.settings import KEY
from tests.harness.shell import environment
from tests.support.programs import free_port

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = re.sub(r"\\\n", " ", (REPOSITORY / "Dockerfile").read_text())
NOBODY_ACCOUNT = 65_534
FROM_BUILD = "--from="


def lines(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction}\s+(.*)$", DOCKERFILE, re.MULTILINE)


def copied() -> list[tuple[str, str]]:
    """Returns source and target of each COPY from the checkout."""
    made = []
    for line in lines("COPY"):
        if not line.startswith(FROM_BUILD):
            *sources, target = shlex.split(line)
            made += [(source, f"{target}{source}" if target.endswith("/") else target) for source in sources]
    return made


@dataclass(frozen=True)
class Image:
    root: Path
    """Contains the files of the wheel and no others of this project."""
    user: int | None

    def variables(self, database_url: str, port: int) -> dict[str, str]:
        env = environment(database_url=database_url, encryption_keys=KEY, log_format="console", port=str(port))
        path = f"{Path(sys.executable).parent}:{env['PATH']}"
        return env | {
            "PYTHONPATH": str(self.root),
            "PATH": path,
            "HOME": "/nonexistent",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    async def start(self, *command: str, env: dict[str, str]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *command, cwd=self.root, env=env, user=self.user, group=self.user, extra_groups=None if self.user is None else [],
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    async def run(self, *command: str, env: dict[str, str]) -> tuple[int, str]:
        process = await self.start(*command, env=env)
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode()


def ordinary_user(directory: Path) -> int | None:
    """The account `nobody` if the tests run as root. Skipped if the checkout is private, because that account cannot run Python there."""
    if os.geteuid() != 0:
        return None
    command = [sys.executable, "-c", "import fastapi"]
    try:
        subprocess.run(
            command,
            user=NOBODY_ACCOUNT,
            group=NOBODY_ACCOUNT,
            extra_groups=[],
            cwd=directory,
            check=True,
            capture_output=True,
        )
    except (PermissionError, subprocess.CalledProcessError):
        return None
    return NOBODY_ACCOUNT


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    directory = Path(tempfile.mkdtemp(prefix="clay-image-"))  # other accounts cannot read pytest's folder
    try:
        for source, target in copied():
            place = directory / "context" / target
            place.parent.mkdir(parents=True, exist_ok=True)
            if (REPOSITORY / source).is_dir():
                shutil.copytree(REPOSITORY / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(REPOSITORY / source, place)
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
        subprocess.run(build, cwd=directory / "context", check=True, capture_output=True)
        shutil.rmtree(directory / "context")
        root = directory / "installed"
        with zipfile.ZipFile(next(directory.glob("*.whl"))) as wheel:
            wheel.extractall(root)
        directory.chmod(0o755)
        yield Image(root, ordinary_user(root))
    finally:
        shutil.rmtree(directory)


def test_copied_files_exist_and_are_not_excluded_by_dockerignore() -> None:
    let_through = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source for source, _ in copied()} == let_through
    assert all((REPOSITORY / source).exists() for source in let_through)


def test_the_image_does_not_run_as_root() -> None:
    assert lines("USER")[-1] != "root"


async def test_installed_release_migrates_serves_and_passes_its_health_check(
    image: Image, empty_database_url: str
) -> None:
    port = free_port()
    env = image.variables(empty_database_url, port)
    clay_push = (sys.executable, "-m", "clay_push_service.cli")
    where = "import clay_push_service as c; print(c.__file__)"
    assert (await image.run(sys.executable, "-c", where, env=env))[1].startswith(str(image.root)), (
        "the package must not be imported from the checkout"
    )
    async with open_nexusleads(empty_database_url, Vintage.TODAY):
        code, report = await image.run(*clay_push, "migrate", env=env)
        assert code == 0, report
        code, report = await image.run(*clay_push, "attach", "--level", "read", env=env)
        assert code == 0, report
        command = json.loads(lines("HEALTHCHECK")[0].partition("CMD")[2])
        code, report = await image.run(*command, env=env)
        assert code != 0, "the health check must fail before the server runs"
        assert json.loads(lines("CMD")[-1]) == ["clay-push", "serve"]
        serving = await image.start(*clay_push, "serve", env=env)
        try:
            async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(30):
                while serving.returncode is None:
                    try:
                        if (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success:
                            break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
            code, report = await image.run(*command, env=env)
            assert code == 0, report
        finally:
            if serving.returncode is None:
                serving.terminate()
            await serving.communicate()
        assert serving.returncode == 0
