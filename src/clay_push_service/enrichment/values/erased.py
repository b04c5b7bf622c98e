"""Reads which leads of an organization were erased."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import select_rows
from clay_push_service.deliveries.eligibility import is_erased


async def read_erased(connection: AsyncConnection, org_id: UUID, lead_ids: Iterable[UUID]) -> set[UUID]:
    """Returns those of `lead_ids` that were erased."""
    unique_ids = sorted(set(lead_ids))
    if not unique_ids:
        return set()
    ids = bindparam("lead_ids", unique_ids, type_=ARRAY(Uuid()))
    lead = select(func.unnest(ids).label("id")).subquery("lead")
    return set(await select_rows(connection, select(lead.c.id).where(is_erased(lead.c.id, org_id)), UUID))
