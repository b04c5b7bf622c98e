"""Reads the values of Clay that mappings need: the chosen value of each field of given leads."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.leads.mapping.catalogue import CUSTOM, ENRICHED
from clay_push_service.leads.mapping.values import Json


class LeadKey(NamedTuple):
    """A lead of an organization."""

    org_id: UUID
    lead_id: UUID


class _Value(NamedTuple):
    org_id: UUID
    lead_id: UUID
    field: str
    value: str | None


READ = Statement(
    """
SELECT wanted.org_id, wanted.lead_id, current.field, CAST(value.value AS text) AS value
FROM unnest(CAST(:org_ids AS uuid[]), CAST(:lead_ids AS uuid[])) AS wanted (org_id, lead_id)
JOIN clay.enriched_current AS current ON current.org_id = wanted.org_id AND current.lead_id = wanted.lead_id
JOIN clay.enriched_values AS value ON value.org_id = current.org_id AND value.id = current.value_id
WHERE current.field = ANY(CAST(:fields AS text[]))
""",
    _Value,
)


async def read_clay_values(
    connection: Connection, leads: Sequence[LeadKey], fields: Collection[str]
) -> Mapping[LeadKey, Mapping[str, Json]]:
    """Returns the values by lead and by the field's name in the catalogue. Runs no query without fields."""
    if not fields or not leads:
        return {}
    values = {
        "org_ids": [each.org_id for each in leads],
        "lead_ids": [each.lead_id for each in leads],
        "fields": [each.removeprefix(ENRICHED) for each in fields],
    }
    found: defaultdict[LeadKey, dict[str, Json]] = defaultdict(dict)
    for row in await READ.rows(connection, values):
        name = row.field if row.field.startswith(CUSTOM) else ENRICHED + row.field
        found[LeadKey(row.org_id, row.lead_id)][name] = _json(row.value)
    return found


def _json(written: str | None) -> Json:
    """A text or a list of texts, as `enriched_values` stores them."""
    value = None if written is None else json.loads(written)
    if isinstance(value, list):
        return [str(each) for each in value if each is not None]
    return value if value is None or isinstance(value, str) else str(value)
