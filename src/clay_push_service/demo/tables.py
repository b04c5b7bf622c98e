"""Fills a second Clay table by routes: leads with a high score go to a table of their own, all others to the first one."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import httpx

from clay_push_service.demo.demo_user import DemoUser
from clay_push_service.demo.output import DemoOutput
from clay_push_service.demo.sandbox_check import count_arrivals
from clay_push_service.push_jobs.targets.simulate import Simulation
from clay_push_service.push_jobs.views import JobView

SOURCE: Final = "priority-leads"
TABLE: Final = "Priority leads"
SEGMENT: Final = "High score"
MIN_SCORE: Final = 72
"""Ten of the 200 sample leads (12 on tables of February 2026): enough to see, few beside the first table."""
SCHEDULE: Final = "Every morning"


@dataclass(frozen=True, slots=True)
class TablesDemo:
    """Two tables, two routes and one schedule. A later run finds them and changes nothing."""

    member: DemoUser
    output: DemoOutput
    sandbox_url: str

    async def run(self, webhook_url: str, watch: Callable[[UUID], Awaitable[JobView]]) -> bool:
        """Push the project again: the routes decide. Returns whether each lead of the segment is in the second table once."""
        await self._prepare(webhook_url)
        simulation = await self.member.simulate_routes()
        for decision in simulation.decisions:
            self.output.routed(decision)
        wanted = leads_for(simulation, TABLE)
        answer = await self.member.push()
        self.output.step(
            f"POST /api/clay/push-filtered by routes: {answer.lead_count - answer.skipped_count} leads queued"
        )
        for job in answer.jobs:
            await watch(job.job_id)
        found = await count_arrivals(self.sandbox_url, wanted, SOURCE)
        is_good = found.once == len(wanted) > 0
        self.output.second_table(TABLE, found, is_good=is_good)
        for schedule in await self.member.schedules():
            self.output.scheduled(schedule)
        return is_good

    async def _prepare(self, webhook_url: str) -> None:
        """Create what is missing."""
        tables = {each.name: each.id for each in (await self.member.destinations()).destinations}
        if TABLE not in tables:
            await self._create_source()
            await self.member.create_destination(TABLE, webhook_url)
            tables = {each.name: each.id for each in (await self.member.destinations()).destinations}
        version, has_routes = await self.member.routes()
        if not has_routes:
            segment_id = await self._segment()
            [first] = [table_id for name, table_id in tables.items() if name != TABLE]
            await self.member.replace_routes(version, [(segment_id, tables[TABLE]), (None, first)])
        if SCHEDULE not in {each.name for each in await self.member.schedules()}:
            await self.member.create_schedule(SCHEDULE)

    async def _create_source(self) -> None:
        """A table of the sandbox in the workspace of the first one: both share its 10 requests per second."""
        async with httpx.AsyncClient(base_url=self.sandbox_url, trust_env=False) as sandbox:
            (await sandbox.post("/sandbox/sources", json={"id": SOURCE})).raise_for_status()

    async def _segment(self) -> UUID:
        found = {each.name: each.id for each in (await self.member.segments()).segments}
        return found.get(SEGMENT) or await self.member.create_segment(SEGMENT, {"min_score": MIN_SCORE})


def leads_for(simulation: Simulation, table: str) -> Sequence[UUID]:
    """The leads that the routes send to this table, also those that are there already."""
    return [
        each.lead.id
        for each in simulation.leads
        if any(decision.destination and decision.destination.name == table for decision in each.decisions)
    ]
