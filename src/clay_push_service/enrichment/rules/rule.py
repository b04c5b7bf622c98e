"""Reads and writes a project's auto-enrich rule, and decides when it may run. The only module that changes the rules' table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.audit import Detail, audit
from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.states import LegalBasis, RequestWay
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.table import SettingsRow
from clay_push_service.errors import InvalidError

NEEDS_BUDGET: Final = (
    "A rule needs a daily budget: set credits_per_day or actions_per_day in the enrichment settings first."
)


class RuleRow(NamedTuple):
    enabled: bool
    kind: str
    way: str
    legal_basis: str
    min_score: Decimal | None
    classifications: Sequence[str]
    from_hour: int | None
    to_hour: int | None
    stale_months: int | None


@dataclass(frozen=True, slots=True)
class EnrichRule:
    enabled: bool = False
    kind: Kind = Kind.EMAIL
    way: RequestWay = RequestWay.ROUTINE
    legal_basis: LegalBasis = LegalBasis.LEGITIMATE_INTEREST
    min_score: Decimal | None = None
    """A lead without a score does not meet it."""
    classifications: tuple[str, ...] = ()
    """Any of these; empty: no condition."""
    from_hour: int | None = None
    to_hour: int | None = None
    stale_months: int | None = None

    def is_open(self, now: datetime, time_zone: str) -> bool:
        """Whether the off-peak window is open. It may span midnight."""
        if self.from_hour is None or self.to_hour is None:
            return True
        hour = now.astimezone(ZoneInfo(time_zone)).hour
        if self.from_hour < self.to_hour:
            return self.from_hour <= hour < self.to_hour
        return hour >= self.from_hour or hour < self.to_hour


COLUMNS = "enabled, kind, way, legal_basis, min_score, classifications, from_hour, to_hour, stale_months"
READ = Statement(
    f"SELECT {COLUMNS} FROM clay.auto_enrich_rules WHERE org_id = :org_id AND project_id = :project_id", RuleRow
)
WRITE = Statement("""
INSERT INTO clay.auto_enrich_rules (org_id, project_id, enabled, kind, way, legal_basis, min_score, classifications, from_hour,
                                    to_hour, stale_months, updated_by)
VALUES (:org_id, :project_id, :enabled, :kind, :way, :legal_basis, :min_score, CAST(:classifications AS text[]), :from_hour,
        :to_hour, :stale_months, :actor)
ON CONFLICT (org_id, project_id) DO UPDATE
SET enabled = excluded.enabled, kind = excluded.kind, way = excluded.way, legal_basis = excluded.legal_basis,
    min_score = excluded.min_score, classifications = excluded.classifications, from_hour = excluded.from_hour,
    to_hour = excluded.to_hour, stale_months = excluded.stale_months, updated_by = excluded.updated_by, updated_at = now()
""")


async def read_rule(connection: AsyncConnection, org_id: UUID, project_id: UUID) -> EnrichRule:
    """Returns a rule that is off for a project without a rule."""
    row = await READ.one_or_none(connection, {"org_id": org_id, "project_id": project_id})
    if row is None:
        return EnrichRule()
    return EnrichRule(
        row.enabled, Kind(row.kind), RequestWay(row.way), LegalBasis(row.legal_basis), row.min_score,
        tuple(row.classifications), row.from_hour, row.to_hour, row.stale_months,
    )  # fmt: skip


async def write_rule(
    connection: AsyncConnection, settings: SettingsRow, project_id: UUID, rule: EnrichRule, actor: str
) -> None:
    """Raises 422 `budget_required` for a rule that is switched on without a daily budget."""
    if rule.enabled and not has_budget(settings):
        raise InvalidError(
            NEEDS_BUDGET, code="budget_required", errors=[{"field": "enabled", "message": "Needs a budget"}]
        )
    values = {
        "org_id": settings.org_id, "project_id": project_id, "enabled": rule.enabled, "kind": rule.kind, "way": rule.way,
        "legal_basis": rule.legal_basis, "min_score": rule.min_score, "classifications": list(rule.classifications),
        "from_hour": rule.from_hour, "to_hour": rule.to_hour, "stale_months": rule.stale_months, "actor": actor,
    }  # fmt: skip
    await WRITE.execute(connection, values)
    details: dict[str, Detail] = {
        "project_id": str(project_id), "enabled": rule.enabled, "kind": rule.kind, "way": rule.way,
        "legal_basis": rule.legal_basis, "stale_months": rule.stale_months,
    }  # fmt: skip
    await audit(connection, settings.org_id, actor, "auto_enrich.changed", details)


def has_budget(settings: SettingsRow) -> bool:
    return settings.credits_per_day is not None or settings.actions_per_day is not None
