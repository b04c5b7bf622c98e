"""The response models of one delivery in detail, and of the deliveries of a lead."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field

from clay_push_service.clay.cause import Cause
from clay_push_service.push_jobs.views import DestinationRef, LeadRef, ProjectRef
from clay_push_service.states import DeliveryStatus


class PayloadComparison(StrEnum):
    """How the payload of the lead as it is now compares with what was sent."""

    SAME = "same"
    CHANGED = "changed"
    NOT_COMPARABLE = "not_comparable"
    """Nothing was sent, the person was erased, or another release sent it."""
    NOT_BUILDABLE = "not_buildable"
    LEAD_GONE = "lead_gone"


class LeadDelivery(BaseModel):
    delivery_id: UUID = Field(description="Also in the payload's `_meta`.")
    job_id: UUID = Field(description="The push job.")
    destination: DestinationRef = Field(description="The Clay table that got it.")
    table_name: str | None = Field(description="Name of the Clay table when the push was accepted.")
    status: DeliveryStatus = Field(description="Status of the delivery.")
    cause: Cause | None = Field(description="Why it failed or was skipped; null: neither.", examples=["rejected"])
    error_message: str | None = Field(description="The cause in one sentence.")
    clay_response_status: int | None = Field(description="Clay's HTTP status; null without a response.", examples=[422])
    attempts: int = Field(description="Number of POSTs that count as attempts.", examples=[1])
    uncertain_attempts: int = Field(description="Attempts without a clear response.", examples=[0])
    queued_at: datetime = Field(description="When the push was accepted.")
    pushed_at: datetime | None = Field(description="When Clay accepted it; null: not accepted.")
    finished_at: datetime | None = Field(description="When it got its outcome; null: none yet.")
    confirmed_at: datetime | None = Field(description="When a result from Clay first named it; null: none has.")


class DeliveryDetail(LeadDelivery):
    lead: LeadRef = Field(description="The lead.")
    project: ProjectRef = Field(description="The project of the lead in this push.")
    remedy: str | None = Field(description="What to do next; null: nothing failed.")
    duration_ms: int | None = Field(description="Duration of the last request to Clay; null: none was sent.")
    next_attempt_at: datetime | None = Field(description="When the next attempt is due; null: none is planned.")
    payload_state: PayloadComparison = Field(
        description="`same` or `changed`: the lead's data now, compared with what was sent; otherwise why it is not compared."
    )
    payload: dict[str, object] | None = Field(
        description="The payload of the lead as it is now. Payloads are not stored. Null: it cannot be built."
    )
