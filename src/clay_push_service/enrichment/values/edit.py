"""Changes that a user makes to a field of a lead: enter a value, withdraw it, pin a value, remove the pin. Audited."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.enrichment.values import store
from clay_push_service.enrichment.values.choice import ValueSource
from clay_push_service.enrichment.values.custom_fields import read_custom_fields
from clay_push_service.enrichment.values.fields import CUSTOM, Field
from clay_push_service.enrichment.values.lead import require_lead
from clay_push_service.enrichment.values.normalise import EXPLANATIONS, Normalised, Raw, Refusal, normalise
from clay_push_service.enrichment.values.store import NewValue
from clay_push_service.errors import ConflictError, InvalidError, NotFoundError
from clay_push_service.host.tables import HostTables


@dataclass(frozen=True, slots=True)
class Edit:
    """Exactly one of: `value_id`, a value to pin; `value`, a text to enter; `withdraw`, removes the entered value; or only `pinned`."""

    value_id: UUID | None = None
    value: Raw | None = None
    withdraw: bool = False
    pinned: bool | None = None


async def edit_field(
    connection: AsyncConnection,
    tables: HostTables,
    org_id: UUID,
    actor: str,
    lead_id: UUID,
    field: str,
    edit: Edit,
    now: datetime,
) -> None:
    """Raises 404 `lead_not_found`, `field_not_found` or `value_not_found`, 409 `nothing_to_pin`, 422 for an invalid value."""
    await store.lock(connection, org_id)
    await require_lead(connection, tables, org_id, lead_id)
    await _require_field(connection, org_id, field)
    if edit.value is not None or edit.withdraw:
        entered = await _enter(connection, org_id, actor, lead_id, field, edit, now)
        if edit.pinned:
            await store.pin(connection, org_id, lead_id, field, entered, actor)
    elif edit.value_id is not None:
        await _pin(connection, org_id, actor, lead_id, field, edit.value_id)
    elif edit.pinned:
        current = (await store.read_current(connection, org_id, [lead_id])).get((lead_id, field))
        if current is None:
            raise ConflictError("This field has no enriched value that could be pinned.", code="nothing_to_pin")
        await _pin(connection, org_id, actor, lead_id, field, current.value_id)
    if edit.pinned is False and await store.unpin(connection, org_id, lead_id, field):
        await audit(connection, org_id, actor, "enriched_value.unpinned", {"field": field})
    await store.choose_values(connection, org_id, [lead_id])


async def _require_field(connection: AsyncConnection, org_id: UUID, field: str) -> None:
    field_names = {each.value for each in Field}
    if field not in field_names and field.removeprefix(CUSTOM) in await read_custom_fields(connection, org_id):
        field_names.add(CUSTOM + field.removeprefix(CUSTOM))
    if field not in field_names:
        raise NotFoundError("No field of an enrichment has this name.", code="field_not_found")


async def _enter(
    connection: AsyncConnection, org_id: UUID, actor: str, lead_id: UUID, field: str, edit: Edit, now: datetime
) -> UUID:
    found: Normalised | None = None
    if not edit.withdraw:
        normalised = normalise(field, edit.value or "")
        if not isinstance(normalised, Normalised):
            message = EXPLANATIONS[normalised] if isinstance(normalised, Refusal) else "The value is empty."
            raise InvalidError(message, errors=[{"field": "value", "message": message}])
        found = normalised
    new = NewValue(lead_id, field, found, ValueSource.PERSON, now, now, created_by=actor)
    [added] = await store.add_values(connection, org_id, [new])
    action = "enriched_value.withdrawn" if edit.withdraw else "enriched_value.entered"
    await audit(connection, org_id, actor, action, {"field": field, "pinned": bool(edit.pinned)})
    return added.id


async def _pin(
    connection: AsyncConnection, org_id: UUID, actor: str, lead_id: UUID, field: str, value_id: UUID
) -> None:
    values = await store.read_values(connection, org_id, [lead_id])
    chosen = next((each for each in values if each.candidate.id == value_id and each.field == field), None)
    if chosen is None or chosen.candidate.key is None:
        raise NotFoundError("This field of the lead has no value with this id.", code="value_not_found")
    await store.pin(connection, org_id, lead_id, field, value_id, actor)
    await audit(connection, org_id, actor, "enriched_value.pinned", {"field": field})
