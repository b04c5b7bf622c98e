"""An erasure's receipt: what had gone to Clay before it, row by row, as it stands now; it never names the erased."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.errors import NotFoundError
from clay_push_service.privacy.erase import MAX_LEADS
from clay_push_service.push_jobs.openapi_aliases import with_twins

MAX_FORMER = 1_000
"""Values in one request: one for each lead that it may name."""
EXAMPLE_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

READ = text("""
SELECT id, actor, lead_references, stopped_count, emptied_count, created_at
FROM clay.erasures WHERE org_id = :org_id AND id = :id
""")
# Taken: Clay answered 2xx. Maybe: an attempt got no answer, or a 5xx after the whole body, however the delivery ended. In
# flight: the answer is still to come. The causes are for rows that a worker of an earlier release wrote.
GONE = text("""
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
""")


class ErasureBody(BaseModel):
    """`lead_ids` or `lead_id`; `contributor_ids` and `contributor_id` are taken as the same."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=with_twins({"lead_ids": [EXAMPLE_ID]}))

    lead_ids: Annotated[list[UUID], Field(fail_fast=True, min_length=1, max_length=MAX_LEADS)] | None = Field(
        None, validation_alias=AliasChoices("lead_ids", "contributor_ids"), description="Whom to forget, by lead id."
    )
    lead_id: UUID | None = Field(
        None, validation_alias=AliasChoices("lead_id", "contributor_id"), description="The same for one."
    )

    former_values: (
        Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=255)]], Field(max_length=MAX_FORMER)]
        | None
    ) = Field(
        None,
        description="E-mail addresses, names, user names and companies that they had before. Used to find stored filters that"
        " name them, and not kept. Null: not known, so every stored search of the organization is emptied.",
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> "ErasureBody":
        if not self.ids:
            raise ValueError("name lead_ids, or one lead_id")
        return self

    @property
    def ids(self) -> list[UUID]:
        return [*(self.lead_ids or ()), *([self.lead_id] if self.lead_id else ())]


class Gone(StrEnum):
    TAKEN = "taken"
    MAYBE = "maybe"
    IN_FLIGHT = "in_flight"


class GoneRow(BaseModel):
    delivery_id: UUID = Field(description="Also in the row's `_meta`, to find it in the Clay table.")
    job_id: UUID = Field(description="The push job that sent it.")
    table_name: str | None = Field(
        description="The Clay table, as the settings named it then.", examples=["Platform leads"]
    )
    gone: Gone = Field(description="Clay took it; may have (no clear answer came); or its answer is still to come.")
    at: datetime | None = Field(description="When Clay answered; null while it is in flight.")
    uncertain_attempts: int = Field(
        description="Attempts that got no clear answer. Clay may hold a row of each, all with this delivery id.",
        examples=[0],
    )


class ErasedLead(BaseModel):
    reference: UUID = Field(description="Stands for the person in our log from now on.")
    lead_id: UUID | None = Field(description="In the first answer only: then it is forgotten.")
    gone_to_clay: list[GoneRow] = Field(description="Rows to delete in Clay by hand: Clay offers no other way.")


class Receipt(BaseModel):
    id: UUID = Field(description="The erasure.")
    actor: str = Field(description="Who asked for it.", examples=["user:alice"])
    created_at: datetime = Field(description="When it was done.")
    lead_count: int = Field(description="How many people.", examples=[1])
    stopped_count: int = Field(description="Queued deliveries that will not be sent.", examples=[0])
    emptied_count: int = Field(description="Rows of our log that held something about them.", examples=[2])
    leads: list[ErasedLead] = Field(description="Each by its reference, with what had gone to Clay.")
    message: str = Field(
        description="The same in one sentence.",
        examples=["1 lead was erased and will not be pushed again; 1 row had gone to Clay before."],
    )


async def read_receipt(
    connection: AsyncConnection, org_id: UUID, erasure_id: UUID, lead_ids: Mapping[UUID, UUID] | None = None
) -> Receipt:
    """`lead_ids`: by reference, where they are still known. Raises 404 `erasure_not_found`."""
    row = (await connection.execute(READ, {"org_id": org_id, "id": erasure_id})).one_or_none()
    if row is None:
        raise NotFoundError("Your organization has no erasure with this id.", code="erasure_not_found")
    gone: defaultdict[UUID, list[GoneRow]] = defaultdict(list)
    values = {"org_id": org_id, "lead_references": row.lead_references}
    for each in await connection.execute(GONE, values):
        gone[each.reference].append(
            GoneRow(
                delivery_id=each.id,
                job_id=each.job_id,
                table_name=each.table_name,
                gone=Gone(each.gone),
                at=each.at,
                uncertain_attempts=each.uncertain_attempts,
            )
        )
    known = lead_ids or {}
    return Receipt(
        id=row.id,
        actor=row.actor,
        created_at=row.created_at,
        lead_count=len(row.lead_references),
        stopped_count=row.stopped_count,
        emptied_count=row.emptied_count,
        leads=[
            ErasedLead(reference=each, lead_id=known.get(each), gone_to_clay=gone[each]) for each in row.lead_references
        ],
        message=_message(len(row.lead_references), Counter(each.gone for rows in gone.values() for each in rows)),
    )


def _message(leads: int, gone: Counter[Gone]) -> str:
    who = "1 lead was erased" if leads == 1 else f"{leads:,} leads were erased"
    rows = {
        "had gone to Clay before": gone[Gone.TAKEN],
        "may be in Clay": gone[Gone.MAYBE],
        "is being sent now" if gone[Gone.IN_FLIGHT] == 1 else "are being sent now": gone[Gone.IN_FLIGHT],
    }
    what = [f"{'1 row' if count == 1 else f'{count:,} rows'} {state}" for state, count in rows.items() if count]
    return f"{who} and will not be pushed again; {', '.join(what) or 'nothing had gone to Clay'}."
