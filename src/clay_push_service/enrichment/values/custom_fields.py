"""Reads and writes the list of custom fields that an organization takes from results."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import audit
from clay_push_service.clay.routines_body import fold
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.values.fields import CUSTOM_NAME, MAX_CUSTOM, FieldNames
from clay_push_service.errors import InvalidError


class _Names(NamedTuple):
    names: Sequence[str]


READ = Statement("SELECT names FROM clay.custom_fields WHERE org_id = :org_id", _Names)
WRITE = Statement("""
INSERT INTO clay.custom_fields (org_id, names, updated_by) VALUES (:org_id, CAST(:names AS text[]), :actor)
ON CONFLICT (org_id) DO UPDATE SET names = excluded.names, updated_by = excluded.updated_by, updated_at = now()
""")


async def read_custom_fields(connection: AsyncConnection, org_id: UUID) -> list[str]:
    """Returns the names, without the prefix `custom.`."""
    row = await READ.one_or_none(connection, {"org_id": org_id})
    return [] if row is None else list(row.names)


async def write_custom_fields(connection: AsyncConnection, org_id: UUID, actor: str, names: Sequence[str]) -> list[str]:
    """Replaces the list. Values of a removed name stay stored and visible. Raises 422."""
    problems = [message for name in names if (message := _problem(name)) is not None]
    if len({fold(name) for name in names}) < len(names):
        problems.append("Two names differ only in case, `_`, `-` or spaces.")
    if len(names) > MAX_CUSTOM:
        problems.append(f"An organization can have at most {MAX_CUSTOM} custom fields.")
    if problems:
        raise InvalidError(problems[0], errors=[{"field": "names", "message": each} for each in problems])
    await WRITE.execute(connection, {"org_id": org_id, "names": list(names), "actor": actor})
    await audit(connection, org_id, actor, "custom_fields.changed", {"names": list(names)})
    return list(names)


def _problem(name: str) -> str | None:
    if CUSTOM_NAME.fullmatch(name) is None:
        return f"{name[:40]!r} is not a name: use 1 to 40 letters a to z, digits and `_`, beginning with a letter."
    if FieldNames().field_of(name) is not None:
        return f"{name!r} is a name of a standard field."
    return None
