"""Enriches one lead of the demo in both ways: by a routine of the sandbox's public API, and by the table, which sends the result back."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx

from clay_push_service.demo.demo_user import DemoUser, Json
from clay_push_service.demo.home import DemoError
from clay_push_service.demo.output import DemoOutput
from clay_push_service.enrichment.ledger.states import ENDED, RequestWay
from clay_push_service.enrichment.values.choice import ValueSource
from clay_push_service.enrichment.values.schemas import LeadEnrichment
from clay_push_service.push_jobs.views import LeadPage, LeadView
from clay_push_service.sandbox import DEFAULT_SOURCE

ANSWER_SECONDS: Final = 90.0
"""Seconds to wait for a result. The routine is first polled after 3 s; the row is pushed at the table's pace, and its result arrives a second later."""
POLL_SECONDS: Final = 0.5
CALLBACK_SECONDS: Final = 1.0
SOURCES: Final[Mapping[RequestWay, ValueSource]] = {
    RequestWay.ROUTINE: ValueSource.ROUTINE,
    RequestWay.TABLE: ValueSource.TABLE,
}
SETTINGS: Final[Mapping[str, Json]] = {
    "api_key": "clay_key_of_the_demo_0123456789",
    "routines": {
        "full": {
            "routine_id": "full",
            "inputs": {"Full Name": "full_name", "Company Name": "company_name"},
            "outputs": {
                "email": "Work Email",
                "phone": "Phone",
                "linkedin_url": "LinkedIn URL",
                "company_size": "Company Size",
                "job_title": "Job Title",
                "confidence": "Confidence",
            },
        },
    },
    "budget": {"credits_per_day": 500, "actions_per_day": None, "time_zone": "UTC"},
}
"""Settings for the sandbox, which accepts every key and has a routine `full`."""
CALLBACK_VALUES: Final[Mapping[str, Json]] = {
    "email": "{github_username}@work.example.com",
    "job_title": "Staff Engineer",
    "technologies": "Python, PostgreSQL",
}
"""The values have no confidence: the demo shows "not given"."""


@dataclass(frozen=True, slots=True)
class EnrichmentDemo:
    member: DemoUser
    output: DemoOutput
    api_url: str
    sandbox_url: str

    async def run(self) -> bool:
        """Request each way that has no result yet, and print the lead. Returns whether both have answered."""
        await self._connect_table()
        lead = choose_lead(await self.member.best_leads())
        found = await self.member.lead_enrichment(lead.id)
        missing = [way for way in RequestWay if SOURCES[way] not in sources_of(found)]
        if missing:
            await self.member.configure_enrichment(SETTINGS)
        for way in missing:
            await self._enrich(lead, way)
        found = await self.member.lead_enrichment(lead.id)
        self.output.enriched(lead.full_name or str(lead.id), found)
        return all(source in sources_of(found) for source in SOURCES.values())

    async def _connect_table(self) -> None:
        """Set up the HTTP API column of the sandbox's table, which sends each new row back."""
        token = await self.member.new_results_token()
        plan: Json = {
            "url": self.api_url + token.path,
            "headers": {"Authorization": f"Bearer {token.token}"},
            "values": CALLBACK_VALUES,
            "delay_seconds": CALLBACK_SECONDS,
        }
        async with httpx.AsyncClient(base_url=self.sandbox_url, trust_env=False) as sandbox:
            (await sandbox.put(f"/sandbox/sources/{DEFAULT_SOURCE}/callbacks", json=plan)).raise_for_status()

    async def _enrich(self, lead: LeadView, way: RequestWay) -> None:
        accepted = await self.member.enrich(lead.id, way)
        self.output.enriching(lead.full_name or str(lead.id), way, accepted.estimate)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while (job := await self.member.enrichment_job(accepted.job_id)).status not in ENDED:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise DemoError(
                f"The enrichment by the {way} did not end in {ANSWER_SECONDS:.0f} s. Read the service's log, and run the demo again."
            ) from None
        for cause in job.causes:
            self.output.line(f"    {cause.cause}: {cause.message} {cause.remedy}")


def choose_lead(page: LeadPage) -> LeadView:
    """The best lead with a name, a company and no e-mail address, so that an enrichment shows something; the same in every run."""
    leads = [each for each in page.leads if each.full_name and each.company and not each.clay.excluded]
    if not leads:
        raise DemoError("No lead of the project has a name and a company. Start over: delete the demo's data.")
    return next((each for each in leads if not each.email), leads[0])


def sources_of(lead: LeadEnrichment) -> set[ValueSource]:
    """Returns the sources that have sent a result, also an empty one."""
    return {value.source for field in lead.fields for value in field.history}
