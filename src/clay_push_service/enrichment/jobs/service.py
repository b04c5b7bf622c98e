"""The use cases of enrichment requests, in the transaction of the caller."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service import logs
from clay_push_service.callers.actor import Actor
from clay_push_service.destinations.secret_box import SecretBox
from clay_push_service.enrichment.jobs.accept import AcceptedEnrichment, AcceptEnrichment, EnrichRequest
from clay_push_service.enrichment.jobs.schemas import EnrichBody, EnrichLeadBody, EnrichmentAccepted
from clay_push_service.enrichment.ledger.states import EnrichmentMode
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.trial_schemas import CostEstimate
from clay_push_service.gate import require_available
from clay_push_service.host.tables import HostTables
from clay_push_service.push_jobs.idempotency import StoredResponse, find_response, fingerprint, store_response
from clay_push_service.push_jobs.summary import leads
from clay_push_service.settings import Settings

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class EnrichmentService:
    connection: AsyncConnection
    tables: HostTables
    settings: Settings
    box: SecretBox | None
    actor: Actor

    async def enrich(self, request: EnrichRequest) -> AcceptedEnrichment:
        """Raises 403 `enterprise_required`, 404, 409 and 422: see `AcceptEnrichment.accept`."""
        await require_available(
            self.connection, self.tables, self.actor.org_id, billing_enabled=self.settings.billing_enabled,
            upgrade_url=self.settings.upgrade_url,
        )  # fmt: skip
        accepted = await AcceptEnrichment(
            self.connection, self.tables, self.settings, self.box, self.actor
        ).accept(request)  # fmt: skip
        log.info(
            "enrichment_job.accepted", job_id=str(accepted.job_id), kind=request.kind, way=request.way, mode=request.mode,
            leads=accepted.lead_count, skipped=accepted.skipped_count,
        )  # fmt: skip
        return accepted

    async def enrich_lead_once(
        self, idempotency_key: str | None, lead_id: UUID, body: EnrichLeadBody
    ) -> StoredResponse:
        request = EnrichRequest([lead_id], body.kind, body.basis, body.way, again=True, mode=EnrichmentMode.ONE)
        return await self._once(idempotency_key, fingerprint(f"enrich/{lead_id}", body), request)

    async def enrich_once(self, idempotency_key: str | None, body: EnrichBody) -> StoredResponse:
        """`enrich`, or the stored response of the first request with this Idempotency-Key."""
        request = EnrichRequest(body.lead_ids, body.kind, body.basis, body.way, again=body.again)
        return await self._once(idempotency_key, fingerprint("enrich", body), request)

    async def _once(self, key: str | None, request_hash: bytes, request: EnrichRequest) -> StoredResponse:
        org_id = self.actor.org_id
        stored = None if key is None else await find_response(self.connection, org_id, key, request_hash)
        if stored is not None:
            return stored
        response = _response(request.kind, await self.enrich(request))
        if key is not None:
            await store_response(self.connection, org_id, key, request_hash, response)
        return response


def _response(kind: Kind, accepted: AcceptedEnrichment) -> StoredResponse:
    answer = EnrichmentAccepted(
        job_id=accepted.job_id,
        lead_count=accepted.lead_count,
        skipped_count=accepted.skipped_count,
        estimate=CostEstimate.of_price(kind, accepted.price, accepted.requested_count),
        message=_message(accepted),
    )
    return StoredResponse(202, answer.model_dump(mode="json"), f"/api/clay/enrichment/jobs/{accepted.job_id}")


def _message(accepted: AcceptedEnrichment) -> str:
    if not accepted.requested_count:
        return "No lead is queued: the items of the job give the reasons."
    message = f"Queued for enrichment: {leads(accepted.requested_count)}."
    if accepted.budget_for < accepted.requested_count:
        message += f" The daily budget covers at least {accepted.budget_for:,} of them; the job stops before the budget is exceeded."
    return message
