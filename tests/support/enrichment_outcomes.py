"""Gives items of enrichment jobs chosen outcomes, as if Clay had answered. The service's own function counts them and finishes the jobs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.ledger.counters import lock_jobs, recount
from clay_push_service.enrichment.ledger.states import ItemOutcome, ItemState
from tests.harness.api import Api

ROUTINE: Final = {
    "routine_id": "r",
    "inputs": {"Name": "full_name", "Company": "company"},
    "outputs": {"email": "Email"},
}
RUN = """
INSERT INTO clay.enrichment_runs (id, org_id, kind, routine_id, outputs, state, expires_at)
VALUES (gen_random_uuid(), :org_id, 'email', 'r', '{}', 'held', now() + interval '1 day') RETURNING id
"""
QUEUED = "SELECT id FROM clay.enrichment_items WHERE job_id = :job_id AND state = 'queued' ORDER BY seq"
CHANGE = """
UPDATE clay.enrichment_items
SET state = CAST(:state AS text), outcome = :outcome, cause = :cause, found = CAST(:found AS text[]), not_found = CAST(:not_found AS text[]),
    credits = CAST(:credits AS numeric), actions = :actions, cost_basis = CASE WHEN CAST(:credits AS numeric) > 0 THEN 'estimated' ELSE 'none' END,
    run_id = CAST(:run_id AS uuid), started_at = now(), deadline_at = CASE WHEN CAST(:state AS text) = 'requested' THEN now() + interval '1 day' END,
    finished_at = CASE WHEN CAST(:state AS text) = 'done' THEN now() END
WHERE id = :id
"""


@dataclass(frozen=True, slots=True)
class Became:
    """What became of one item. Without an outcome, it is requested or held."""

    outcome: ItemOutcome | None
    cause: ItemCause | None = None
    state: ItemState = ItemState.DONE
    found: Sequence[str] = field(default=())
    not_found: Sequence[str] = field(default=())
    credits: float = 0
    actions: float = 0


FOUND: Final = Became(ItemOutcome.FOUND, found=["email"], credits=1.5, actions=1)
PARTIAL: Final = Became(ItemOutcome.PARTIAL, found=["email"], not_found=["phone"], credits=1.5, actions=1)
NOTHING: Final = Became(ItemOutcome.NOTHING, ItemCause.NO_DATA, not_found=["email"], credits=0.5, actions=1)
FAILED: Final = Became(ItemOutcome.FAILED, ItemCause.ITEM_FAILED)
REFUSED: Final = Became(ItemOutcome.FAILED, ItemCause.INSUFFICIENT_CREDITS)
EXPIRED: Final = Became(ItemOutcome.EXPIRED, ItemCause.STILL_RUNNING, credits=2, actions=1)
SKIPPED: Final = Became(ItemOutcome.SKIPPED, ItemCause.EXCLUDED)
REQUESTED: Final = Became(None, state=ItemState.REQUESTED, credits=2, actions=1)
HELD: Final = Became(None, state=ItemState.HELD, credits=2, actions=1)
EVERY: Final = (FOUND, PARTIAL, NOTHING, FAILED, REFUSED, EXPIRED, SKIPPED, REQUESTED, HELD)


async def save_routine(api: Api) -> None:
    await api.call(
        "PUT", "/api/clay/enrichment/config", {"api_key": "clay_key_of_owner", "routines": {"email": ROUTINE}}
    )


async def request_emails(api: Api, lead_ids: Sequence[UUID], *, again: bool = False) -> str:
    """Returns the enrichment job's id."""
    body = {"lead_ids": [str(each) for each in lead_ids], "kind": "email", "basis": "consent", "again": again}
    return str((await api.call("POST", "/api/clay/enrich", body, status=202))["job_id"])


async def change_queued(api: Api, job_id: str, outcomes: Sequence[Became]) -> int:
    """Change the first queued items of the job, one for each of `outcomes` while there are some. Returns how many were changed."""
    items = (await api.installation.fetch(QUEUED, job_id=job_id))[: len(outcomes)]
    for item, became in zip(items, outcomes, strict=False):
        live = became.outcome is None
        run_id = (await api.installation.fetch(RUN, org_id=api.org_id))[0].id if live else None
        values: dict[str, object] = {"state": became.state, "outcome": became.outcome, "cause": became.cause}
        values |= {"found": list(became.found), "not_found": list(became.not_found)}
        values |= {"credits": became.credits, "actions": became.actions}
        await api.installation.fetch(CHANGE, id=item.id, run_id=run_id, **values)
    async with api.owner.transaction() as connection:
        await lock_jobs(connection, api.org_id, [UUID(job_id)])
        await recount(connection, api.org_id, [UUID(job_id)])
    return len(items)
