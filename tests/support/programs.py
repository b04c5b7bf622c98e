"""Finds the programs that tests of deploy/ run, and prepares ports and folders for them."""

import shutil
import socket
import tempfile
from pathlib import Path

import pytest


def program(name: str) -> str:
    """Returns the path of a program. Fails the test if the program is missing: a skip would hide that nothing was tested."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        pytest.fail(f"{name} is not installed. Run `make test-deploy` as root on Debian, or install {name}.")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def open_to_all(directory: Path) -> None:
    """Let other accounts read a folder of pytest. The system's temporary folder keeps its mode, because apt needs it."""
    root = Path(tempfile.gettempdir()).resolve()
    for each in (directory, *directory.parents):
        if each == root or root not in each.parents:
            return
        each.chmod(0o755)
