"""Measures the time of each page of the console with 20,000 leads in a project and 50,000 deliveries in a job."""

import statistics
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
from tests.harness.installation import Installation
from tests.harness.visitor import SAME_ORIGIN, Visitor

from bench.stage import Organization, Stage, stage, vacuum
from clay_push_service.api.app import create_app
from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from clay_push_service.local_database.postgres import Server

LEADS = 20_000
DELIVERIES = 50_000
ROUNDS = 21
TARGET_MS = 200
JOB = """
INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode, status, lead_count,
    success_count, failed_count, skipped_count, unknown_count, started_at, finished_at)
SELECT :job_id, :org_id, :project_id, destination.id, version.id, destination.table_epoch, 'selected', 'completed', :leads,
       :leads - 3 * (:leads / 20), 2 * (:leads / 20), :leads / 20, :leads / 20, now() - interval '1 hour', now()
FROM clay.destinations AS destination
JOIN clay.destination_versions AS version ON version.org_id = destination.org_id AND version.destination_id = destination.id
WHERE destination.org_id = :org_id
"""
FILL = """
INSERT INTO clay.clay_push_log (org_id, job_id, contributor_id, project_id, destination_id, table_epoch, username, full_name, status,
    state, cause, error_message, clay_response_status, attempts, payload_hash, pushed_at, finished_at)
SELECT job.org_id, job.id, md5(job.id::text || n)::uuid, job.project_id, job.destination_id, job.table_epoch, 'lead-' || n,
       'Lead Number ' || n, kind.status, 'done', kind.cause, kind.cause, 200, 1, sha256(n::text::bytea),
       CASE WHEN kind.status = 'success' THEN now() END, now()
FROM clay.push_jobs AS job, generate_series(1, CAST(:leads AS integer)) AS n,
     LATERAL (SELECT CASE n % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'failed' WHEN 2 THEN 'skipped' ELSE 'success' END AS status,
                     CASE n % 20 WHEN 0 THEN 'rejected' WHEN 1 THEN 'unknown' WHEN 2 THEN 'already_in_clay' END AS cause) AS kind
WHERE job.id = :job_id
"""


@dataclass(frozen=True, slots=True)
class Measured:
    page: str
    median_ms: float
    slowest_ms: float
    kilobytes: float


async def run(server: Server) -> list[Measured]:
    async with stage(server) as at:
        [organization] = await at.organizations(1, LEADS)
        await at.configure(organization, 9, 200)
        job_id = await _add_job(at.installation, organization)
        await vacuum(at.url)
        return await _measure(at, organization, job_id)


async def _add_job(installation: Installation, organization: Organization) -> UUID:
    job_id = uuid4()
    values = {"job_id": job_id, "org_id": organization.org_id, "project_id": organization.project_id}
    await installation.fetch(JOB, **values, leads=DELIVERIES)
    await installation.fetch(FILL, job_id=job_id, leads=DELIVERIES)
    return job_id


async def _measure(at: Stage, organization: Organization, job_id: UUID) -> list[Measured]:
    database = at.installation.database
    async with database.transaction() as connection:
        scopes = [scope for scope in Scope if scope is not Scope.OPS]
        key = await create_key(connection, "bench", [organization.org_id], scopes, "bench")
    app = create_app(at.installation.settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://bench.test", timeout=60) as http,
    ):
        visitor = Visitor(http)
        answer = await visitor.sign_in(key.plain)
        if answer.status_code != httpx.codes.SEE_OTHER:
            raise RuntimeError(f"signing in was refused: {answer.text}")
        job, leads = f"/console/jobs/{job_id}", f"/console/leads?project={organization.project_id}"
        [delivery] = await at.installation.fetch(
            "SELECT id FROM clay.clay_push_log WHERE job_id = :job_id ORDER BY seq LIMIT 1", job_id=job_id
        )
        paths = {
            "overview": "/console/",
            "jobs": "/console/jobs",
            "job, failed leads": job,
            "job, all leads": f"{job}?tab=all",
            "job, leads to send (none)": f"{job}?tab=waiting",
            "job, one cause": f"{job}?tab=all&cause=unknown",
            "job, search without a match": f"{job}?tab=all&q=nothing-like-this",
            "job, progress": f"{job}/progress",
            "delivery": f"{job}/leads/{delivery.id}",
            "leads": leads,
            "leads, filtered": f"{leads}&min_score=50&search=a",
            "leads, search without a match": f"{leads}&search=nothing-like-this",
            "a lead": f"/console/leads/{organization.lead_ids[0]}",
        }
        return [await _time(http, name, path) for name, path in paths.items()]


async def _time(http: httpx.AsyncClient, name: str, path: str) -> Measured:
    times, size = [], 0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = await http.get(path, headers=SAME_ORIGIN)
        times.append((time.perf_counter() - started) * 1000)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:2000]}")
        size = len(answer.content)
    return Measured(name, round(statistics.median(times), 1), round(max(times), 1), round(size / 1024, 1))


def table(rows: list[Measured]) -> str:
    lines = [f"{'page':<32}{'median ms':>10}{'slowest':>9}{'KB':>8}   target {TARGET_MS} ms"]
    lines += [f"{each.page:<32}{each.median_ms:>10}{each.slowest_ms:>9}{each.kilobytes:>8}" for each in rows]
    return "\n".join(lines)
