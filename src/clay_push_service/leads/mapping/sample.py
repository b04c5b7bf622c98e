"""The sample payload of a connection test with a mapping: every column is filled, so that Clay gets each with its type."""

from datetime import datetime
from uuid import UUID

from clay_push_service.leads.mapping.catalogue import find_field
from clay_push_service.leads.mapping.compile import CompiledMapping
from clay_push_service.leads.mapping.values import ColumnType, Json
from clay_push_service.leads.payload import Payload
from clay_push_service.leads.sample_payload import SAMPLE

_SAMPLE_VALUES: dict[ColumnType, Json] = {
    ColumnType.EMAIL: "nexusleads-test@example.com",
    ColumnType.URL: "https://example.com/nexusleads-test",
    ColumnType.LIST: ["Connection test"],
}


def build_mapped_sample(mapping: CompiledMapping, delivery_id: UUID, pushed_at: datetime) -> Payload:
    """Values of Clay are fictitious, too."""
    values: dict[str, Json] = {}
    for name in mapping.clay_fields:
        field = find_field(name)
        values[name] = "Connection test" if field is None else _SAMPLE_VALUES.get(field.type, "Connection test")
    return mapping.build(SAMPLE, delivery_id, pushed_at, values)
