"""API client of the demo: signs an access token as NexusLeads does, and calls the API as a member of the demo organization."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

import httpx
import jwt

from clay_push_service.demo.home import DemoError, DemoSecrets
from clay_push_service.demo.host_database import OWNER, DemoProject
from clay_push_service.push_jobs.schemas import PushAnswer
from clay_push_service.push_jobs.views import JobPage, JobView

TOKEN_SECONDS = 12 * 3600
"""Valid long enough to try the printed commands."""
RATE_LIMIT_MS = 100
"""10 requests per second, the limit of Clay and of the sandbox."""

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
