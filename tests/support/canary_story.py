"""Runs every kind of operation on a webhook and a lead, one after another. Each step checks that its operation happened."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from clay_push_service.database.database import Database
from clay_push_service.destinations.secret_box import SecretBox
from tests.harness.service import Service
from tests.support.canary import API_KEY, BAD_URL, EMAIL, NAME, OTHER_API_KEY, SOURCE, TOKEN
from tests.support.canary_enrichment import enrich_canary
from tests.support.dump import dump
from tests.support.receiver import OK, Behaviour, Receiver, status

FAILING_ROW = "ALTER TABLE clay.clay_push_log ADD CONSTRAINT no_row_is_good CHECK ({}) NOT VALID"
FAILING_VALUE = "ALTER TABLE clay.enriched_values ADD CONSTRAINT no_row_is_good CHECK (field <> 'phone') NOT VALID"
GOOD_ROWS = "ALTER TABLE clay.clay_push_log DROP CONSTRAINT no_row_is_good"
SWEEP_SECONDS = 30.0
"""Time limit for a worker to detect a change of the host's settings."""


class Echo(Receiver):
    """A stand-in for Clay that copies request head and body into every part of its response."""

    def __init__(self) -> None:
        super().__init__(answer=self._echo)
        self.ways = 9
        self.way = 0

    def _echo(self, _number: int, body: bytes) -> Behaviour:
        sent = (self.headers[-1] + body).decode()
        line = sent.replace("\r\n", " ")
        return (
            status(200, body=sent),
            status(200, headers=f"X-Echo: {line}\r\nSet-Cookie: echo={TOKEN}\r\n"),
            status(422, body=sent),
            status(400, headers=f"Retry-After: {line}\r\nKeep-Alive: {line}\r\n", body=sent),
            f"HTTP/1.1 418 {line}\r\ncontent-length: 0\r\n\r\n".encode(),
            status(503, headers=f"X-Echo: {line}\r\n", body=sent),
            sent.encode(),
            f"HTTP/1.1 200 OK\r\n{line}\r\n\r\n".encode(),
            status(302, headers=f"Location: {BAD_URL}\r\n", body=sent),
            OK,
        )[self.way]


class Story:
    """Runs `steps` in order. A step that deletes data first keeps a dump of the database in `stored`."""

    def __init__(self, service: Service, echo: Echo, database: Database) -> None:
        self.service, self.echo, self._database = service, echo, database
        self.leads = list(service.lead_ids)
        self.lead: UUID = self.leads.pop(0)
        self.stored: list[str] = []
        self.results_token = ""
        self.url = service.sandbox.webhook_url(SOURCE)
        self.good = {"webhook_url": self.url, "webhook_token": TOKEN, "rate_limit_ms": 0, "table_name": "Leads"}

    @property
    def steps(self) -> Sequence[Callable[[], Awaitable[None]]]:
        return (
            self.configuring, self.sending, self.answering, self.refusing, self.waiting, self.database_errors,
            self.misconfigured, self.invalid_requests, self.results, self.through_nexusleads, self.enriching,
            self.erasing,
        )  # fmt: skip

    async def call(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        if method == "DELETE":
            await self.keep_dump()
        return await self.service.api.call(method, path, body, **more)

    async def keep_dump(self) -> None:
        self.stored.append(await dump(self._database))

    async def push(self, number: int, **fault: Any) -> Any:
        """Push the canary's lead and the next `number` leads, while the sandbox has this fault."""
        await self.service.sandbox.faults(*([fault] if fault else []), source=SOURCE)
        return await self.pushed([self.lead, *(self.leads.pop() for _ in range(number))])

    async def pushed(self, lead_ids: Sequence[UUID]) -> Any:
        job = await self.service.api.finished((await self.service.api.push(list(lead_ids), push_again=True))["job_id"])
        await self.call("GET", f"/api/clay/jobs/{job['id']}/leads")
        for ending in ("leads.csv", "events"):
            await self.service.api.http.get(f"/api/clay/jobs/{job['id']}/{ending}", headers=self.service.api.headers())
        return job

    async def set(self, **changes: Any) -> None:
        await self.call("PUT", "/api/clay/config", {**self.good, **changes})

    async def tested(self) -> Any:
        return (await self.call("POST", "/api/clay/test"))["cause"]

    async def configuring(self) -> None:
        await self.service.sandbox.create_source(SOURCE, token=TOKEN)
        for bad in (
            {"webhook_url": BAD_URL},
            {"webhook_url": f"{self.url}#canary-of-the-query-40de"},
            self.good | {"rate_limit_ms": "x"},
            {"webhook_url": BAD_URL, "webhook_token": f"{TOKEN}\n"},
        ):
            await self.call("PUT", "/api/clay/config", bad, status=422)
        await self.call("PUT", "/api/clay/config", self.good, who="member", status=403)
        await self.set()
        assert await self.tested() is None

    async def sending(self) -> None:
        assert (await self.push(3))["success_count"] == 4
        assert (await self.push(3, kind="status", status=422))["causes"][0]["cause"] == "rejected"
        failed = await self.push(2, kind="status", status=503)
        assert failed["causes"][0]["cause"] == "server_error"
        assert (await self.push(1, kind="reset_after"))["failed_count"] == 2
        assert (await self.push(1, kind="slow", ms=3000))["causes"][0]["cause"] == "unknown"
        await self.service.sandbox.faults(source=SOURCE)
        await self.service.api.finished((await self.call("POST", f"/api/clay/jobs/{failed['id']}/retry", {}))["job_id"])
        await self.call("POST", "/api/clay/preview", {"lead_ids": [str(self.lead)], "push_again": True})
        path = f"/api/clay/leads?project_id={self.service.project_id}"
        for search in (EMAIL, EMAIL.replace("@", "%40"), NAME):
            assert len((await self.call("GET", f"{path}&search={search}"))["leads"]) == 1

    async def answering(self) -> None:
        """Clay copies the request into its response: one push and one connection test for each form of response."""
        await self.set(webhook_url=f"{self.echo.url}-{SOURCE}")
        seen = []
        for way in range(self.echo.ways):
            self.echo.way = way
            await self.tested()
            seen += [each["cause"] for each in (await self.pushed([self.lead]))["causes"]]
        assert seen == [*["rejected"] * 3, "server_error", "unknown", "webhook_gone"], (
            "an unusual header does not change the cause"
        )
        assert (
            sum(TOKEN.encode() in head and SOURCE.encode() in head for head in self.echo.headers) >= 2 * self.echo.ways
        )
        await self.set()

    async def refusing(self) -> None:
        sandbox = self.service.sandbox
        await sandbox.change_source(SOURCE, token="another")
        assert await self.tested() == "unauthorized"
        assert (await self.push(4))["causes"][0]["cause"] == "unauthorized"
        await self.call("POST", "/api/clay/push", {"lead_ids": [str(self.leads[0])]}, status=409)
        await sandbox.change_source(SOURCE, token=TOKEN)
        await self.set()
        await sandbox.kill()
        assert await self.tested() == "network_error"
        assert (await self.pushed([self.lead]))["causes"][0]["cause"] == "network_error"
        await sandbox.start()

    async def waiting(self) -> None:
        """Stop the worker, so that the arguments of queued jobs can be read."""
        worker = self.service.workers[0]
        assert (await worker.terminate())[0] == 0
        queued = await self.service.api.push([self.lead, self.leads.pop()], push_again=True)
        [jobs] = await self.service.host.connection.fetch(
            "SELECT count(*) FROM clay.procrastinate_jobs WHERE status = 'todo'"
        )
        assert jobs["count"] > 0
        await self.keep_dump()
        await worker.start()
        await self.service.api.finished(queued["job_id"])
        await self.set(rate_limit_ms=5000)
        slow = await self.service.api.push([self.leads.pop() for _ in range(5)])
        await self.call("POST", f"/api/clay/jobs/{slow['job_id']}/cancel")
        await self.set()

    async def database_errors(self) -> None:
        """PostgreSQL refuses the lead's row and quotes it in its error: once to the API, once to the worker that writes a result."""
        host = self.service.host.connection
        await host.execute(FAILING_ROW.format("status <> 'pending'"))
        body = {"lead_ids": [str(self.lead)], "push_again": True}
        await self.call("POST", "/api/clay/push", body, status=500)
        await host.execute(GOOD_ROWS)
        await host.execute(FAILING_ROW.format("cause IS DISTINCT FROM 'rejected'"))
        assert (await self.push(0, kind="status", status=422))["causes"][0]["cause"] == "unknown"
        await host.execute(GOOD_ROWS)
        await self.service.sandbox.faults(source=SOURCE)

    async def misconfigured(self) -> None:
        """The stored webhook violates the address policy, then cannot be decrypted."""
        [row] = await self.service.host.connection.fetch("SELECT org_id, version_id FROM clay.destinations")
        sealed = SecretBox(self.service.settings.encryption_keys).seal(BAD_URL, row["org_id"], row["version_id"])
        change = "UPDATE clay.destination_versions SET sealed_url = $1 WHERE id = $2"
        await self.service.host.connection.execute(change, sealed, row["version_id"])
        assert (await self.pushed([self.lead]))["causes"][0]["cause"] == "blocked"
        assert await self.tested() == "blocked"
        await self.set()
        await self.service.host.connection.execute(
            "UPDATE clay.destination_versions SET sealed_url = substring(sealed_url FOR 60)"
        )
        assert (await self.pushed([self.lead]))["causes"][0]["cause"] == "secret_unreadable"
        assert await self.tested() == "secret_unreadable"
        await self.set()

    async def invalid_requests(self) -> None:
        await self.call("POST", "/api/clay/push", {"lead_ids": [EMAIL]}, status=422)
        await self.call("POST", "/api/clay/push", {"lead_ids": [str(UUID(int=1))]}, status=404)
        await self.service.api.http.request(
            "POST", "/api/clay/push", content=b"{" + TOKEN.encode(), headers=self.service.api.headers()
        )
        await self.call("GET", f"/api/clay/jobs?cursor={TOKEN}", status=400)
        await self.service.api.http.get(
            f"/api/clay/{TOKEN}", headers={"Authorization": f"Bearer {TOKEN}", "X-Org-Id": TOKEN}
        )
        for path in ("clay/status", "clay/config", "clay/jobs", "clay/audit?limit=200"):
            await self.call("GET", f"/api/{path}")
        for path in ("/status", "/metrics", "/healthz", "/readyz"):
            await self.service.api.http.get(path, headers=self.service.api.headers())

    async def results(self) -> None:
        """Receive results with the lead's e-mail: stored, repeated, quarantined and refused ones, with valid, invalid and revoked tokens."""
        made = await self.call("POST", "/api/clay/results-tokens", status=201)
        self.results_token = made["token"]
        spare = await self.call("POST", "/api/clay/results-tokens", status=201)
        body = {"lead_id": str(self.lead), "email": EMAIL, "job_title": NAME, "row": NAME, "confidence": 90}
        bodies: list[bytes] = [
            *(json.dumps(each).encode() for each in (body, body, {"email": EMAIL}, {**body, "lead_id": NAME}, [EMAIL])),
            b"{" + EMAIL.encode(), b'{"' + EMAIL.encode() + b'": NaN}',
        ]  # fmt: skip
        for token in (made["token"], spare["token"], made["token"][:-9]):
            for content in bodies:
                for headers in ({"Authorization": f"Bearer {token}"}, {"X-Clay-Push-Token": token}):
                    await self.service.api.http.post(
                        made["path"], content=content, headers={"Content-Type": "application/json", **headers}
                    )
        by_path = f"/api/clay/results/{made['token']}"
        await self.service.api.http.post(by_path, json=body, headers={"X-Clay-Push-Token": made["token"]})
        await self.keep_dump()
        while (await self.call("GET", "/api/clay/results?state=stored"))["results"]:  # noqa: ASYNC110 - another process has no event
            await asyncio.sleep(0.05)
        unmatched = (await self.call("GET", "/api/clay/results?state=unmatched"))["results"]
        await self.call("POST", f"/api/clay/results/{unmatched[0]['id']}/apply")
        path = f"/api/clay/leads/{self.lead}/enrichment"
        found = {each["field"]: each["history"] for each in (await self.call("GET", path))["fields"]}
        assert [each["value"] for each in found["job_title"]] == [NAME]
        await self.call("PUT", f"{path}/email", {"value": EMAIL, "pinned": True})
        await self.call("PUT", f"{path}/email", {"value": f"{EMAIL} {EMAIL}"}, status=422)
        await self.call("PUT", f"{path}/email", {"value_id": EMAIL}, status=422)
        await self.call("PUT", f"{path}/{NAME}", {"value": NAME}, status=404)
        await self.service.host.connection.execute(FAILING_VALUE)
        await self.call("PUT", f"{path}/phone", {"value": NAME}, status=500)
        await self.service.host.connection.execute("ALTER TABLE clay.enriched_values DROP CONSTRAINT no_row_is_good")
        await self.keep_dump()
        await self.service.api.http.delete(
            f"/api/clay/results-tokens/{spare['view']['id']}", headers=self.service.api.headers()
        )

    async def through_nexusleads(self) -> None:
        """Call the endpoints of NexusLeads' own frontend, and take over the webhook that NexusLeads stores in clear."""
        await self.call("DELETE", "/api/clay/config")
        config = "/api/integrations/clay/config"
        await self.call("PUT", config, {"webhook_url": BAD_URL}, status=422)
        await self.call("PUT", config, {"webhook_url": self.url})
        await self.call("POST", "/api/integrations/clay/test")
        await self.call("POST", "/api/integrations/clay/push", {"contributor_ids": [str(self.leads.pop())]})
        for path in ("clay/config", "clay/stats", "clay/activity?limit=20", "status"):
            await self.call("GET", f"/api/integrations/{path}")
        await self.call("DELETE", "/api/clay/config")
        [org] = await self.service.host.connection.fetch("SELECT org_id FROM clay.destinations")
        await self.service.host.connection.execute(
            "INSERT INTO org_settings (org_id, key, value) VALUES ($1, 'CLAY_WEBHOOK_URL', $2)"
            " ON CONFLICT (org_id, key) DO UPDATE SET value = excluded.value",
            org["org_id"], self.url,
        )  # fmt: skip
        async with asyncio.timeout(SWEEP_SECONDS):
            while (waiting := (await self.call("GET", "/api/clay/config"))["pending"]) is None:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.1)
        await self.call("POST", f"/api/clay/config/pending/{waiting['id']}/confirm", {})
        assert (await self.call("GET", "/api/clay/config"))["configured"]
        await self.pushed([self.leads.pop()])

    async def enriching(self) -> None:
        """Send the API key in requests and store it in the host's settings; Clay refuses it, loses a start, then returns data."""
        config, test = "/api/clay/enrichment/config", "/api/clay/enrichment/test"
        routine = {"routine_id": "full", "inputs": {"Full Name": "full_name"}, "outputs": {"email": "Work Email"}}
        for bad in (f"'{API_KEY}'", f"Bearer {API_KEY}", f"{API_KEY}\n"):
            await self.call("PUT", config, {"api_key": bad}, status=422)
        item = {"kind": "full", "run_item": True, "lead_id": str(self.lead)}
        good = {"api_key": API_KEY, "requests_per_minute": 6000, "routines": {"full": routine}}
        await self.call("PUT", config, good)
        lost = {"faults": {"run": {"rules": [{"kind": "reset_after"}]}}}
        for plan, last, found in ({"keys": []}, None, []), (lost, "held", []), ({}, None, ["email"]):
            await self.service.sandbox.admin.put("/sandbox/api", json=plan)
            tested = await self.call("POST", test, item)
            assert (tested["stages"][-1]["cause"], tested["found"]) == (last, found), tested
        await enrich_canary(self.service.api, self.lead)
        await self.service.host.add("org_settings", org_id=self.service.org_id, key="CLAY_API_KEY", value=OTHER_API_KEY)
        async with asyncio.timeout(SWEEP_SECONDS):
            while not (waiting := (await self.call("GET", config))["pending"]):  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.1)
        await self.keep_dump()
        await self.call("POST", f"{config}/pending/{waiting['id']}/confirm")
        await self.call("DELETE", config)

    async def erasing(self) -> None:
        await self.keep_dump()
        await self.call("POST", "/api/clay/erasures", {"lead_ids": [str(self.lead)]})
        await self.call("DELETE", "/api/clay/config")
        await self.keep_dump()
