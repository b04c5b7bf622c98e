"""Reads and writes a project's auto-export rule: in the host's columns if we may write them, otherwise in our own table.

If both exist, the newer change wins: our row records the host's rule at the time it was written, and is ignored once the
host's rule differs. The host's API supports whole minimum scores only, and a fraction in its column breaks its pages: its
column gets the next whole number, and our row stores the fraction, which is what a run applies.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement, select_one_or_none
from clay_push_service.host.tables import HostTables

ENABLED: Final = "auto_export_clay_enabled"
MIN_SCORE: Final = "auto_export_clay_min_score"
CLASSIFICATIONS: Final = "auto_export_clay_classifications"
COLUMNS: Final = (ENABLED, MIN_SCORE, CLASSIFICATIONS)
LOCK_TIMEOUT = Statement("SET LOCAL lock_timeout = '2s'")
"""The host may hold a lock on its row: the request then fails instead of waiting."""


class _OwnRule(NamedTuple):
    enabled: bool
    min_score: Decimal | None
    classifications: list[str]
    host_rule: str


READ_OWN = Statement(
    """
SELECT enabled, min_score, classifications, host_rule FROM clay.auto_export_rules
WHERE org_id = :org_id AND project_id = :project_id
""",
    _OwnRule,
)
WRITE_OWN = Statement("""
INSERT INTO clay.auto_export_rules (org_id, project_id, enabled, min_score, classifications, host_rule, updated_by)
VALUES (:org_id, :project_id, :enabled, :min_score, CAST(:classifications AS text[]), :host_rule, :actor)
ON CONFLICT (org_id, project_id) DO UPDATE
SET enabled = excluded.enabled, min_score = excluded.min_score, classifications = excluded.classifications,
    host_rule = excluded.host_rule, updated_by = excluded.updated_by, updated_at = now()
""")
DELETE_OWN = Statement("DELETE FROM clay.auto_export_rules WHERE org_id = :org_id AND project_id = :project_id")
MAY_WRITE = Statement(
    """
SELECT coalesce(bool_and(pg_catalog.has_column_privilege(pg_catalog.to_regclass(:name), wanted.name, 'UPDATE')), false)
FROM unnest(CAST(:columns AS text[])) AS wanted (name)
""",
    bool,
)


class RuleStorage(StrEnum):
    """Where a rule is stored."""

    HOST = "host"
    OWN = "own"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Rule:
    enabled: bool = False
    min_score: Decimal | None = None
    """A lead without a score does not meet it."""
    classifications: tuple[str, ...] = ()
    """Any of these; empty: no condition."""

    def as_json(self) -> str:
        """Returns the rule as JSON, for comparing rules and for `host_rule`."""
        score = None if self.min_score is None else float(self.min_score)
        values = {"enabled": self.enabled, "min_score": score, "classifications": list(self.classifications)}
        return json.dumps(values, ensure_ascii=False)

    def filters_json(self) -> str:
        """The filters of the push job (the feature document, section 5.1)."""
        score = None if self.min_score is None else float(self.min_score)
        return json.dumps({"min_score": score, "classifications": list(self.classifications)}, ensure_ascii=False)

    def for_host(self) -> "Rule":
        """Returns the rule with a whole minimum score, as the host's API requires. Rounds up, so that no lead below the minimum passes."""
        score = None if self.min_score is None else self.min_score.quantize(Decimal(1), ROUND_CEILING)
        return replace(self, min_score=score)


OFF: Final = Rule()


@dataclass(frozen=True, slots=True)
class StoredRule:
    rule: Rule
    storage: RuleStorage


async def read_rule(connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID) -> StoredRule:
    """The rule in force. The caller must have checked that the project belongs to the organization."""
    host_rule = await _host_rule(connection, tables, org_id, project_id)
    own = await READ_OWN.one_or_none(connection, {"org_id": org_id, "project_id": project_id})
    if own is not None and own.host_rule == (host_rule or OFF).as_json():
        return StoredRule(_rule(own.enabled, own.min_score, own.classifications), RuleStorage.OWN)
    if host_rule is not None:
        return StoredRule(host_rule, RuleStorage.HOST)
    return StoredRule(OFF, RuleStorage.NONE)


async def write_rule(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID, rule: Rule, actor: str
) -> StoredRule:
    """Store the rule, in the host's columns if the role may write them. Returns the rule in force."""
    key = {"org_id": org_id, "project_id": project_id}
    host_rule = await _host_rule(connection, tables, org_id, project_id)
    may_write = host_rule is not None and await _may_write(connection, tables)
    if may_write:
        host_rule = rule.for_host()
        await _write_host(connection, tables, org_id, project_id, host_rule)
    if may_write and host_rule == rule:
        await DELETE_OWN.execute(connection, key)
    else:
        values = {
            "enabled": rule.enabled,
            "min_score": rule.min_score,
            "classifications": list(rule.classifications),
            "host_rule": (host_rule or OFF).as_json(),
            "actor": actor,
        }
        await WRITE_OWN.execute(connection, {**key, **values})
    details: dict[str, Detail] = {
        "project_id": str(project_id),
        "enabled": rule.enabled,
        "min_score": None if rule.min_score is None else str(rule.min_score),
        "classifications": list(rule.classifications),
    }
    await audit(connection, org_id, actor, "auto_export.changed", details)
    return await read_rule(connection, tables, org_id, project_id)


async def _write_host(
    connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID, rule: Rule
) -> None:
    await LOCK_TIMEOUT.execute(connection)
    projects = tables.projects
    await connection.execute(
        update(projects)
        .where(projects.c.id == project_id, projects.c.org_id == org_id)
        .values(
            {
                projects.c[ENABLED]: rule.enabled,
                projects.c[MIN_SCORE]: rule.min_score,
                projects.c[CLASSIFICATIONS]: list(rule.classifications) or None,
            }
        )
    )


class _HostRule(NamedTuple):
    enabled: bool | None
    min_score: Decimal | None
    classifications: list[str | None] | None


async def _host_rule(connection: AsyncConnection, tables: HostTables, org_id: UUID, project_id: UUID) -> Rule | None:
    """None: this host does not have the columns."""
    if not all(tables.has("projects", column) for column in COLUMNS):
        return None
    projects = tables.projects.c
    query = select(
        projects[ENABLED].label("enabled"),
        projects[MIN_SCORE].label("min_score"),
        projects[CLASSIFICATIONS].label("classifications"),
    ).where(projects.id == project_id, projects.org_id == org_id)
    found = await select_one_or_none(connection, query, _HostRule)
    return None if found is None else _rule(found.enabled, found.min_score, found.classifications)


def _rule(enabled: bool | None, min_score: Decimal | None, classifications: Sequence[str | None] | None) -> Rule:
    if min_score is not None and not min_score.is_finite():
        return OFF  # a `numeric` may hold NaN: such a rule passes no lead
    words = tuple(word.strip() for word in classifications or () if word and word.strip())
    return Rule(bool(enabled), min_score, words)


async def _may_write(connection: AsyncConnection, tables: HostTables) -> bool:
    name = ".".join('"' + part.replace('"', '""') + '"' for part in (tables.schema, tables.host_name("projects")))
    columns = [tables.host_name(column) for column in COLUMNS]
    return await MAY_WRITE.one(connection, {"name": name, "columns": columns})
