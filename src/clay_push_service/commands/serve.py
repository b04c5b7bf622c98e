"""`clay-push serve`: uvicorn around our application; ends in order within 25 s, and never with 0 when it could not serve."""

import asyncio
import contextlib
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
from clay_push_service.commands.worker_beside import WorkerBeside
from clay_push_service.database.failed_statement import failure
from clay_push_service.errors import UnavailableError
from clay_push_service.settings import PREFIX, Settings, SettingsError
from clay_push_service.worker.watchdog import end_within

DRAIN_SECONDS = 8
"""For answers that are under way. Event streams are ended at once; their readers connect again."""
END_SECONDS = 24.8
"""Whatever hangs, the process has ended by then; its worker has until 24.5 s."""
BACKLOG = 1024

log = logs.get(__name__)


class _Server(uvicorn.Server):
    """Signals are ours: uvicorn would end the process by the same signal again, before our worker has ended."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, FastAPI):
            end_streams(app)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def run(settings: Settings, *, with_worker: bool) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code: 0 only when it was told to stop."""
    if with_worker and not settings.encryption_keys:
        # Here, or the worker would end at once, again and again, beside an API that looks well.
        raise SettingsError([f"{PREFIX}ENCRYPTION_KEYS: is required by a worker (make a key: clay-push secrets new)"])
    connections = Connections(connections_allowed(settings.max_connections), settings.header_timeout_seconds)
    config = uvicorn.Config(
        create_app(settings),
        http=connections.protocol,  # type: ignore[arg-type]  # it makes one, as a class would
        lifespan="on",
        ws="none",
        log_config=None,  # ours
        access_log=False,
        log_level="warning",  # that it starts and ends is said by us, once
        proxy_headers=False,  # nothing here asks for a caller's address or makes an absolute URL
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    listener = _bind(settings.host, settings.port)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, listener:
        return runner.run(_serve(_Server(config), listener, with_worker))


async def _serve(server: _Server, listener: socket.socket, with_worker: bool) -> int:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    host, port = listener.getsockname()[:2]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    telling = asyncio.create_task(told.wait())
    working = asyncio.create_task(WorkerBeside().run(told)) if with_worker else None
    try:
        log.info("serve.started", host=host, port=port, with_worker=with_worker)
        await asyncio.wait({serving, telling, *([working] if working else [])}, return_when=asyncio.FIRST_COMPLETED)
        asked = told.is_set()
        end_within(END_SECONDS)
        told.set()
        server.should_exit = True
        await asyncio.wait({serving, *([working] if working else [])})
        if (error := serving.exception()) is not None:  # uvicorn says sys.exit where the application cannot start
            log.critical("serve.failed", **failure(error))
            return 1
        if working is not None and (broken := working.exception()) is not None:
            raise broken
        return 0 if asked and server.started else 1
    finally:
        telling.cancel()


def _bind(host: str, port: int) -> socket.socket:
    """Bound before anything is started, so that a taken port is one line and leaves nothing behind."""
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
