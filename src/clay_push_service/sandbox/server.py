"""Runs a sandbox server. It stops within two seconds, even with stalled clients."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from aiohttp import web

from clay_push_service.sandbox.admin import Admin
from clay_push_service.sandbox.callbacks import Callbacks
from clay_push_service.sandbox.faults import FaultPlan
from clay_push_service.sandbox.limits import LIFETIME_CAP, MAX_BODY_BYTES, WorkspaceLimits
from clay_push_service.sandbox.outgoing import Outgoing
from clay_push_service.sandbox.page import page_routes
from clay_push_service.sandbox.routine_runs import RoutineRuns
from clay_push_service.sandbox.routines import PREFIX, RoutinesApi
from clay_push_service.sandbox.routines_admin import RoutinesAdmin
from clay_push_service.sandbox.sources import Registry
from clay_push_service.sandbox.store import Store
from clay_push_service.sandbox.webhook import Webhook

DEFAULT_SOURCE = "pull-in-data-from-a-webhook-00000000-0000-4000-8000-000000000001"
SHUTDOWN_SECONDS = 1.0
"""Time limit for requests at shutdown. Stalled and slow ones are aborted immediately."""


class NotGiven(Enum):
    """Marks an omitted option: an existing source keeps its value."""

    NOT_GIVEN = "not given"


NOT_GIVEN = NotGiven.NOT_GIVEN


@dataclass(frozen=True, slots=True)
class Options:
    """`limits` apply to every workspace without its own limits. `token` and `cap`, if given, also change existing sources."""

    sources: Sequence[str] = ()
    """Created at the start unless they exist. If empty, the default source is created, and `token` and `cap` apply to all sources."""
    token: str | NotGiven | None = NOT_GIVEN
    """None: no token is required."""
    limits: WorkspaceLimits = field(default_factory=WorkspaceLimits)
    cap: int | NotGiven | None = NOT_GIVEN
    """None: no limit. Not given: a new source gets Clay's limit."""
    max_body_bytes: int = MAX_BODY_BYTES
    oversize_status: int = 413
    """Clay documents 400; 413 has been observed."""
    faults: FaultPlan = field(default_factory=FaultPlan)
    keep_alive_seconds: float = 75.0


@dataclass(frozen=True, slots=True)
class Ready:
    host: str
    port: int
    sources: Sequence[str]

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def api_url(self) -> str:
        return self.url + PREFIX

    def webhook_url(self, source: str = DEFAULT_SOURCE) -> str:
        return f"{self.url}/v3/sources/webhook/{source}"


@asynccontextmanager
async def running(host: str, port: int, directory: Path, options: Options | None = None) -> AsyncIterator[Ready]:
    """Runs a sandbox until the block ends. Port 0 uses a free one."""
    options = options or Options()
    listener = _bind(host, port)  # first: a port that is taken must not change the directory
    store: Store | None = None
    runner: web.AppRunner | None = None
    stopping = asyncio.Event()
    outgoing = Outgoing()
    try:
        store = Store(directory)
        store.start()
        registry = Registry(store, options.limits, options.faults)
        await registry.load()
        await _prepare_sources(registry, options)
        app = web.Application(client_max_size=options.max_body_bytes)
        callbacks = Callbacks(outgoing)
        webhook = Webhook(registry, store, stopping, options.oversize_status, callbacks)
        app.add_routes([web.post("/v3/sources/webhook/{source}", webhook.receive)])
        app.add_routes(Admin(registry, store, callbacks).routes())
        runs = RoutineRuns(outgoing=outgoing)
        app.add_routes([*RoutinesApi(runs, stopping).routes(), *RoutinesAdmin(runs).routes()])
        app.add_routes(page_routes())
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,  # a disconnect ends the client's stalled request
            keepalive_timeout=options.keep_alive_seconds,
            lingering_time=1.0,
            shutdown_timeout=SHUTDOWN_SECONDS,
        )
        await runner.setup()
        await web.SockSite(runner, listener, backlog=1024).start()
        yield Ready(host, listener.getsockname()[1], tuple(registry.sources))
    finally:
        stopping.set()
        await outgoing.close()
        if runner is not None:
            await runner.cleanup()
        listener.close()
        if store is not None:
            await store.close()


async def _prepare_sources(registry: Registry, options: Options) -> None:
    """Create missing sources, and set the given token and cap on existing ones."""
    token, cap = options.token, options.cap
    existing = [registry.sources[each] for each in options.sources or registry.sources if each in registry.sources]
    for source in existing:
        await registry.change(
            source,
            token=source.token if isinstance(token, NotGiven) else token,
            cap=source.cap if isinstance(cap, NotGiven) else cap,
            submissions=source.submissions,
        )
    for name in options.sources or (DEFAULT_SOURCE,):
        if name not in registry.sources:
            await registry.create(
                name,
                token=None if isinstance(token, NotGiven) else token,
                cap=LIFETIME_CAP if isinstance(cap, NotGiven) else cap,
            )


async def serve(
    host: str,
    port: int,
    directory: Path,
    options: Options | None = None,
    *,
    on_ready: Callable[[Ready], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until `stop` is set, or without end; `on_ready` receives the port."""
    async with running(host, port, directory, options) as ready:
        if on_ready is not None:
            on_ready(ready)
        await (stop or asyncio.Event()).wait()


def run(
    host: str,
    port: int,
    directory: Path,
    options: Options | None = None,
    *,
    on_ready: Callable[[Ready], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, as the only task of a process."""

    async def until_signal() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError):  # Windows has no handlers in the loop; Ctrl-C raises there
                loop.add_signal_handler(number, stop.set)
        await serve(host, port, directory, options, on_ready=on_ready, stop=stop)

    asyncio.run(until_signal())


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart can use the same port immediately
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
