"""Searches logs, rows, metrics and responses for secrets while a service runs every kind of operation.

The webhook URL, its token, the API key and a lead's name and e-mail address are canaries: unique texts. The test searches all
output of both processes at log level DEBUG, and every dump of the database.
"""

import re
import socket
from pathlib import Path

import httpx
from prometheus_client import generate_latest

from clay_push_service.database.database import Database
from clay_push_service.destinations.secret_box import generate_key
from tests.harness.databases import TestServer
from tests.harness.service import Service, run_service
from tests.support.canary import (
    EMAIL,
    NAME,
    SOURCE,
    WORDS,
    ResponseLog,
    copying_arguments,
    found_words,
    logging_everything,
)
from tests.support.canary_story import Echo, Story
from tests.support.receiver import receiving

SHOWS_LEADS = re.compile(
    r"^((GET|PUT) /api/clay/leads/[^/]+/enrichment|GET /api/clay/leads\?|POST /api/clay/preview|POST /api/clay/push\?dry_run)"
)
"""Responses that show a lead's e-mail address to its own organization."""
SHOWS_NAMES = re.compile(
    r"^((GET|PUT) /api/clay/leads/[^/]+/enrichment|GET /api/(clay/leads\?|clay/jobs/[^/]+/leads|integrations/clay/activity)|POST /api/clay/preview|POST /api/clay/push\?dry_run)"
)
STORES_NAMES = re.compile(r"^(clay_push_log|enriched_values): ")
STORES_ADDRESSES = re.compile(r"^enriched_values: ")
SHOWS_THE_TOKEN = re.compile(r"^POST /api/clay/results-tokens")
"""The response that creates the token shows it once."""


async def scraped(service: Service) -> str:
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.get(f"http://127.0.0.1:{service.settings.metrics_port}/metrics")).text


async def test_no_secret_and_no_email_address_is_logged_sent_or_stored_in_clear(
    database_url: str, tmp_path: Path, postgres: TestServer
) -> None:
    key, responses, echo = generate_key(), ResponseLog(), Echo()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with receiving(echo), run_service(
        database_url, tmp_path, encryption_keys=(key,), log_level="DEBUG", ops_open=True, request_timeout_seconds=1.0,
        lease_seconds=2.5, metrics_port=port, other_hosts=(f"127.0.0.1:{httpx.URL(echo.url).port}",),
    ) as service:  # fmt: skip
        database = Database(database_url, pool_size=1)
        story = Story(service, echo, database)
        await service.host.connection.execute(
            f"UPDATE {service.host.name('leads')} SET email = $1, full_name = $2 WHERE id = $3", EMAIL, NAME, story.lead
        )
        service.api.http.event_hooks["response"].append(responses.record)
        try:
            with logging_everything() as api_log:
                async with copying_arguments(service.host.connection) as arguments:
                    for step in story.steps:
                        await step()
        finally:
            await database.close()
        measured = generate_latest().decode() + await scraped(service)
        assert "clay_push_attempts" in measured
        assert (await service.workers[0].terminate())[0] == 0
        rows = await service.sandbox.rows(SOURCE)
        arrived = [row["body"] for row in rows if isinstance(row["body"], dict) and row["body"]["email"] == EMAIL]
        assert arrived[0]["full_name"] == NAME, "the canaries were not sent"
    worker_log = (tmp_path / "worker.log").read_text()
    assert worker_log.count("delivery.attempted") > 20
    assert "result.not_writable" in worker_log
    assert "request.failed" in api_log.getvalue()
    assert '"level": "debug"' in api_log.getvalue(), "the log level is not DEBUG"
    words = (*WORDS, key.partition(":")[2], story.results_token[13:-9])
    assert found_words(api_log.getvalue(), words) == set()
    assert found_words(worker_log, words) == set()
    assert found_words(measured, words) == set()
    assert len(arguments) > 30
    assert found_words("\n".join(arguments), words) == set()
    assert len(story.stored) > 5
    for lines in (stored.splitlines() for stored in story.stored):
        for line in lines:
            kept = {NAME[:-9]} if STORES_NAMES.match(line) else set()
            kept |= {EMAIL[:19]} if STORES_ADDRESSES.match(line) else set()
            assert found_words(line, words) <= kept, line
    assert any(NAME in stored for stored in story.stored)
    assert NAME not in story.stored[-1], "the name is still stored after the erasure"
    assert len(responses.answers) > 80
    for request, answer in responses.answers:
        shown = {EMAIL[:19]} if SHOWS_LEADS.match(request) else set()
        shown |= {NAME[:-9]} if SHOWS_NAMES.match(request) else set()
        shown |= {words[-1]} if SHOWS_THE_TOKEN.match(request) else set()
        assert found_words(answer, words) <= shown, request
    if postgres.embedded is not None:
        report = [
            line for line in postgres.embedded.log_path.read_text().splitlines() if "Failing row contains" not in line
        ]
        assert found_words("\n".join(report), words) == set()
