"""The HTTP API column of a sandbox table: sends each stored row back, with the deviations of Clay's column."""

import random
import uuid
from collections.abc import Mapping
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from clay_push_service.sandbox.outgoing import Outgoing
from clay_push_service.sandbox.routines_models import Scalar
from clay_push_service.sandbox.store import Row

DEFAULT_VALUES: Mapping[str, Scalar] = {
    "email": "{github_username}@example.com",
    "job_title": "Engineer",
    "confidence": 92,
}
Share = Annotated[float, Field(ge=0, le=1)]


class CallbackPlan(BaseModel):
    """`values`: keys and values of the column's body; `{github_username}` and other top-level keys of the row are filled in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, StringConstraints(pattern=r"^https?://", max_length=500)]
    headers: dict[str, str] = Field(default_factory=dict, max_length=10)
    values: dict[str, Scalar] = Field(
        default_factory=lambda: dict(DEFAULT_VALUES),
        max_length=100,
    )
    delay_seconds: float = Field(default=0.0, ge=0, le=3600)
    seed: int = 0
    lost: Share = Field(default=0.0, description="Rows that never call back")
    doubled: Share = Field(default=0.0, description="Rows that call back twice")
    foreign: Share = Field(default=0.0, description="Rows whose call names an id that this sender does not know")
    empty: Share = Field(default=0.0, description="Rows whose call has only empty values")
    other_case: bool = False
    numbers_as_strings: bool = False


class _Placeholders(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return ""


class Callbacks:
    """The columns by source. They are in memory: a restart loses them."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.plans: dict[str, CallbackPlan] = {}
        self._outgoing = outgoing

    def row_stored(self, source: str, row: Row) -> None:
        plan = self.plans.get(source)
        if plan is None or row.delivery_id is None:
            return
        chance = random.Random(f"{plan.seed}:{row.delivery_id}")  # noqa: S311 - repeatable on purpose
        lost, doubled, foreign, empty = (chance.random() for _ in range(4))
        if lost < plan.lost:
            return
        parsed: object = orjson.loads(row.body)
        lead = parsed if isinstance(parsed, dict) else {}
        body = _body(plan, lead, str(uuid.uuid4()) if foreign < plan.foreign else row.delivery_id, empty < plan.empty)
        for number in range(2 if doubled < plan.doubled else 1):
            self._outgoing.send("callback", plan.url, body, plan.headers, plan.delay_seconds + number * 0.05)


def _body(plan: CallbackPlan, lead: Mapping[str, object], delivery_id: str, is_empty: bool) -> bytes:
    words = _Placeholders(lead)
    values: dict[str, object] = {"delivery_id": delivery_id}
    for key, value in plan.values.items():
        filled: object = value.format_map(words) if isinstance(value, str) and "{" in value else value
        if is_empty:
            filled = ""
        elif plan.numbers_as_strings and isinstance(filled, int | float):
            filled = str(filled)
        values[key] = filled
    if plan.other_case:
        values = {"_".join(part.capitalize() for part in key.split("_")): value for key, value in values.items()}
    return orjson.dumps(values)
