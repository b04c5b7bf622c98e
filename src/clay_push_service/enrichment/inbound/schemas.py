"""The request and response models of results tokens and of results."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field

from clay_push_service.enrichment.inbound.results import ResultCause, ResultState

EXAMPLE_ID = "d1c7f7d4-3e5b-4e8e-9d5a-7f0f1b8c2a66"
PATH = "/api/clay/results/"


class TokenView(BaseModel):
    id: UUID = Field(description="For revoking it.")
    prefix: str = Field(description="The part after `crt_` that identifies the token.", examples=["3f9c01ab"])
    created_by: str = Field(description="Who created it.", examples=["user:alice"])
    created_at: datetime = Field(description="When it was created.")
    last_used_at: datetime | None = Field(description="When a result last arrived with it, to the minute; null: never.")


class TokenList(BaseModel):
    endpoint_id: UUID | None = Field(description="Null: no token was ever created.")
    path: str | None = Field(
        description="Append it to the address of this service: the URL of the HTTP API column in Clay.",
        examples=[PATH + EXAMPLE_ID],
    )
    tokens: list[TokenView] = Field(description="The active tokens, oldest first; at most two.")


class NewTokenView(BaseModel):
    token: str = Field(
        description="The secret, shown only now. In Clay, send it as the header `Authorization: Bearer …`.",
        examples=["crt_3f9c01ab_…"],
    )
    endpoint_id: UUID = Field(description="The id in the path.")
    path: str = Field(description="Append it to the address of this service.", examples=[PATH + EXAMPLE_ID])
    view: TokenView = Field(description="As the list shows it.")


class ReceivedResult(BaseModel):
    """What the service understood. Clay can show it in the table."""

    received: bool = Field(description="Always true: the result is stored and is not lost.")
    result_id: UUID = Field(description="The same for the same body.", examples=[EXAMPLE_ID])
    known: bool = Field(description="Whether `delivery_id` is a delivery of your organization.")
    repeated: bool = Field(description="Whether the same body arrived before; then it changes nothing.")
    message: str = Field(
        description="One sentence for the person who sees the table.", examples=["Received 2 values: email, phone."]
    )
    recognised: list[str] = Field(description="Fields with a value.", examples=[["email", "phone"]])
    not_found: list[str] = Field(description="Fields that were sent empty.", examples=[["twitter_url"]])
    ignored: list[str] = Field(description="Keys that belong to no field.", examples=[["row_color"]])
    warnings: list[str] = Field(description="What was not used, and why.")


class ResultView(BaseModel):
    id: UUID = Field(description="For applying it.")
    state: ResultState = Field(description="`unmatched`: kept in quarantine, and can be applied later.")
    cause: ResultCause | None = Field(description="Why it was not applied.")
    explanation: str | None = Field(description="The same in one sentence, with what to do.")
    received_at: datetime = Field(description="When it first arrived.")
    last_seen_at: datetime = Field(description="When the same body last arrived.")
    seen_count: int = Field(description="How often the same body arrived.")
    applied_at: datetime | None = Field(description="When it was applied.")
    delivery_id: UUID | None = Field(description="The delivery that it was applied to, or names.")
    lead_id: UUID | None = Field(description="The lead that it was applied to, or names.")
    item_id: UUID | None = Field(description="The enrichment item that it names.")
    fields: list[str] | None = Field(description="The fields with a value; null: the body is no longer kept.")


class ResultPage(BaseModel):
    results: list[ResultView] = Field(description="Newest first.")
    next_cursor: str | None = Field(
        description="Pass it as `cursor` to get the next page; null: this is the last page."
    )
