"""Decides which leads of a request are requested from Clay, and gives the reason for the others."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.suppression import read_excluded
from clay_push_service.enrichment.ledger.causes import ItemCause
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.host.tables import HostTables

FRESH_DAYS = 183
"""Days in which a lead is not enriched again without `again`: six months, the interval of the guide."""
COVERED_BY: Mapping[Kind, Sequence[str]] = {Kind.EMAIL: ("email", "full"), Kind.FULL: ("full",)}
"""A full enrichment looks for the e-mail address, too."""


class _History(NamedTuple):
    lead_id: UUID
    is_live: bool
    is_fresh: bool
    may_be_charged: bool


READ = Statement(
    """
SELECT lead.id AS lead_id,
       bool_or(item.state <> 'done') AS is_live,
       bool_or(item.outcome IN ('found', 'partial', 'nothing') AND item.kind = ANY(CAST(:kinds AS text[]))
               AND item.finished_at > now() - :days * interval '1 day') AS is_fresh,
       bool_or(item.outcome = 'expired' AND item.way = 'routine' AND item.finished_at > now() - :days * interval '1 day')
           AS may_be_charged
FROM unnest(CAST(:lead_ids AS uuid[])) AS lead (id)
JOIN clay.enrichment_items AS item ON item.org_id = :org_id AND item.lead_id = lead.id
GROUP BY lead.id
""",
    _History,
)


async def skipped_leads(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID], kind: Kind, *, again: bool
) -> dict[UUID, ItemCause]:
    """Returns the leads that are not requested from Clay, with the reason. `again` includes leads that were enriched recently."""
    values = {"org_id": org_id, "lead_ids": list(lead_ids), "kinds": list(COVERED_BY[kind]), "days": FRESH_DAYS}
    causes: dict[UUID, ItemCause] = {}
    for row in await READ.rows(connection, values):
        if row.is_live:
            causes[row.lead_id] = ItemCause.ALREADY_REQUESTED
        elif row.is_fresh and not again:
            causes[row.lead_id] = ItemCause.ALREADY_ENRICHED
        elif row.may_be_charged and not again:
            causes[row.lead_id] = ItemCause.MAYBE_CHARGED
    # An exclusion applies also with `again`.
    return causes | dict.fromkeys(await read_excluded(connection, tables, org_id, lead_ids), ItemCause.EXCLUDED)
