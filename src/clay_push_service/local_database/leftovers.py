"""Stops embedded PostgreSQL processes that a killed launcher left running. It signals only processes of this cluster."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def end_leftover(data: Path, patience_seconds: float) -> None:
    """Stop a postmaster whose launcher has exited, and remove a stale pid file that would prevent the next start.

    PostgreSQL mistakes a zombie, or another process with the same pid, for a running postmaster and refuses to start.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if not _is_postmaster(pid, data):
            break
        os.kill(pid, number)
        _wait_until(lambda: not _is_postmaster(pid, data), patience_seconds)
    # Backends of a killed postmaster exit shortly afterwards. They must not write the same files as a new server.
    _wait_until(lambda: not _works_in(data), patience_seconds)
    if _is_listed(pid) and not _is_postmaster(pid, data) and not _works_in(data):
        pid_file.unlink(missing_ok=True)


def _is_listed(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_postmaster(pid: int, data: Path) -> bool:
    """True if the process is alive, not a zombie (a zombie has no command line), and runs on this directory."""
    if Path("/proc/self").exists():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return os.fsencode(data) in words
    listed = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603
    return b"-D " + os.fsencode(data) + b" " in listed.stdout


def _works_in(data: Path) -> bool:
    """True if a process of the cluster is alive: only these have the data directory as working directory."""
    for process in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if process.readlink() == data:
                return True
        except OSError:
            continue
    return False


def _wait_until(done: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
