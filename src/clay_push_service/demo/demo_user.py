"""API client of the demo: signs an access token as NexusLeads does, and calls the API as a member of the demo organization."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

import httpx
import jwt

from clay_push_service.demo.home import DemoError, DemoSecrets
from clay_push_service.demo.host_database import OWNER, DemoProject
from clay_push_service.destination_settings.named.schemas import DestinationList
from clay_push_service.enrichment.inbound.schemas import NewTokenView, TokenList
from clay_push_service.enrichment.jobs.schemas import EnrichmentAccepted, EnrichmentJobView
from clay_push_service.enrichment.ledger.states import LegalBasis, RequestWay
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.values.schemas import LeadEnrichment
from clay_push_service.push_jobs.schemas import PushAnswer
from clay_push_service.push_jobs.targets.simulate import Simulation
from clay_push_service.push_jobs.views import JobPage, JobView, LeadPage
from clay_push_service.routing.segment_schemas import SegmentList, SegmentView
from clay_push_service.schedules.schemas import ScheduleList, ScheduleView
from clay_push_service.schedules.timing import TimingKind
from clay_push_service.states import DuplicateHandling

TOKEN_SECONDS = 12 * 3600
"""Seconds for which the access token is valid: long enough to try the printed commands."""
RATE_LIMIT_MS = 100
"""Delay for 10 requests per second, the limit of Clay and of the sandbox."""

Json = str | int | float | bool | None | Sequence["Json"] | Mapping[str, "Json"]


def access_token(secrets: DemoSecrets) -> str:
    claims = {"sub": OWNER, "exp": int(time.time()) + TOKEN_SECONDS, "type": "access"}
    return jwt.encode(claims, secrets.jwt_secret, algorithm="HS256")


class DemoUser:
    """Raises DemoError with the problem's detail for every error response."""

    def __init__(self, api: httpx.AsyncClient, token: str, project: DemoProject) -> None:
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}", "X-Org-Id": str(project.org_id)}
        self._project = project

    async def configure(self, webhook_url: str) -> None:
        wanted: Json = {"webhook_url": webhook_url, "table_name": "Demo leads", "rate_limit_ms": RATE_LIMIT_MS}
        await self._call("PUT", "/api/clay/config", wanted)

    async def push(self) -> PushAnswer:
        wanted: Json = {"project_id": str(self._project.project_id), "push_mode": "all"}
        answer = await self._call("POST", "/api/clay/push-filtered", wanted)
        return PushAnswer.model_validate_json(answer.content)

    async def push_again(self, lead_ids: Sequence[UUID]) -> PushAnswer:
        """Push these leads even if they may be in Clay already."""
        ids = [str(lead_id) for lead_id in lead_ids]
        wanted: Json = {"lead_ids": ids, "project_id": str(self._project.project_id), "push_again": True}
        return PushAnswer.model_validate_json((await self._call("POST", "/api/clay/push", wanted)).content)

    async def live_jobs(self) -> Sequence[JobView]:
        """Jobs of an interrupted demo run that are still live."""
        answer = await self._call("GET", "/api/clay/jobs")
        jobs = JobPage.model_validate_json(answer.content).jobs
        return [job for job in jobs if job.status in {"pending", "running"}]

    async def job(self, job_id: UUID) -> JobView:
        return JobView.model_validate_json((await self._call("GET", f"/api/clay/jobs/{job_id}")).content)

    async def snapshots(self, job_id: UUID) -> AsyncIterator[JobView]:
        """The job's Server-Sent Events until the stream ends."""
        path = f"/api/clay/jobs/{job_id}/events"
        async with self._api.stream("GET", path, headers=self._headers, timeout=60) as answer:
            if not answer.is_success:
                await answer.aread()
                raise _error_of(answer)
            async for line in answer.aiter_lines():
                if line.startswith("data:"):
                    yield JobView.model_validate_json(line.removeprefix("data:"))

    async def configure_enrichment(self, settings: Mapping[str, Json]) -> None:
        await self._call("PUT", "/api/clay/enrichment/config", settings)

    async def new_results_token(self) -> NewTokenView:
        """Revokes the tokens of earlier runs, whose secrets are not kept: at most two can be active."""
        answer = await self._call("GET", "/api/clay/results-tokens")
        for token in TokenList.model_validate_json(answer.content).tokens:
            await self._call("DELETE", f"/api/clay/results-tokens/{token.id}")
        return NewTokenView.model_validate_json((await self._call("POST", "/api/clay/results-tokens")).content)

    async def best_leads(self) -> LeadPage:
        """The first leads of the project, best score first."""
        return LeadPage.model_validate_json(
            (await self._call("GET", f"/api/clay/leads?project_id={self._project.project_id}&limit=200")).content
        )

    async def enrich(self, lead_id: UUID, way: RequestWay) -> EnrichmentAccepted:
        wanted: Json = {"kind": Kind.FULL, "basis": LegalBasis.LEGITIMATE_INTEREST, "way": way}
        answer = await self._call("POST", f"/api/clay/leads/{lead_id}/enrich", wanted)
        return EnrichmentAccepted.model_validate_json(answer.content)

    async def enrichment_job(self, job_id: UUID) -> EnrichmentJobView:
        answer = await self._call("GET", f"/api/clay/enrichment/jobs/{job_id}")
        return EnrichmentJobView.model_validate_json(answer.content)

    async def lead_enrichment(self, lead_id: UUID) -> LeadEnrichment:
        answer = await self._call("GET", f"/api/clay/leads/{lead_id}/enrichment")
        return LeadEnrichment.model_validate_json(answer.content)

    async def destinations(self) -> DestinationList:
        return DestinationList.model_validate_json((await self._call("GET", "/api/clay/destinations")).content)

    async def create_destination(self, name: str, webhook_url: str) -> None:
        wanted: Json = {"name": name, "webhook_url": webhook_url, "dedupe": DuplicateHandling.NONE}
        await self._call("POST", "/api/clay/destinations", wanted)

    async def segments(self) -> SegmentList:
        return SegmentList.model_validate_json((await self._call("GET", "/api/clay/segments")).content)

    async def create_segment(self, name: str, filters: Json) -> UUID:
        answer = await self._call("POST", "/api/clay/segments", {"name": name, "filters": filters})
        return SegmentView.model_validate_json(answer.content).id

    async def routes(self) -> tuple[str, bool]:
        """The version of the organization's list of routes, and whether it has any."""
        found = (await self._call("GET", "/api/clay/routes")).json()
        return found["version"], bool(found["routes"])

    async def replace_routes(self, version: str, routes: Sequence[tuple[UUID | None, UUID]]) -> None:
        """Each route is a segment (null: every lead) and the destination of its leads."""
        steps: Json = [
            {"segment_id": str(segment_id) if segment_id else None, "destination_id": str(destination_id)}
            for segment_id, destination_id in routes
        ]
        await self._call("PUT", "/api/clay/routes", {"version": version, "routes": steps})

    async def simulate_routes(self) -> Simulation:
        wanted: Json = {"project_id": str(self._project.project_id), "limit": 200}
        answer = await self._call("POST", "/api/clay/routes/simulate", wanted)
        return Simulation.model_validate_json(answer.content)

    async def schedules(self) -> Sequence[ScheduleView]:
        answer = await self._call("GET", "/api/clay/schedules")
        return ScheduleList.model_validate_json(answer.content).schedules

    async def create_schedule(self, name: str) -> None:
        wanted: Json = {
            "name": name,
            "project_id": str(self._project.project_id),
            "kind": TimingKind.DAILY,
            "at": "09:00",
            "time_zone": "Europe/Berlin",
        }
        await self._call("POST", "/api/clay/schedules", wanted)

    async def _call(self, method: str, path: str, body: Json = None) -> httpx.Response:
        answer = await self._api.request(method, path, headers=self._headers, json=body)
        if not answer.is_success:
            raise _error_of(answer)
        return answer


def _error_of(answer: httpx.Response) -> DemoError:
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = answer.text[:300]
    return DemoError(f"{answer.request.method} {answer.request.url.path} returned {answer.status_code}: {detail}")
