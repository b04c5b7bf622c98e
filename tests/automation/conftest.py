"""A project whose leads meet each clause of a rule, on a NexusLeads of either vintage."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from clay_push_service.host.columns import Vintage
from tests.automation.project import Project
from tests.harness.api import run_local_api


@pytest.fixture(params=list(Vintage), ids=str)
async def project(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Project]:
    async with run_local_api(database_url, Vintage(request.param)) as api:
        host = api.host
        project_id = await host.project(api.org_id)

        async def lead(score: float | None, classification: str | None) -> UUID:
            made = await host.lead(project_id, score=score)
            if classification is not None:
                await host.add("social_context", lead_id=made, classification=classification)
            return made

        yield Project(
            api,
            project_id,
            best=await lead(95, "DECISION_MAKER"),
            champion=await lead(70, "CHAMPION"),
            low=await lead(69.99, "DECISION_MAKER"),
            unscored=await lead(None, "DECISION_MAKER"),
            other_class=await lead(90, "KEY_CONTRIBUTOR"),
            unclassified=await lead(90, None),
        )
