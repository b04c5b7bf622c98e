"""SQL of enriched values: appends values, and keeps the chosen value of each field. The only module that changes both tables.

Every transaction that changes values or results of an organization calls `lock` first, before any other lock. Therefore a choice
uses all values, and an erasure never misses a value that is being written.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.values.choice import Candidate, Choice, ChoiceReason, ValueSource, choose
from clay_push_service.enrichment.values.confidence import NOT_GIVEN, Confidence, ConfidenceBasis, EmailCheck
from clay_push_service.enrichment.values.normalise import Normalised, Value


class AddedValue(NamedTuple):
    """A newly inserted value."""

    id: UUID
    result_id: UUID | None


class CurrentValue(NamedTuple):
    """The value chosen for a field."""

    lead_id: UUID
    field: str
    value_id: UUID
    pinned_by: str | None
    pinned_at: datetime | None
    chosen_because: str


class _Row(NamedTuple):
    id: UUID
    lead_id: UUID
    field: str
    value: str | None
    value_key: str | None
    source: str
    provider: str | None
    email_status: str | None
    confidence: int | None
    confidence_basis: str
    observed_at: datetime
    received_at: datetime
    created_by: str | None


LOCK = Statement(
    "SELECT pg_advisory_xact_lock(hashtextextended('clay_push_values ' || CAST(CAST(:org_id AS uuid) AS text), 0))"
)
# One effect of a result: a value of the same result and field exists already when a result is applied again.
ADD = Statement(
    """
INSERT INTO clay.enriched_values (org_id, lead_id, field, value, value_key, source, provider, email_status, confidence,
                                  confidence_basis, observed_at, received_at, result_id, created_by)
SELECT :org_id, new.lead_id, new.field, CAST(new.value AS jsonb), new.value_key, new.source, new.provider, new.email_status,
       new.confidence, new.confidence_basis, new.observed_at, new.received_at, new.result_id, new.created_by
FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:fields AS text[]), CAST(:values AS text[]), CAST(:keys AS text[]),
            CAST(:sources AS text[]), CAST(:providers AS text[]), CAST(:statuses AS text[]), CAST(:confidences AS smallint[]),
            CAST(:bases AS text[]), CAST(:observed AS timestamptz[]), CAST(:received AS timestamptz[]),
            CAST(:result_ids AS uuid[]), CAST(:authors AS text[]))
     WITH ORDINALITY AS new (lead_id, field, value, value_key, source, provider, email_status, confidence, confidence_basis,
                             observed_at, received_at, result_id, created_by, number)
ORDER BY new.number
ON CONFLICT (org_id, result_id, field) WHERE result_id IS NOT NULL DO NOTHING
RETURNING id, result_id
""",
    AddedValue,
)
COLUMNS = """value.id, value.lead_id, value.field, CAST(value.value AS text) AS value, value.value_key, value.source, value.provider,
       value.email_status, value.confidence, value.confidence_basis, value.observed_at, value.received_at, value.created_by"""
READ = Statement(
    f"""
SELECT {COLUMNS} FROM clay.enriched_values AS value
WHERE value.org_id = :org_id AND value.lead_id = ANY(CAST(:lead_ids AS uuid[]))
ORDER BY value.lead_id, value.field, value.seq
""",
    _Row,
)
READ_CURRENT = Statement(
    """
SELECT lead_id, field, value_id, pinned_by, pinned_at, chosen_because FROM clay.enriched_current
WHERE org_id = :org_id AND lead_id = ANY(CAST(:lead_ids AS uuid[]))
""",
    CurrentValue,
)
CHOOSE = Statement("""
INSERT INTO clay.enriched_current AS current (org_id, lead_id, field, value_id, chosen_because)
SELECT :org_id, chosen.lead_id, chosen.field, chosen.value_id, chosen.because
FROM unnest(CAST(:lead_ids AS uuid[]), CAST(:fields AS text[]), CAST(:value_ids AS uuid[]), CAST(:because AS text[]))
     AS chosen (lead_id, field, value_id, because)
ON CONFLICT (org_id, lead_id, field) DO UPDATE
SET value_id = excluded.value_id, chosen_because = excluded.chosen_because
WHERE (current.value_id, current.chosen_because) <> (excluded.value_id, excluded.chosen_because)
""")
REMOVE_CHOICE = Statement("""
DELETE FROM clay.enriched_current AS current
USING unnest(CAST(:lead_ids AS uuid[]), CAST(:fields AS text[])) AS gone (lead_id, field)
WHERE current.org_id = :org_id AND current.lead_id = gone.lead_id AND current.field = gone.field
""")
PIN = Statement("""
INSERT INTO clay.enriched_current (org_id, lead_id, field, value_id, pinned_by, pinned_at, chosen_because)
VALUES (:org_id, :lead_id, :field, :value_id, :pinned_by, now(), 'pinned')
ON CONFLICT (org_id, lead_id, field) DO UPDATE
SET value_id = excluded.value_id, pinned_by = excluded.pinned_by, pinned_at = excluded.pinned_at, chosen_because = 'pinned'
""")
UNPIN = Statement("""
UPDATE clay.enriched_current SET pinned_by = NULL, pinned_at = NULL, chosen_because = 'newest'
WHERE org_id = :org_id AND lead_id = :lead_id AND field = :field AND pinned_by IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class NewValue:
    """`found` None: Clay searched and found nothing, or a user withdraws an edit."""

    lead_id: UUID
    field: str
    found: Normalised | None
    source: ValueSource
    observed_at: datetime
    received_at: datetime
    confidence: Confidence = NOT_GIVEN
    status: EmailCheck | None = None
    provider: str | None = None
    result_id: UUID | None = None
    created_by: str | None = None
    """The person of an edit."""


@dataclass(frozen=True, slots=True)
class StoredValue:
    lead_id: UUID
    field: str
    value: Value | None
    provider: str | None
    basis: ConfidenceBasis
    created_by: str | None
    candidate: Candidate


async def lock(connection: AsyncConnection, org_id: UUID) -> None:
    """Waits for the other transactions that change values or results of this organization."""
    await LOCK.execute(connection, {"org_id": org_id})


async def add_values(connection: AsyncConnection, org_id: UUID, values: Sequence[NewValue]) -> Sequence[AddedValue]:
    """Appends values, without choosing. Returns those that were new. The caller calls `choose_values`."""
    if not values:
        return []
    return await ADD.rows(
        connection,
        {
            "org_id": org_id,
            "lead_ids": [each.lead_id for each in values],
            "fields": [each.field for each in values],
            "values": [None if each.found is None else json.dumps(each.found.value) for each in values],
            "keys": [None if each.found is None else each.found.key for each in values],
            "sources": [each.source for each in values],
            "providers": [each.provider for each in values],
            "statuses": [each.status for each in values],
            "confidences": [each.confidence.percent for each in values],
            "bases": [each.confidence.basis for each in values],
            "observed": [each.observed_at for each in values],
            "received": [each.received_at for each in values],
            "result_ids": [each.result_id for each in values],
            "authors": [each.created_by for each in values],
        },
    )


async def read_values(connection: AsyncConnection, org_id: UUID, lead_ids: Iterable[UUID]) -> list[StoredValue]:
    """Returns all values of these leads, by lead and field, oldest first."""
    rows = await READ.rows(connection, {"org_id": org_id, "lead_ids": list(lead_ids)})
    return [_stored(row) for row in rows]


async def read_current(
    connection: AsyncConnection, org_id: UUID, lead_ids: Iterable[UUID]
) -> dict[tuple[UUID, str], CurrentValue]:
    """Returns the current values by lead and field."""
    rows = await READ_CURRENT.rows(connection, {"org_id": org_id, "lead_ids": list(lead_ids)})
    return {(row.lead_id, row.field): row for row in rows}


async def choose_values(connection: AsyncConnection, org_id: UUID, lead_ids: Iterable[UUID]) -> None:
    """Chooses the value of every field of these leads again. The caller holds `lock`."""
    ids = sorted(set(lead_ids))
    if not ids:
        return
    current = await read_current(connection, org_id, ids)
    candidates: defaultdict[tuple[UUID, str], list[Candidate]] = defaultdict(list)
    for each in await read_values(connection, org_id, ids):
        candidates[each.lead_id, each.field].append(each.candidate)
    chosen: dict[tuple[UUID, str], Choice] = {}
    nothing: list[tuple[UUID, str]] = []
    for place, found in candidates.items():
        kept = current.get(place)
        choice = choose(found, kept.value_id if kept is not None and kept.pinned_by is not None else None)
        if choice is not None and choice.reason is not ChoiceReason.PINNED:  # `pin` has written that one
            chosen[place] = choice
        elif choice is None and kept is not None:
            nothing.append(place)
    if chosen:
        values = {
            "org_id": org_id,
            "lead_ids": [lead_id for lead_id, _ in chosen],
            "fields": [field for _, field in chosen],
            "value_ids": [each.id for each in chosen.values()],
            "because": [each.reason for each in chosen.values()],
        }
        await CHOOSE.execute(connection, values)
    if nothing:
        without_choice = {"lead_ids": [lead_id for lead_id, _ in nothing], "fields": [field for _, field in nothing]}
        await REMOVE_CHOICE.execute(connection, {"org_id": org_id, **without_choice})


async def pin(
    connection: AsyncConnection, org_id: UUID, lead_id: UUID, field: str, value_id: UUID, pinned_by: str
) -> None:
    """Pins a value. The caller has checked that the value belongs to this field of this lead."""
    values = {"org_id": org_id, "lead_id": lead_id, "field": field, "value_id": value_id, "pinned_by": pinned_by}
    await PIN.execute(connection, values)


async def unpin(connection: AsyncConnection, org_id: UUID, lead_id: UUID, field: str) -> bool:
    """Removes the pin; the caller chooses again. Returns whether there was a pin."""
    values = {"org_id": org_id, "lead_id": lead_id, "field": field}
    return await UNPIN.execute(connection, values) > 0


def _stored(row: _Row) -> StoredValue:
    parsed = None if row.value is None else json.loads(row.value)
    value = tuple(parsed) if isinstance(parsed, list) else parsed
    candidate = Candidate(
        row.id, ValueSource(row.source), row.value_key, row.observed_at, row.received_at, row.confidence,
        EmailCheck(row.email_status) if row.email_status else None,
    )  # fmt: skip
    return StoredValue(
        row.lead_id, row.field, value, row.provider, ConfidenceBasis(row.confidence_basis), row.created_by, candidate
    )
