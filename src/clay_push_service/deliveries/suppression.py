"""Checks in SQL whether a lead was erased, by the salted hashes that an erasure keeps; the hashes do not reveal the lead."""

from uuid import UUID

from sqlalchemy import ColumnElement, LargeBinary, Uuid, column, func, or_, select, table

from clay_push_service.session_settings import SCHEMA

SALTS = table("erasure_salts", column("org_id", Uuid()), column("salt", LargeBinary()), schema=SCHEMA)
ERASED = table(
    "erased_leads",
    column("org_id", Uuid()),
    column("hash", LargeBinary()),
    column("reference", Uuid()),
    schema=SCHEMA,
)


def is_erased(lead_id: ColumnElement[UUID], org_id: UUID) -> ColumnElement[bool]:
    """Null or false for a lead that was not erased. True also for the reference that replaces an erased lead in the log.

    The salt is read once and both lists are hashed once a statement; an organization without erasures pays two look-ups.
    """
    return or_(
        _hash(lead_id, org_id).in_(select(ERASED.c.hash).where(ERASED.c.org_id == org_id)),
        lead_id.in_(select(ERASED.c.reference).where(ERASED.c.org_id == org_id)),
    )


def erased_reference(lead_id: ColumnElement[UUID], org_id: UUID) -> ColumnElement[UUID]:
    """The reference that replaces an erased lead in the log; null for other leads. Costs one look-up for each row."""
    found = select(ERASED.c.reference).where(ERASED.c.org_id == org_id, ERASED.c.hash == _hash(lead_id, org_id))
    return found.scalar_subquery()


def _hash(lead_id: ColumnElement[UUID], org_id: UUID) -> ColumnElement[bytes]:
    salt = select(SALTS.c.salt).where(SALTS.c.org_id == org_id).scalar_subquery()
    return func.sha256(salt.concat(func.uuid_send(lead_id, type_=LargeBinary())), type_=LargeBinary())
