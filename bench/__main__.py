"""`python -m bench [names]`: runs the named benchmarks or all, prints their tables and writes bench/results/<name>.json."""

import json
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bench import (
    accept,
    console,
    destinations,
    expansion,
    fairness,
    host_reads,
    idle_connections,
    inbound,
    mappings,
    pace,
    rate_comparison,
    replaced_workers,
    retention,
    scaling,
    speed,
    throttled,
    transport,
    workspaces,
)
from bench.stage import embedded
from clay_push_service import migrations
from clay_push_service.local_database import postgres
from clay_push_service.local_database.postgres import Server

RESULTS = Path(__file__).parent / "results"

Measurement = Callable[[Server], Awaitable[tuple[object, str]]]


async def _accept(server: Server) -> tuple[object, str]:
    made = await accept.run(server)
    return made, accept.table(made)


async def _pace(server: Server) -> tuple[object, str]:
    made = await pace.run(server)
    return made, pace.table(made)


async def _workspaces(server: Server) -> tuple[object, str]:
    made = await workspaces.run(server)
    return made, workspaces.table(made)


async def _speed(server: Server) -> tuple[object, str]:
    made = await speed.run(server)
    return made, speed.table(made)


async def _fairness(server: Server) -> tuple[object, str]:
    made = await fairness.run(server)
    return made, fairness.table(made)


async def _destinations(server: Server) -> tuple[object, str]:
    made = await destinations.run(server)
    return made, destinations.table(made)


async def _transport(_: Server) -> tuple[object, str]:
    made = await transport.run()
    return made, transport.table(made)


async def _idle_connections(_: Server) -> tuple[object, str]:
    made = await idle_connections.run()
    return made, "\n".join(map(str, made))


async def _host_reads(server: Server) -> tuple[object, str]:
    url = postgres.create_database(server.url, "bench_host_reads")
    try:
        return await host_reads.run(url), ""  # prints its rows during the run
    finally:
        postgres.drop_database(server.url, "bench_host_reads")


async def _retention(server: Server) -> tuple[object, str]:
    url = postgres.create_database(server.url, "bench_retention")
    try:
        migrations.upgrade(url)
        return await retention.run(url), ""  # prints its rows during the run
    finally:
        postgres.drop_database(server.url, "bench_retention")


async def _expansion(server: Server) -> tuple[object, str]:
    url = postgres.create_database(server.url, "bench_expansion")
    try:
        return await expansion.run(url, rows=1_000_000), ""  # prints its rows during the run
    finally:
        postgres.drop_database(server.url, "bench_expansion")


async def _rate_comparison(_: Server) -> tuple[object, str]:
    made = rate_comparison.run()
    return made, rate_comparison.table(made)


async def _throttled(server: Server) -> tuple[object, str]:
    made = await throttled.run(server)
    return made, throttled.table(made)


async def _scaling(server: Server) -> tuple[object, str]:
    made = await scaling.run(server)
    return made, scaling.table(made)


async def _replaced_workers(server: Server) -> tuple[object, str]:
    made = await replaced_workers.run(server)
    return made, replaced_workers.table(made)


async def _inbound(server: Server) -> tuple[object, str]:
    made = await inbound.run(server)
    return made, inbound.table(made)


async def _mappings(_: Server) -> tuple[object, str]:
    made = mappings.run()
    return made, mappings.table(made)


async def _console(server: Server) -> tuple[object, str]:
    made = await console.run(server)
    return made, console.table(made)


MEASUREMENTS: dict[str, Measurement] = {
    "transport": _transport,
    "idle_connections": _idle_connections,
    "host_reads": _host_reads,
    "accept": _accept,
    "speed": _speed,
    "workspaces": _workspaces,
    "pace": _pace,
    "rate_comparison": _rate_comparison,
    "throttled": _throttled,
    "fairness": _fairness,
    "destinations": _destinations,
    "replaced_workers": _replaced_workers,
    "inbound": _inbound,
    "mappings": _mappings,
    "console": _console,
    "retention": _retention,
    "expansion": _expansion,
    "scaling": _scaling,
}


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return [_plain(each) for each in value] if isinstance(value, list) else value


async def main(names: list[str]) -> None:
    RESULTS.mkdir(exist_ok=True)
    with embedded() as server:
        for name in names:
            print(f"\n== {name}", flush=True)
            started = time.monotonic()
            made, table = await MEASUREMENTS[name](server)
            print(table, flush=True)
            result = {
                "measured": name,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "python": platform.python_version(),
                "processor": platform.machine(),
                "seconds": round(time.monotonic() - started, 1),
                "figures": _plain(made),
            }
            (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(MEASUREMENTS)
    if unknown := [name for name in wanted if name not in MEASUREMENTS]:
        sys.exit(f"Unknown benchmark: {', '.join(unknown)}. The benchmarks are: {', '.join(MEASUREMENTS)}.")
    uvloop.run(main(wanted))
