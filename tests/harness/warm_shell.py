"""Runs `clay-push` commands as forks of one interpreter that has imported everything, because the import is slow.

Each command has its own process, environment, working directory, standard output and standard error, as from a shell.
"""

import asyncio
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from tests.harness.shell import CommandResult

LOOK_SECONDS = 0.02
"""Interval between two checks for children that have exited."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running command. It writes to the files `out` and `err`."""

    pid: int
    out: Path
    err: Path
    ended: Future[int]

    async def result(self, seconds: float) -> CommandResult:
        """Wait for the exit. After the timeout, kill the command and raise TimeoutError."""
        try:
            async with asyncio.timeout(seconds):
                exit_code = await asyncio.shield(asyncio.wrap_future(self.ended))
        except TimeoutError:
            self.signal(signal.SIGKILL)
            raise
        return CommandResult(exit_code, self.out.read_text(), self.err.read_text())

    def signal(self, number: signal.Signals) -> None:
        if not self.ended.done():
            os.kill(self.pid, number)


class WarmShell:
    """The client. Only one thread may call `start`."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders: IO[bytes] = process.stdin
        self._directory = directory
        self._pids: dict[str, Future[int]] = {}
        self._codes: dict[str, Future[int]] = {}
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()

    def start(self, *arguments: str, env: dict[str, str]) -> Running:
        """Start a command. Returns when its process exists."""
        name = uuid4().hex
        out, err = (self._directory / f"{name}.{kind}" for kind in ("out", "err"))
        for path in (out, err):
            path.touch()  # the caller can read both files from now on
        pid: Future[int] = Future()
        ended: Future[int] = Future()
        self._pids[name], self._codes[name] = pid, ended
        order = {"name": name, "arguments": arguments, "env": env, "out": str(out), "err": str(err)}
        self._orders.write(json.dumps(order | {"directory": str(self._directory)}).encode() + b"\n")
        self._orders.flush()
        return Running(pid.result(60), out, err, ended)

    def _read(self, reports: IO[bytes]) -> None:
        for line in reports:
            report = json.loads(line)
            waiting = self._pids if "pid" in report else self._codes
            waiting[report["name"]].set_result(report["pid"] if "pid" in report else report["exit_code"])


@contextmanager
def warm_shell(directory: Path) -> Iterator[WarmShell]:
    with subprocess.Popen(
        (sys.executable, "-m", "tests.harness.warm_shell"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield WarmShell(process, directory)
        assert process.stdin is not None
        process.stdin.close()  # the interpreter ends itself and its children


def _load() -> None:
    """Import every module that a command needs."""
    import clay_push_service

    for module in pkgutil.walk_packages(clay_push_service.__path__, "clay_push_service."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def _serve() -> None:
    names: dict[int, str] = {}
    rest = b""
    while True:
        if select.select([0], [], [], LOOK_SECONDS)[0]:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                order = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    _become(order)
                    return
                names[pid] = order["name"]
                _report(name=order["name"], pid=pid)
        while names:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            _report(name=names.pop(pid), exit_code=os.waitstatus_to_exitcode(status))
    for pid in names:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _report(**values: Any) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


def _become(order: dict[str, Any]) -> None:
    """Continue as the child process, which does what the console script does."""
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["out"], os.O_WRONLY | os.O_CREAT),
        (2, order["err"], os.O_WRONLY | os.O_CREAT),
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.argv = ["clay-push", *order["arguments"]]
    os._exit(_exit_code())


def _exit_code() -> int:
    """Returns the exit code of the console script. Skips Python's own shutdown, which takes a second for all loaded modules."""
    from clay_push_service.cli import main

    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - what Python does with it
        traceback.print_exc()
        code = 1
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    _load()
    gc.freeze()  # the children share the memory of loaded modules
    _serve()
