"""The recipe for pgbouncer: the API, the queue and a worker process push through it."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.harness.runtime import runtime_url
from tests.harness.service import run_service
from tests.support.programs import free_port, open_to_all, program

RECIPE = Path(__file__).resolve().parents[2] / "deploy/pgbouncer.ini"
pytestmark = pytest.mark.deploy


@pytest.fixture
def pooled_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    """Run pgbouncer with the recipe, in which only addresses and the password file are changed. Yields the URL of the test's database through it."""
    binary = program("pgbouncer")
    url = urlsplit(database_url)
    name, port = url.path.removeprefix("/"), free_port()
    users = tmp_path / "userlist.txt"
    logins = [urlsplit(each) for each in (database_url, runtime_url(database_url))]
    users.write_text("".join(f'"{each.username}" "{unquote(each.password or "")}"\n' for each in logins))
    recipe = RECIPE.read_text()
    for found, ours in (
        ("nexusleads = host=127.0.0.1 port=5432", f"{name} = host={url.hostname} port={url.port}"),
        ("listen_port = 6432", f"listen_port = {port}\nunix_socket_dir ="),
        ("/etc/pgbouncer/userlist.txt", str(users)),
    ):
        assert found in recipe
        recipe = recipe.replace(found, ours)
    config = tmp_path / "pgbouncer.ini"
    config.write_text(recipe)
    account = "nobody" if os.geteuid() == 0 else None  # pgbouncer refuses to run as root
    if account:
        open_to_all(tmp_path)
    process = subprocess.Popen(
        [binary, str(config)], user=account, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(500):
            assert process.poll() is None, "pgbouncer does not accept the recipe"
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url._replace(netloc=url.netloc.replace(f":{url.port}", f":{port}")).geturl()
    finally:
        process.terminate()
        process.wait()


async def test_api_and_worker_push_through_the_recipe(pooled_url: str, tmp_path: Path) -> None:
    async with run_service(pooled_url, tmp_path) as service:
        await service.configure()
        accepted = await service.api.push(list(service.lead_ids[:20]))
        job = await service.api.finished(accepted["job_id"], seconds=90)
        assert (job["status"], job["success_count"]) == ("completed", 20)
