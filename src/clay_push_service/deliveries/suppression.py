"""Decides which leads an organization's exclusions keep from Clay: by lead id, e-mail domain, hash of the address, or segment.

`eligibility` applies it to pushes; `read_excluded` is the check at send and the check for enrichment. The table itself changes
only in `routing.exclusions`.
"""

import functools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
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
from clay_push_service.host.enrichment_conditions import OrgId
from clay_push_service.host.lead_filters import LeadCriteria, LeadSource, matches
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.filters import LeadFilters
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


class _OfOrganization(NamedTuple):
    has_exclusions: bool
    segments: list[dict[str, object]]


# One statement: the check at send runs it for each claim.
OF_ORGANIZATION = Statement(
    """
SELECT EXISTS (SELECT FROM clay.exclusions WHERE org_id = :org_id) AS has_exclusions,
       (SELECT coalesce(jsonb_agg(segment.filters ORDER BY segment.id), '[]')
        FROM clay.exclusions AS exclusion
        JOIN clay.segments AS segment ON segment.org_id = exclusion.org_id AND segment.id = exclusion.segment_id
        WHERE exclusion.org_id = :org_id AND segment.emptied_at IS NULL) AS segments
""",
    _OfOrganization,
)
EXCLUDING = Statement(
    "SELECT DISTINCT org_id FROM clay.exclusions WHERE org_id = ANY(CAST(:org_ids AS uuid[])) ORDER BY org_id", UUID
)


async def ensure_salt(connection: Connection, org_id: UUID) -> bytes:
    """The organization's salt for hashes of erased leads and excluded addresses; created once, never changed."""
    await CREATE_SALT.execute(connection, {"org_id": org_id, "salt": secrets.token_bytes(SALT_BYTES)})
    return await READ_SALT.one(connection, {"org_id": org_id})


@dataclass(frozen=True, slots=True)
class Excluding:
    """What must be read before a condition on an organization's exclusions is built: the filters of its excluded segments."""

    has_exclusions: bool
    segments: tuple[LeadCriteria, ...]


async def read_excluding(connection: Connection, org_id: UUID) -> Excluding:
    """For `is_excluded`; of a push, call it after the destinations are locked, so that a new exclusion waits or is found."""
    row = await OF_ORGANIZATION.one(connection, {"org_id": org_id})
    filters = (LeadFilters.model_validate(each) for each in row.segments)
    return Excluding(row.has_exclusions, tuple(each.criteria() for each in filters))


def is_excluded(
    lead_id: ColumnElement[UUID],
    project_id: ColumnElement[UUID | None] | None,
    tables: HostTables,
    org_id: OrgId,
    excluding: Excluding,
) -> ColumnElement[bool]:
    """Null or false for a lead that no exclusion matches. An organization without exclusions pays one look-up for each statement.

    Compares NexusLeads' address and every address that Clay or a person gave for the lead. A segment matches with the score in
    the project; without a project, or if it is null, with the score in any project of the organization.
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
            *([_is_in_segment(lead_id, project_id, tables, org_id, excluding)] if excluding.segments else []),
        ),
    )


def _is_in_segment(
    lead_id: ColumnElement[UUID],
    project_id: ColumnElement[UUID | None] | None,
    tables: HostTables,
    org_id: OrgId,
    excluding: Excluding,
) -> ColumnElement[bool]:
    source, projects = LeadSource.aliases(tables, "segment"), tables.projects.alias("segment_projects")
    scores, leads, social = source.scores.c, source.leads.c, source.social.c
    rows = (
        source.scores.join(projects, and_(projects.c.id == scores.project_id, projects.c.org_id == org_id))
        .join(source.leads, leads.id == scores.lead_id)
        .outerjoin(source.social, social.lead_id == scores.lead_id)
    )
    found = select(literal(1)).select_from(rows).where(scores.lead_id == lead_id)
    if project_id is not None:
        found = found.where(or_(project_id.is_(None), scores.project_id == project_id))
    return found.where(or_(*(matches(source, org_id, each) for each in excluding.segments))).exists()


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
    connection: Connection,
    tables: HostTables,
    org_id: UUID,
    lead_ids: Sequence[UUID],
    project_id: UUID | None = None,
) -> frozenset[UUID]:
    """Those of `lead_ids` that must not reach Clay: for a push at send, and for an enrichment when accepted and when started.

    `project_id`: where the scores count for excluded segments; None: in any project of the organization.
    """
    if not lead_ids:
        return frozenset()
    excluding = await read_excluding(connection, org_id)
    if not excluding.has_exclusions:
        return frozenset()
    values = {"org_id": org_id, "lead_ids": list(lead_ids), "project_id": project_id}
    return frozenset(await _statement(tables, excluding).rows(connection, values))


async def read_excluded_of_organizations(
    connection: Connection, tables: HostTables, leads: Sequence[tuple[UUID, UUID, UUID]]
) -> frozenset[tuple[UUID, UUID, UUID]]:
    """The same for organization, project and lead. One look-up if none of these organizations has an exclusion."""
    org_ids = await EXCLUDING.rows(connection, {"org_ids": list({org_id for org_id, _, _ in leads})})
    found: set[tuple[UUID, UUID, UUID]] = set()
    for org_id in org_ids:
        of_projects: dict[UUID, list[UUID]] = {}
        for each, project_id, lead_id in leads:
            if each == org_id:
                of_projects.setdefault(project_id, []).append(lead_id)
        for project_id, lead_ids in of_projects.items():
            excluded = await read_excluded(connection, tables, org_id, lead_ids, project_id)
            found.update((org_id, project_id, lead_id) for lead_id in excluded)
    return frozenset(found)


@functools.lru_cache(maxsize=64)
def _statement(tables: HostTables, excluding: Excluding) -> Statement[UUID]:
    ids = func.unnest(bindparam("lead_ids", type_=ARRAY(Uuid())))
    given = ids.table_valued(column("lead_id", Uuid()), name="given").render_derived()
    org_id: BindParameter[UUID] = bindparam("org_id", type_=Uuid())
    project_id: BindParameter[UUID | None] = bindparam("project_id", type_=Uuid())
    excluded = is_excluded(given.c.lead_id, project_id, tables, org_id, excluding)
    return Statement(select(given.c.lead_id).where(excluded), UUID)
