"""The standard mapping: the columns of the feature document's section 3.2, which a table without a mapping receives."""

from clay_push_service.leads.mapping.catalogue import FIELDS, STATS_OBJECT
from clay_push_service.leads.mapping.columns import Column
from clay_push_service.leads.mapping.values import EmptyValue
from clay_push_service.leads.payload_fields import LEAD_FIELDS

STANDARD = tuple(
    Column(name, field=name, type=FIELDS[name].type, empty=EmptyValue.AS_IS) for name in (*LEAD_FIELDS, STATS_OBJECT)
)
"""The payload of this mapping equals `payload.build` byte for byte."""
