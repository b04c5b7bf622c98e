"""systemd accepts the units, and their commands, user and folders agree with each other and with the CLI."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from clay_push_service.cli import app
from clay_push_service.commands.serve.command import END_SECONDS
from tests.support.programs import program

pytestmark = pytest.mark.deploy
FOLDER = Path(__file__).resolve().parents[2] / "deploy/systemd"
UNITS = sorted(FOLDER.glob("*.service"))
INSTALLED = "/opt/clay-push/bin/clay-push"


def values(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_systemd_verifies_the_unit(unit: Path, tmp_path: Path) -> None:
    """The command is replaced by one that exists, because the service is not installed on this machine."""
    text = unit.read_text()
    assert INSTALLED in text
    copy = tmp_path / unit.name.replace("@", "@8080")
    copy.write_text(text.replace(INSTALLED, "/bin/true"))
    verified = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", str(copy)],
        capture_output=True, text=True, check=False, env=os.environ | {"SYSTEMD_LOG_LEVEL": "warning"},
    )  # fmt: skip
    # other units of this machine may be broken, so only lines about this service count
    ours = [line for line in verified.stderr.splitlines() if "clay-push" in line]
    assert (verified.returncode, ours) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: str(unit.name))
def test_unit_agrees_with_the_command_line_and_the_user_and_folder_files(unit: Path) -> None:
    [command], [user], [folder] = values(unit, "ExecStart"), values(unit, "User"), values(unit, "WorkingDirectory")
    words = shlex.split(command)
    arguments = words[words.index(INSTALLED) + 1 :]
    assert arguments[0] in getattr(get_command(app), "commands")  # noqa: B009  # a group; click types it as a command
    [stop] = values(unit, "TimeoutStopSec")
    assert int(stop) > END_SECONDS
    assert f"\nu {user} - " in (FOLDER / "sysusers.conf").read_text()
    assert f"\nd {folder} " in (FOLDER / "tmpfiles.conf").read_text()
    assert all(path.startswith(f"{folder}/") for path in values(unit, "EnvironmentFile"))


def test_systemd_creates_the_user_and_the_folder(tmp_path: Path) -> None:
    """The test uses its own root folder. Only root may change the owner of a folder."""
    root = f"--root={tmp_path}"
    (tmp_path / "etc").mkdir()
    subprocess.run([program("systemd-sysusers"), root, str(FOLDER / "sysusers.conf")], check=True, capture_output=True)
    assert re.search(
        r"^clay-push:.*:/etc/clay-push:/usr/sbin/nologin$", (tmp_path / "etc/passwd").read_text(), re.MULTILINE
    )
    subprocess.run(
        [program("systemd-tmpfiles"), root, "--create", str(FOLDER / "tmpfiles.conf")], check=True, capture_output=True
    )
    assert (tmp_path / "etc/clay-push").stat().st_mode & 0o777 == 0o750
