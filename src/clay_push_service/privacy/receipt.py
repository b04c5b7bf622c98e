"""The receipt of an erasure: the rows that were sent to Clay before it, with their current state, without names."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.errors import NotFoundError
from clay_push_service.leads.openapi_aliases import with_aliases
from clay_push_service.privacy.erase import MAX_LEADS

MAX_FORMER = 1_000
"""Most values per request: one for each lead that a request may contain."""
EXAMPLE_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


class _ErasureRow(NamedTuple):
    id: UUID
    actor: str
    lead_references: list[UUID]
    stopped_count: int
    emptied_count: int
    created_at: datetime


READ = Statement(
    """
SELECT id, actor, lead_references, stopped_count, emptied_count, created_at
FROM clay.erasures WHERE org_id = :org_id AND id = :id
""",
    _ErasureRow,
)


class _SentDelivery(NamedTuple):
    reference: UUID
    id: UUID
    job_id: UUID
    table_name: str | None
    finished_at: datetime | None
    at: datetime | None
    uncertain_attempts: int
    gone: str


# taken: Clay returned 2xx. maybe: an attempt got no response, or 5xx after the whole body, for any final status. in_flight: no
# response yet. The causes cover rows that a worker of an earlier release wrote.
SENT_DELIVERIES = Statement(
    """
SELECT delivery.contributor_id AS reference, delivery.id, delivery.job_id, job.table_name, delivery.finished_at,
       coalesce(delivery.pushed_at, delivery.finished_at) AS at,
       delivery.uncertain_attempts,
       CASE WHEN delivery.status = 'success' THEN 'taken' WHEN delivery.state = 'sending' THEN 'in_flight' ELSE 'maybe' END AS gone
FROM clay.clay_push_log AS delivery
JOIN clay.push_jobs AS job ON job.id = delivery.job_id
WHERE delivery.org_id = :org_id AND delivery.contributor_id = ANY(CAST(:lead_references AS uuid[]))
  AND (delivery.status = 'success' OR delivery.state = 'sending' OR delivery.uncertain_attempts > 0
       OR delivery.cause IN ('unknown', 'server_error'))
ORDER BY delivery.seq
""",
    _SentDelivery,
)


class _RequestedItem(NamedTuple):
    reference: UUID
    id: UUID
    kind: str
    way: str
    at: datetime
    outcome: str | None


# Only what left this service: an item that was skipped or cancelled before its start was never requested from Clay.
REQUESTED_ITEMS = Statement(
    """
SELECT lead_id AS reference, id, kind, way, coalesce(started_at, created_at) AS at, outcome
FROM clay.enrichment_items
WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_references AS uuid[]))
  AND (started_at IS NOT NULL OR delivery_id IS NOT NULL) AND coalesce(outcome, '') NOT IN ('skipped', 'cancelled')
ORDER BY seq
""",
    _RequestedItem,
)


class ErasureBody(BaseModel):
    """`lead_ids` or `lead_id`; aliases `contributor_ids` and `contributor_id`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=with_aliases({"lead_ids": [EXAMPLE_ID]}))

    lead_ids: Annotated[list[UUID], Field(fail_fast=True, min_length=1, max_length=MAX_LEADS)] | None = Field(
        None, validation_alias=AliasChoices("lead_ids", "contributor_ids"), description="Ids of the leads to erase."
    )
    lead_id: UUID | None = Field(
        None, validation_alias=AliasChoices("lead_id", "contributor_id"), description="Id of one lead to erase."
    )

    former_values: (
        Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=255)]], Field(max_length=MAX_FORMER)]
        | None
    ) = Field(
        None,
        description="Former e-mail addresses, names, user names and companies of the leads. Used to find stored filters that"
        " contain them; not stored. Null: unknown, so every stored search of the organization is emptied.",
    )

    @model_validator(mode="after")
    def _require_a_lead(self) -> "ErasureBody":
        if not self.ids:
            raise ValueError("send lead_ids, or one lead_id")
        return self

    @property
    def ids(self) -> list[UUID]:
        return [*(self.lead_ids or ()), *([self.lead_id] if self.lead_id else ())]


class SentState(StrEnum):
    TAKEN = "taken"
    MAYBE = "maybe"
    IN_FLIGHT = "in_flight"


class SentRow(BaseModel):
    delivery_id: UUID = Field(
        description="The delivery id, also in the row's `_meta`: use it to find the row in the Clay table."
    )
    job_id: UUID = Field(description="The push job that sent it.")
    table_name: str | None = Field(
        description="Name of the Clay table at the time of the push.", examples=["Platform leads"]
    )
    gone: SentState = Field(
        description="`taken`: Clay accepted it. `maybe`: Clay may have it, the response was uncertain. `in_flight`: no response yet."
    )
    at: datetime | None = Field(description="Time of Clay's response; null while in flight.")
    uncertain_attempts: int = Field(
        description="Attempts with an uncertain outcome. Clay may have one row for each, all with this delivery id.",
        examples=[0],
    )


class RequestedItem(BaseModel):
    item_id: UUID = Field(description="The item's id, which Clay received.")
    kind: str = Field(description="`full` or `email`.", examples=["email"])
    way: str = Field(
        description="`routine`: the lead's data went to a routine. `table`: it is also a row of `gone_to_clay`.",
        examples=["routine"],
    )
    at: datetime = Field(description="When it was requested from Clay.")
    outcome: str | None = Field(description="What came of it; null: no result yet.", examples=["found"])


class ErasedLead(BaseModel):
    reference: UUID = Field(description="Replaces the lead's id in the log.")
    lead_id: UUID | None = Field(description="In the response to the erasure only; not stored.")
    gone_to_clay: list[SentRow] = Field(description="Rows to delete in Clay by hand: Clay has no API for it.")
    requested_from_clay: list[RequestedItem] = Field(
        description="Enrichments that were requested for the lead: its name, company and other inputs went to Clay with each."
    )


class Receipt(BaseModel):
    id: UUID = Field(description="Id of the erasure.")
    actor: str = Field(description="User, service key or command that requested the erasure.", examples=["user:alice"])
    created_at: datetime = Field(description="Time of the erasure.")
    lead_count: int = Field(description="Number of erased leads.", examples=[1])
    stopped_count: int = Field(description="Queued deliveries that will not be sent.", examples=[0])
    emptied_count: int = Field(description="Rows of the push log that were emptied.", examples=[2])
    leads: list[ErasedLead] = Field(description="Erased leads by reference, with their rows in Clay.")
    message: str = Field(
        description="Summary in one sentence.",
        examples=["1 lead was erased and will not be pushed again; 1 row was sent to Clay before."],
    )


async def read_receipt(
    connection: AsyncConnection, org_id: UUID, erasure_id: UUID, lead_ids: Mapping[UUID, UUID] | None = None
) -> Receipt:
    """`lead_ids`: the leads' ids by reference, if they are still known. Raises 404 `erasure_not_found`."""
    row = await READ.one_or_none(connection, {"org_id": org_id, "id": erasure_id})
    if row is None:
        raise NotFoundError("Your organization has no erasure with this id.", code="erasure_not_found")
    sent: defaultdict[UUID, list[SentRow]] = defaultdict(list)
    values = {"org_id": org_id, "lead_references": row.lead_references}
    for each in await SENT_DELIVERIES.rows(connection, values):
        sent[each.reference].append(
            SentRow(
                delivery_id=each.id,
                job_id=each.job_id,
                table_name=each.table_name,
                gone=SentState(each.gone),
                at=each.at,
                uncertain_attempts=each.uncertain_attempts,
            )
        )
    requested: defaultdict[UUID, list[RequestedItem]] = defaultdict(list)
    for item in await REQUESTED_ITEMS.rows(connection, values):
        requested[item.reference].append(
            RequestedItem(item_id=item.id, kind=item.kind, way=item.way, at=item.at, outcome=item.outcome)
        )
    known_lead_ids = lead_ids or {}
    return Receipt(
        id=row.id,
        actor=row.actor,
        created_at=row.created_at,
        lead_count=len(row.lead_references),
        stopped_count=row.stopped_count,
        emptied_count=row.emptied_count,
        leads=[
            ErasedLead(
                reference=each,
                lead_id=known_lead_ids.get(each),
                gone_to_clay=sent[each],
                requested_from_clay=requested[each],
            )
            for each in row.lead_references
        ],
        message=_message(len(row.lead_references), Counter(each.gone for rows in sent.values() for each in rows)),
    )


def _message(leads: int, states: Counter[SentState]) -> str:
    erased = "1 lead was erased" if leads == 1 else f"{leads:,} leads were erased"
    rows = {
        ("was sent to Clay before" if states[SentState.TAKEN] == 1 else "were sent to Clay before"): states[
            SentState.TAKEN
        ],
        "may be in Clay": states[SentState.MAYBE],
        ("is being sent now" if states[SentState.IN_FLIGHT] == 1 else "are being sent now"): states[
            SentState.IN_FLIGHT
        ],
    }
    parts = [f"{'1 row' if count == 1 else f'{count:,} rows'} {state}" for state, count in rows.items() if count]
    return f"{erased} and will not be pushed again; {', '.join(parts) or 'no row was sent to Clay'}."
