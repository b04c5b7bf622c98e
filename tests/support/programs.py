"""Programs of the operating system that tests of deploy/ run: where they are, and ports and folders for them."""

import shutil
import socket
import tempfile
from pathlib import Path

import pytest


def program(name: str) -> str:
    """The path of a program. Fails the test when it is missing, because a skipped test would look like a passed one."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        pytest.fail(f"{name} is not installed. Run `make test-deploy` as root on Debian, or install {name}.")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def open_to_all(directory: Path) -> None:
    """Let other accounts read a folder of pytest. The folder for temporary files itself keeps its mode: apt needs it."""
    root = Path(tempfile.gettempdir()).resolve()
    for each in (directory, *directory.parents):
        if each == root or root not in each.parents:
            return
        each.chmod(0o755)
