"""The nginx file: two web processes share the requests, and events arrive while a stream is open."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.harness.served import served
from tests.harness.service import run_service
from tests.support.programs import free_port, open_to_all, program

pytestmark = pytest.mark.deploy
FILE = Path(__file__).resolve().parents[2] / "deploy/nginx.conf"
MAIN = """\
pid {directory}/nginx.pid;
error_log {directory}/error.log;
{user}
events {{}}
http {{
    log_format upstream '$upstream_addr';
    access_log {directory}/access.log upstream;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/clay-push.conf;
}}
"""


@contextmanager
def proxied(directory: Path, web_ports: tuple[int, int]) -> Iterator[str]:
    """Run nginx with the file, in which only the ports are changed. Yields its URL."""
    binary, port, text = program("nginx"), free_port(), FILE.read_text()
    assert "proxy_buffering off;" in text, "nginx would buffer a slow stream on its disk"
    for found, ours in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("127.0.0.1:8080", f"127.0.0.1:{web_ports[0]}"),
        ("127.0.0.1:8081", f"127.0.0.1:{web_ports[1]}"),
    ):
        assert text.count(found) == 1
        text = text.replace(found, ours)
    (directory / "clay-push.conf").write_text(text)
    open_to_all(directory)
    main = directory / "nginx.conf"
    main.write_text(MAIN.format(directory=directory, user="user root;" if os.geteuid() == 0 else ""))
    checked = subprocess.run([binary, "-t", "-c", str(main)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "[warn]" not in checked.stderr, checked.stderr
    process = subprocess.Popen([binary, "-c", str(main), "-g", "daemon off;"])
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, (directory / "error.log").read_text()
            try:
                httpx.get(f"{url}/healthz", trust_env=False)
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


async def test_two_web_processes_share_requests_and_events_arrive_while_their_stream_is_open(
    database_url: str, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("nginx", "first", "second", "stage")]
    for folder in folders:
        folder.mkdir()
    async with run_service(database_url, folders[3], workers=0) as service:
        await service.configure()
        accepted = await service.api.push(list(service.lead_ids[:2]))
        async with served(service.settings, folders[1]) as first, served(service.settings, folders[2]) as second:
            with proxied(folders[0], (first.port, second.port)) as url:
                async with httpx.AsyncClient(
                    base_url=url, headers=service.api.headers(), trust_env=False, timeout=30
                ) as client:
                    job = f"/api/clay/jobs/{accepted['job_id']}"
                    answers = await asyncio.gather(*(client.get(job) for _ in range(8)))
                    assert [answer.status_code for answer in answers] == [200] * 8
                    assert (await client.get("/api/integrations/status")).status_code == 200
                    # The body exceeds nginx's default limit of 1 MB. The service must respond with a problem document.
                    refused = await client.post("/api/clay/push", json={"lead_ids": "x" * 3_000_000})
                    assert refused.headers["content-type"].startswith("application/problem+json")
                    async with client.stream("GET", f"{job}/events") as events, asyncio.timeout(30):
                        # Without a worker the job stays pending, so the stream does not end, and a buffer would not be flushed.
                        async for line in events.aiter_lines():
                            if line == "event: job":
                                break
                    # when one process stops, the other one serves all requests
                    first.process.terminate()
                    await first.process.wait()
                    assert [(await client.get(job)).status_code for _ in range(4)] == [200] * 4
                addresses = (folders[0] / "access.log").read_text()
                assert f"127.0.0.1:{first.port}" in addresses
                assert f"127.0.0.1:{second.port}" in addresses
