"""`clay-push worker --check`: a container health check. Reads from the database whether a worker of this host is alive."""

import asyncio
import socket
from decimal import Decimal
from typing import NamedTuple

import typer

from clay_push_service.database.database import Database
from clay_push_service.database.statement import Statement
from clay_push_service.ops.health import LIVE_SECONDS
from clay_push_service.settings import Settings


class _Heartbeat(NamedTuple):
    seconds: Decimal | None
    """Seconds since the newest heartbeat; None: there is no heartbeat."""


FRESHEST = Statement(
    """
SELECT extract(epoch FROM clock_timestamp() - max(seen_at)) AS seconds FROM clay.workers WHERE hostname = :hostname
""",
    _Heartbeat,
)


def run(settings: Settings) -> int:
    """Returns 1 if no worker of this host has a recent heartbeat. In a container the host name is the container's."""
    hostname = socket.gethostname()
    age = asyncio.run(_age(settings, hostname))
    if age is None:
        typer.echo(f"No worker of {hostname} has a heartbeat.", err=True)
        return 1
    is_fresh = age <= LIVE_SECONDS
    typer.echo(f"The last heartbeat of a worker of {hostname} was {age:.0f} s ago.", err=not is_fresh)
    return 0 if is_fresh else 1


async def _age(settings: Settings, hostname: str) -> float | None:
    database = Database.for_shell(settings.database_url, "clay-push-check")
    try:
        async with database.transaction() as connection:
            seconds = (await FRESHEST.one(connection, {"hostname": hostname})).seconds
            return None if seconds is None else float(seconds)
    finally:
        await database.close()
