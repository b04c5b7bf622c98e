"""Measures the time of each page of the console with 20,000 leads in a project and 50,000 deliveries in a job."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from tests.harness.visitor import SAME_ORIGIN, Visitor

from bench.console_data import Filled, Saved, fill, save_settings
from bench.stage import Organization, Stage, stage, vacuum
from clay_push_service.api.app import create_app
from clay_push_service.callers.api_keys import create_key
from clay_push_service.callers.caller import Scope
from clay_push_service.local_database.postgres import Server

LEADS = 20_000
ROUNDS = 21
TARGET_MS = 200


@dataclass(frozen=True, slots=True)
class Measured:
    page: str
    on_request: bool
    """Reads every lead; the page loads it after itself."""
    median_ms: float
    slowest_ms: float
    kilobytes: float


async def run(server: Server) -> list[Measured]:
    async with stage(server) as at:
        [organization] = await at.organizations(1, LEADS)
        await at.configure(organization, 9, 0)
        filled = await fill(at.installation, organization)
        await vacuum(at.url)
        return await _measure(at, organization, filled)


async def _measure(at: Stage, organization: Organization, filled: Filled) -> list[Measured]:
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
        saved = await save_settings(http, key.plain, organization)
        visitor = Visitor(http)
        answer = await visitor.sign_in(key.plain)
        if answer.status_code != httpx.codes.SEE_OTHER:
            raise RuntimeError(f"signing in was refused: {answer.text}")
        pages = _pages(organization, filled, saved)
        return [await _time(http, name, path) for name, path in pages.items()]


def _is_on_request(path: str) -> bool:
    return path.endswith(("count=true", "/push-again"))


def _pages(organization: Organization, filled: Filled, saved: Saved) -> Mapping[str, str]:
    """Every page that reads an organization's data, by name."""
    lead, project = organization.lead_ids[0], f"/console/projects/{organization.project_id}"
    job, leads = f"/console/jobs/{filled.job_id}", f"/console/leads?project={organization.project_id}"
    enrichment = f"/console/enrichment/{filled.enrichment_job_id}"
    return {
        "overview": "/console/",
        "jobs": "/console/jobs",
        "job, failed leads": job,
        "job, all leads": f"{job}?tab=all",
        "job, leads to send (none)": f"{job}?tab=waiting",
        "job, one cause": f"{job}?tab=all&cause=unknown",
        "job, search without a match": f"{job}?tab=all&q=nothing-like-this",
        "job, progress": f"{job}/progress",
        "running job": f"/console/jobs/{filled.running_job_id}",
        "running job, progress": f"/console/jobs/{filled.running_job_id}/progress",
        "delivery": f"{job}/leads/{filled.delivery_id}",
        "missing results": "/console/missing-results",
        "preview of missing results": "/console/missing-results/push-again",
        "leads": leads,
        "leads, filtered": f"{leads}&min_score=50&search=a",
        "leads, search without a match": f"{leads}&search=nothing-like-this",
        "a lead": f"/console/leads/{lead}",
        "estimate of a lead": f"/console/leads/{lead}/enrich",
        "enrichment jobs": "/console/enrichment",
        "enrichment job": enrichment,
        "enrichment job, one outcome": f"{enrichment}?outcome=nothing",
        "enrichment job, progress": f"{enrichment}/progress",
        "enrichment quality": "/console/enrichment/quality",
        "enrichment quality of a project": f"/console/enrichment/quality?project={organization.project_id}&days=365",
        "enrichment settings": "/console/enrichment/settings",
        "project rules": "/console/projects",
        "auto-export rule": project,
        "preview of auto-export": f"{project}?count=true",
        "auto-enrich rule": f"{project}/auto-enrich",
        "preview of auto-enrich": f"{project}/auto-enrich?count=true",
        "exclusions": "/console/exclusions",
        "integrations": "/console/integrations",
        "Clay's panel": "/console/integrations/clay",
        "set-up of a table": "/console/integrations/clay/set-up",
        "destinations": "/console/destinations",
        "a destination": f"/console/destinations/{saved.destination_id}",
        "mapping of a destination": f"/console/destinations/{saved.destination_id}/mapping",
        "workspaces": "/console/workspaces",
        "mappings": "/console/mappings",
        "a mapping": f"/console/mappings/{saved.mapping_id}",
        "editor of a mapping": f"/console/mappings/{saved.mapping_id}/edit",
        "table templates": "/console/templates",
        "a table template": "/console/templates/lean_outbound",
        "routes": "/console/routes",
        "simulation": f"/console/routes/simulate?what={organization.project_id}",
        "result, leads of a project": f"/console/routes/simulate?what={organization.project_id}&count=true",
        "result, pushes of 30 days": "/console/routes/simulate?what=30&count=true",
        "segments": "/console/segments",
        "a segment": f"/console/segments/{saved.segment_id}",
        "schedules": "/console/schedules",
        "a schedule": f"/console/schedules/{saved.schedule_id}",
        "a schedule with a preview": f"/console/schedules/{saved.schedule_id}?preview=true",
        "preview of a schedule": f"/console/schedules/{saved.schedule_id}?preview=true&count=true",
        "results tokens": "/console/tokens",
        "audit log": "/console/audit",
        "erase leads": "/console/privacy",
    }


async def _time(http: httpx.AsyncClient, name: str, path: str) -> Measured:
    times, size = [], 0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = await http.get(path, headers=SAME_ORIGIN)
        times.append((time.perf_counter() - started) * 1000)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:2000]}")
        size = len(answer.content)
    return Measured(
        name, _is_on_request(path), round(statistics.median(times), 1), round(max(times), 1), round(size / 1024, 1)
    )


def table(rows: list[Measured]) -> str:
    lines = [f"{'page':<32}{'median ms':>10}{'slowest':>9}{'KB':>8}   target {TARGET_MS} ms"]
    lines += [_line(each) for each in rows if not each.on_request]
    lines += ["", "read every lead, loaded after the page or on request:"]
    lines += [_line(each) for each in rows if each.on_request]
    return "\n".join(lines)


def _line(each: Measured) -> str:
    return f"{each.page:<32}{each.median_ms:>10}{each.slowest_ms:>9}{each.kilobytes:>8}"
