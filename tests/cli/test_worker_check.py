"""`clay-push worker --check`: the health check of a worker's container."""

import socket
from pathlib import Path

import pytest
from sqlalchemy import text

from clay_push_service.database.database import Database
from tests.harness.shell import environment, shell


@pytest.mark.parametrize(
    ("hostname", "seconds_ago", "code"),
    [(socket.gethostname(), 1, 0), (socket.gethostname(), 40, 1), ("another-host", 1, 1)],
    ids=["fresh", "silent", "elsewhere"],
)
async def test_only_a_recent_heartbeat_of_this_host_is_healthy(
    database: Database, database_url: str, tmp_path: Path, hostname: str, seconds_ago: int, code: int
) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "INSERT INTO clay.workers (id, hostname, pid, version, seen_at)"
                " VALUES (gen_random_uuid(), :hostname, 1, '0', now() - :ago * interval '1 second')"
            ),
            {"hostname": hostname, "ago": seconds_ago},
        )
    result = await shell(tmp_path, "worker", "--check", env=environment(database_url=database_url))
    assert result.exit_code == code
    assert socket.gethostname() in result.out + result.err


async def test_without_a_database_the_check_fails(tmp_path: Path) -> None:
    env = environment(database_url="postgresql://nobody@127.0.0.1:1/none")
    assert (await shell(tmp_path, "worker", "--check", env=env)).exit_code == 3
