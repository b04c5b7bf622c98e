"""The service behaves as openapi.yaml describes, for all requests.

Schemathesis sends valid and invalid requests for all routes to the service over HTTP with a real
database. Checked: no 5xx except documented 503s, no undocumented status, responses of the declared type and schema, no access
without credentials.
"""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import httpx
import jsonschema_rs
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, assume, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from clay_push_service.api.app import create_app
from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from tests.harness.api import FixedResolver
from tests.harness.databases import TestServer
from tests.harness.installation import install
from tests.support.description import described
from tests.support.receiver import receiving

OPEN = {"/healthz", "/readyz"}
EXAMPLES = 12
"""Generated examples per route. With the document's examples and edge cases of parameters, this makes about 2,000 requests."""

load_all_checks()
CHECKED = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_schema_conformance",
        "response_headers_conformance",
        "negative_data_rejection",
        "ignored_auth",
        "allow_header_conformance",
    )
]
"""Not `positive_data_acceptance`: a valid id of nothing is 404, and a webhook that the guard refuses is valid text."""
CHECKED_503 = [check for check in CHECKED if check.__name__ != "not_a_server_error"]
"""`/status` responds with 503 because no worker runs here; that 503 is documented is checked as for every status."""

# Every request carries our credential; that it is needed is what `ignored_auth` and the last tests are about.
CONFIG: dict[str, object] = {"generation": {"with-security-parameters": False}}
LONGEST_QUERY = 12_000
"""Characters of a header. The server refuses longer headers (16 KB) before the application gets them: tests/api/test_slow_clients.py."""
DESCRIBED = described()
JOB_VIEW = {"$ref": "#/components/schemas/JobView", "components": DESCRIBED["components"]}
"""What the data of an event is, as generators of clients read the document; Schemathesis expects the whole event there."""
schema = schemathesis.openapi.from_dict(DESCRIBED, config=SchemathesisConfig.from_dict(CONFIG))


@dataclass
class Service:
    """Runs the service over HTTP in a thread with its own event loop. It has one finished push job and a key of an owner."""

    url: str
    headers: dict[str, str]
    lead_ids: list[UUID]
    project_id: UUID
    job_id: UUID
    turn: Iterator[int] = field(default_factory=count)

    def fill_in(self, case: Any) -> None:
        """Replace random ids by existing ones in every second request, because otherwise most responses would be 404."""
        if next(self.turn) % 2:
            return
        for parameters in (case.path_parameters, case.query):
            if isinstance(parameters, dict):
                for name, value in (("job_id", self.job_id), ("project_id", self.project_id)):
                    if name in parameters and case.meta.generation.mode.is_positive:
                        parameters[name] = str(value)
        if isinstance(case.body, dict) and case.meta.generation.mode.is_positive:
            for name in ("lead_ids", "contributor_ids"):
                if isinstance(case.body.get(name), list) and not case.path.endswith("/erasures"):
                    case.body[name] = [str(lead) for lead in self.lead_ids[: 1 + len(case.body[name])]]
            if case.body.get("project_id") is not None:
                case.body["project_id"] = str(self.project_id)


@pytest.fixture(scope="module")
def service(postgres: TestServer, migrated_template: str) -> Iterator[Service]:
    database_url = postgres.create(migrated_template)
    started: list[Service] = []
    failed: list[BaseException] = []
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with receiving() as clay:
            allowed = (f"127.0.0.1:{httpx.URL(clay.url).port}",)
            async with install(database_url, leads=20, allowed_webhook_hosts=allowed) as w:
                await w.configure(clay.url)
                async with w.drainer() as drainer:
                    job = await w.push(w.lead_ids[:5])
                    await w.drain_all(drainer)
                async with w.database.transaction() as connection:
                    key = await create_key(connection, "everything", [w.org_id], set(Scope), "test")
                app = create_app(w.settings, resolver=FixedResolver({"127.0.0.1": ["127.0.0.1"]}))
                with socket.create_server(("127.0.0.1", 0)) as listener:
                    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
                    serving = asyncio.create_task(server.serve([listener]))
                    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                        await asyncio.sleep(0.01)
                    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
                    headers = {"Authorization": f"Bearer {key.plain}"}
                    started.append(Service(url, headers, list(w.lead_ids), w.project_id, job.job_id))
                    ready.set()
                    await asyncio.to_thread(stop.wait)
                    server.should_exit = True
                    await serving

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - the fixture raises it in its own thread
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    if failed:
        raise failed[0]
    yield started[0]
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert not failed
    postgres.drop(database_url)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_the_service_behaves_as_described(case: Any, service: Service) -> None:
    service.fill_in(case)
    assume(len(urlencode(case.query or {}, doseq=True)) < LONGEST_QUERY)
    response = case.call(base_url=service.url, headers=service.headers, timeout=20)
    checks = CHECKED_503 if response.status_code == 503 else CHECKED
    if case.path.endswith("/events") and response.status_code == 200:
        checks = [check for check in checks if check.__name__ != "response_schema_conformance"]
        for line in response.content.decode().splitlines():
            if line.startswith("data: "):
                jsonschema_rs.validate(JOB_VIEW, json.loads(line.removeprefix("data: ")))
    case.validate_response(response, checks=checks, headers=service.headers)


@pytest.mark.parametrize(
    ("method", "path"), [(method, path) for path, methods in DESCRIBED["paths"].items() for method in methods]
)
@pytest.mark.parametrize("credential", [None, "Bearer nonsense", "Bearer cps_00000000_" + "A" * 43, "Basic eDp5"])
def test_all_routes_except_the_open_ones_require_credentials(
    service: Service, method: str, path: str, credential: str | None
) -> None:
    place = path.replace("{", "").replace("}", "").replace("job_id", str(service.job_id))
    place = place.replace("project_id", str(service.project_id)).replace("erasure_id", str(UUID(int=1)))
    headers = {"Authorization": credential} if credential else {}
    answer = httpx.request(method, service.url + place, headers=headers, trust_env=False)
    if path in OPEN:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 401, f"{method} {path}: {answer.status_code} {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_served_route_is_described(service: Service) -> None:
    for path in ("/", "/docs", "/redoc", "/openapi.json", "/api", "/api/clay", "/api/clay/", "/static/x", "/.env"):
        for headers in ({}, service.headers):
            assert httpx.get(service.url + path, headers=headers, trust_env=False).status_code == 404
