"""`clay-push serve`: runs the API in uvicorn. It stops within 25 s, and exits with 0 only after a requested stop."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterator

import uvicorn
import uvloop
from fastapi import FastAPI

from clay_push_service import logs
from clay_push_service.api.app import create_app, end_streams
from clay_push_service.api.connections import Connections
from clay_push_service.api.open_files import connections_allowed
from clay_push_service.commands.serve.worker_supervisor import WorkerSupervisor
from clay_push_service.database.failed_statement import failure
from clay_push_service.errors import UnavailableError
from clay_push_service.settings import PREFIX, Settings, SettingsError
from clay_push_service.worker.watchdog import end_within

DRAIN_SECONDS = 8
"""Time for requests in progress. Event streams are closed immediately; their clients reconnect."""
END_SECONDS = 24.8
"""The process has exited by then even if something hangs; its worker has 24.5 s."""
BACKLOG = 1024

log = logs.get(__name__)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise the signal again and end the process before our worker has stopped."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, FastAPI):
            end_streams(app)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(settings: Settings, *, with_worker: bool) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code: 0 only after such a signal."""
    if with_worker and not settings.encryption_keys:
        # Checked here: otherwise the worker would exit and restart repeatedly while the API looks healthy.
        raise SettingsError([f"{PREFIX}ENCRYPTION_KEYS: is required by a worker (make a key: clay-push secrets new)"])
    connections = Connections(connections_allowed(settings.max_connections), settings.header_timeout_seconds)
    config = uvicorn.Config(
        create_app(settings),
        http=connections.protocol,  # type: ignore[arg-type]  # a factory instead of a class
        lifespan="on",
        ws="none",
        log_config=None,  # ours
        access_log=False,
        log_level="warning",  # we log the start and the end ourselves
        proxy_headers=False,  # no code reads a caller's address or builds an absolute URL
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    listener = _bind(settings.host, settings.port)
    # The application's routes and models are never garbage. Without this, each full collection stops all requests while it visits them.
    gc.collect()
    gc.freeze()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, listener:
        return runner.run(_serve(_Server(config), listener, with_worker))


async def _serve(server: _Server, listener: socket.socket, with_worker: bool) -> int:
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_requested.set)
    host, port = listener.getsockname()[:2]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop_requested.wait())
    working = asyncio.create_task(WorkerSupervisor().run(stop_requested)) if with_worker else None
    try:
        log.info("serve.started", host=host, port=port, with_worker=with_worker)
        await asyncio.wait({serving, stopping, *([working] if working else [])}, return_when=asyncio.FIRST_COMPLETED)
        was_requested = stop_requested.is_set()
        end_within(END_SECONDS)
        stop_requested.set()
        server.should_exit = True
        await asyncio.wait({serving, *([working] if working else [])})
        if (error := serving.exception()) is not None:  # uvicorn raises SystemExit if the application cannot start
            log.critical("serve.failed", **failure(error))
            return 1
        if working is not None and (broken := working.exception()) is not None:
            raise broken
        return 0 if was_requested and server.started else 1
    finally:
        stopping.cancel()


def _bind(host: str, port: int) -> socket.socket:
    """Binds before anything is started: a port that is in use gives a one-line error and leaves nothing behind."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise UnavailableError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another CLAY_PUSH_PORT (or CLAY_PUSH_HOST)."
        ) from None
    listener.setblocking(False)
    return listener
