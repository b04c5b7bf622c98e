"""Whether a lead was erased, asked in SQL of the salted hashes that an erasure leaves; it cannot say who was."""

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
    """Null or false for whoever was not. Also for what stands for an erased lead in the log, which a retry would name.

    The salt is read once and both lists are hashed once a statement; an organization without erasures pays two look-ups.
    """
    return or_(
        _hash(lead_id, org_id).in_(select(ERASED.c.hash).where(ERASED.c.org_id == org_id)),
        lead_id.in_(select(ERASED.c.reference).where(ERASED.c.org_id == org_id)),
    )


def reference_of(lead_id: ColumnElement[UUID], org_id: UUID) -> ColumnElement[UUID]:
    """What stands for an erased lead in the log; null for whoever was not erased. One look-up for each row it is asked of."""
    found = select(ERASED.c.reference).where(ERASED.c.org_id == org_id, ERASED.c.hash == _hash(lead_id, org_id))
    return found.scalar_subquery()


def _hash(lead_id: ColumnElement[UUID], org_id: UUID) -> ColumnElement[bytes]:
    salt = select(SALTS.c.salt).where(SALTS.c.org_id == org_id).scalar_subquery()
    return func.sha256(salt.concat(func.uuid_send(lead_id, type_=LargeBinary())), type_=LargeBinary())
