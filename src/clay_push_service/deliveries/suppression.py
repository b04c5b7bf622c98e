"""Decides which leads an organization's exclusions keep from Clay: by lead id, by e-mail domain, or by a hash of the address.

`eligibility` applies it to pushes; `read_excluded` is the check at send and the check for enrichment. The table itself changes
only in `routing.exclusions`.
"""

import functools
import secrets
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    LargeBinary,
    Text,
    Uuid,
    and_,
    bindparam,
    column,
    func,
    literal,
    or_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import array

from clay_push_service.database.statement import Connection, Statement
from clay_push_service.host.tables import HostTables
from clay_push_service.session_settings import SCHEMA

SALT_BYTES = 32
PARENT_DOMAINS = 3
"""An exclusion of `acme.com` also matches addresses of up to three more labels, such as `mail.eu.acme.com`."""

SALTS = table("erasure_salts", column("org_id", Uuid()), column("salt", LargeBinary()), schema=SCHEMA)
EXCLUSIONS = table(
    "exclusions",
    *(column(name, Uuid()) for name in ("id", "org_id", "lead_id")),
    *(column(name, Text()) for name in ("domain", "ascii_domain")),
    column("address_hashes", ARRAY(LargeBinary())),
    schema=SCHEMA,
)
VALUES = table(
    "enriched_values",
    *(column(name, Uuid()) for name in ("id", "org_id", "lead_id")),
    *(column(name, Text()) for name in ("field", "value_key")),
    schema=SCHEMA,
)
CREATE_SALT = Statement(
    "INSERT INTO clay.erasure_salts (org_id, salt) VALUES (:org_id, :salt) ON CONFLICT (org_id) DO NOTHING"
)
READ_SALT = Statement("SELECT salt FROM clay.erasure_salts WHERE org_id = :org_id", bytes)
EXCLUDING = Statement(
    "SELECT DISTINCT org_id FROM clay.exclusions WHERE org_id = ANY(CAST(:org_ids AS uuid[])) ORDER BY org_id", UUID
)
OrgId = UUID | BindParameter[UUID]


async def ensure_salt(connection: Connection, org_id: UUID) -> bytes:
    """The organization's salt for hashes of erased leads and excluded addresses; created once, never changed."""
    await CREATE_SALT.execute(connection, {"org_id": org_id, "salt": secrets.token_bytes(SALT_BYTES)})
    return await READ_SALT.one(connection, {"org_id": org_id})


def is_excluded(lead_id: ColumnElement[UUID], tables: HostTables, org_id: OrgId) -> ColumnElement[bool]:
    """Null or false for a lead that no exclusion matches. An organization without exclusions pays one look-up for each statement.

    Compares NexusLeads' address and every address that Clay or a person gave for the lead.
    """
    mine = EXCLUSIONS.c.org_id == org_id
    lead = tables.leads.alias("lead_to_exclude")
    in_host = select(literal(1)).where(lead.c.id == lead_id, _is_excluded_address(lead.c.email, org_id))
    enriched = select(literal(1)).where(
        VALUES.c.org_id == org_id, VALUES.c.lead_id == lead_id, VALUES.c.field == "email",
        _is_excluded_address(VALUES.c.value_key, org_id),
    )  # fmt: skip
    return and_(
        select(literal(1)).select_from(EXCLUSIONS).where(mine).exists(),
        or_(
            lead_id.in_(select(EXCLUSIONS.c.lead_id).where(mine, EXCLUSIONS.c.lead_id.is_not(None))),
            in_host.exists(),
            enriched.exists(),
        ),
    )


def address_hash(address: ColumnElement[str], org_id: OrgId) -> ColumnElement[bytes]:
    """What an exclusion of a lead keeps of an e-mail address: salted, so that it reveals no address by itself."""
    salt = select(SALTS.c.salt).where(SALTS.c.org_id == org_id).scalar_subquery()
    return func.sha256(salt.concat(func.convert_to(_folded(address), "UTF8", type_=LargeBinary())), type_=LargeBinary())


def _is_excluded_address(address: ColumnElement[str], org_id: OrgId) -> ColumnElement[bool]:
    domains = select(func.unnest(array([EXCLUSIONS.c.domain, EXCLUSIONS.c.ascii_domain]))).where(
        EXCLUSIONS.c.org_id == org_id, EXCLUSIONS.c.domain.is_not(None)
    )
    hashes = select(func.unnest(EXCLUSIONS.c.address_hashes)).where(EXCLUSIONS.c.org_id == org_id)
    domain: ColumnElement[str] = func.regexp_replace(_folded(address), "^.*@", "")
    found = [address_hash(address, org_id).in_(hashes), domain.in_(domains)]
    for _ in range(PARENT_DOMAINS):
        domain = func.regexp_replace(domain, r"^[^.]*\.", "")
        found.append(domain.in_(domains))
    return or_(*found)


def _folded(address: ColumnElement[str]) -> ColumnElement[str]:
    return func.lower(func.btrim(address, " \t\r\n."))


async def read_excluded(
    connection: Connection, tables: HostTables, org_id: UUID, lead_ids: Sequence[UUID]
) -> frozenset[UUID]:
    """Those of `lead_ids` that must not reach Clay: for a push at send, and for an enrichment when accepted and when started."""
    if not lead_ids:
        return frozenset()
    return frozenset(await _statement(tables).rows(connection, {"org_id": org_id, "lead_ids": list(lead_ids)}))


async def read_excluded_of_organizations(
    connection: Connection, tables: HostTables, leads: Sequence[tuple[UUID, UUID]]
) -> frozenset[tuple[UUID, UUID]]:
    """The same for pairs of organization and lead. One look-up if none of these organizations has an exclusion."""
    org_ids = await EXCLUDING.rows(connection, {"org_ids": list({org_id for org_id, _ in leads})})
    found: set[tuple[UUID, UUID]] = set()
    for org_id in org_ids:
        lead_ids = [lead_id for each, lead_id in leads if each == org_id]
        found.update((org_id, lead_id) for lead_id in await read_excluded(connection, tables, org_id, lead_ids))
    return frozenset(found)


@functools.lru_cache(maxsize=8)
def _statement(tables: HostTables) -> Statement[UUID]:
    ids = func.unnest(bindparam("lead_ids", type_=ARRAY(Uuid())))
    given = ids.table_valued(column("lead_id", Uuid()), name="given").render_derived()
    org_id: BindParameter[UUID] = bindparam("org_id", type_=Uuid())
    return Statement(select(given.c.lead_id).where(is_excluded(given.c.lead_id, tables, org_id)), UUID)
