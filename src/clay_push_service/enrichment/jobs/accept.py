"""Accepts a request to enrich leads, in the caller's transaction: checks, the job with its items, and the wake-up of a worker."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import queue
from clay_push_service.audit import Detail, audit
from clay_push_service.callers.actor import Actor
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.jobs.eligibility import skipped_leads
from clay_push_service.enrichment.jobs.refusals import (
    budget_exhausted,
    missing_input,
    require_key,
    require_routine,
)
from clay_push_service.enrichment.jobs.table_way import request_by_table
from clay_push_service.enrichment.ledger.budget import Budget, Reservation, read_budget
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_jobs, recount
from clay_push_service.enrichment.ledger.new_jobs import (
    NewItem,
    NewJob,
    add_ended_items,
    create_job,
    queue_items,
    set_estimate,
)
from clay_push_service.enrichment.ledger.states import EnrichmentMode, ItemOutcome, LegalBasis, RequestWay
from clay_push_service.enrichment.settings.kinds import Amount, Kind, Price, price_of
from clay_push_service.enrichment.settings.leads import leads_not_found, require_leads
from clay_push_service.enrichment.settings.maps import missing_values
from clay_push_service.enrichment.settings.table import Routine, lock_settings, read_routines
from clay_push_service.enrichment.values.erased import read_erased
from clay_push_service.host.leads import best_projects
from clay_push_service.host.read_lead_rows import read_lead_rows
from clay_push_service.host.tables import HostTables
from clay_push_service.settings import Settings


@dataclass(frozen=True, slots=True)
class EnrichRequest:
    lead_ids: Sequence[UUID]
    kind: Kind
    legal_basis: LegalBasis
    way: RequestWay = RequestWay.ROUTINE
    again: bool = False
    mode: EnrichmentMode = EnrichmentMode.BATCH
    source_job_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AcceptedEnrichment:
    job_id: UUID
    lead_count: int
    skipped_count: int
    """Leads that are not requested from Clay."""
    price: Price
    budget_for: int
    """Leads that the daily budget covers in any case, at the upper estimate."""

    @property
    def requested_count(self) -> int:
        return self.lead_count - self.skipped_count


@dataclass(frozen=True, slots=True)
class AcceptEnrichment:
    """Accepts one request. The caller has checked the gate."""

    connection: AsyncConnection
    tables: HostTables
    settings: Settings
    box: SecretBox | None
    actor: Actor

    async def accept(self, request: EnrichRequest) -> AcceptedEnrichment:
        """Raises 404 `lead_not_found`, 409 for a missing key, routine, table or budget, 422 `missing_input`."""
        org_id = self.actor.org_id
        row = await lock_settings(self.connection, org_id)
        routine = (await read_routines(self.connection, org_id)).get(request.kind)
        if request.way is RequestWay.ROUTINE:
            await require_key(self.connection, self.tables, row, self.box, self.settings)
            require_routine(routine, request.kind)
        price = price_for(request.kind, request.way, routine)
        reservation = Reservation.of(price)
        budget = await read_budget(self.connection, row)
        if not budget.fits(reservation, 1):
            raise budget_exhausted(row, budget, reservation)
        items = await self._check_leads(request, routine)
        return await self._store(request, items, price, budget, timedelta(minutes=row.table_answer_minutes))

    async def _check_leads(self, request: EnrichRequest, routine: Routine | None) -> list[NewItem]:
        """Returns one item per lead, in the order of the request. Raises 404 or 422 before anything is stored."""
        org_id, lead_ids = self.actor.org_id, list(dict.fromkeys(request.lead_ids))
        await require_leads(self.connection, self.tables, org_id, lead_ids)
        if erased := await read_erased(self.connection, org_id, lead_ids):
            raise leads_not_found([each for each in lead_ids if each in erased])
        projects = await best_projects(self.connection, self.tables, org_id, lead_ids)
        skipped = await skipped_leads(self.connection, self.tables, org_id, lead_ids, request.kind, again=request.again)
        missing = await self._missing(
            request, routine, {each: projects[each] for each in lead_ids if each not in skipped}
        )
        if missing and len(missing) == len(lead_ids) and request.mode in {EnrichmentMode.ONE, EnrichmentMode.BATCH}:
            raise missing_input(missing)
        return [
            NewItem(each, projects[each], ItemOutcome.FAILED, ItemCause.MISSING_INPUT, missing[each])
            if each in missing
            else NewItem(each, projects[each], ItemOutcome.SKIPPED if each in skipped else None, skipped.get(each))
            for each in lead_ids
        ]

    async def _missing(
        self, request: EnrichRequest, routine: Routine | None, projects: dict[UUID, UUID]
    ) -> dict[UUID, Sequence[str]]:
        by_project: defaultdict[UUID, list[UUID]] = defaultdict(list)
        for lead_id, project_id in projects.items():
            by_project[project_id].append(lead_id)
        inputs = routine.inputs if routine is not None and request.way is RequestWay.ROUTINE else {}
        found: dict[UUID, Sequence[str]] = {}
        for project_id, lead_ids in by_project.items():
            rows = await read_lead_rows(self.connection, self.tables, self.actor.org_id, project_id, lead_ids)
            for lead_id, lead in rows.items():
                if missing := missing_values(request.kind, inputs, lead):
                    found[lead_id] = missing
        return found

    async def _store(
        self,
        request: EnrichRequest,
        items: Sequence[NewItem],
        price: Price,
        budget: Budget,
        answer_within: timedelta,
    ) -> AcceptedEnrichment:
        org_id = self.actor.org_id
        projects = {each.project_id for each in items}
        job = NewJob(
            uuid4(), projects.pop() if len(projects) == 1 else None, request.kind, request.way, request.mode,
            request.legal_basis, request.again, len(items), request.source_job_id,
        )  # fmt: skip
        await create_job(self.connection, self.actor, job)
        await lock_jobs(self.connection, org_id, [job.id])
        projects_of_leads = {each.lead_id: each.project_id for each in items if each.outcome is None}
        queued = await queue_items(self.connection, org_id, job, projects_of_leads)
        ended = [each for each in items if each.outcome is not None]
        ended += [
            NewItem(lead_id, project_id, ItemOutcome.SKIPPED, ItemCause.ALREADY_REQUESTED)
            for lead_id, project_id in projects_of_leads.items()
            if lead_id not in queued
        ]
        await add_ended_items(self.connection, org_id, job, ended)
        count = len(queued)
        await set_estimate(self.connection, org_id, job.id, price, count)
        reservation = Reservation.of(price)
        if request.way is RequestWay.TABLE and queued:
            await request_by_table(
                self.connection, self.tables, self.settings, self.actor, job.id, queued, reservation,
                budget.fits(reservation, count), answer_within,
            )  # fmt: skip
        await recount(self.connection, org_id, [job.id])
        if request.way is RequestWay.ROUTINE and queued:
            await queue.wake_enrichment(self.connection, org_id)
        details: dict[str, Detail] = {
            "job_id": str(job.id), "kind": job.kind, "way": job.way, "mode": job.mode, "legal_basis": job.legal_basis,
            "leads": len(items), "skipped": len(items) - count,
        }  # fmt: skip
        await audit(self.connection, org_id, self.actor.name, "enrichment_job.accepted", details)
        return AcceptedEnrichment(job.id, len(items), len(items) - count, price, budget.fits(reservation, count))


def price_for(kind: Kind, way: RequestWay, routine: Routine | None) -> Price:
    """The price of one lead. By the table, Clay charges one action more: the call of the HTTP API column."""
    price = price_of(kind, routine.credits if routine else None, routine.actions if routine else None)
    if way is RequestWay.ROUTINE:
        return price
    actions = Amount(price.actions.low + 1, None if price.actions.high is None else price.actions.high + 1)
    return Price(price.credits, actions, price.is_of_guide)
