"""Reports destinations whose webhook has few lifetime submissions left."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.ops.advice import Advice, Level, counted

WARNING_PERCENT = 80
URGENT_PERCENT = 95
SHOWN = 20
"""Webhooks listed at most."""
NAMED = 3
"""Webhooks named in one sentence; the list has the others."""


class _WarnedQuota(NamedTuple):
    org_id: UUID
    table_name: str
    used: int
    quota_limit: int
    urgent: int
    """Number of urgent webhooks in use; `warned` is the number with at least a warning."""
    warned: int


# A meter without a limit (a table that deletes its rows) is never full.
QUOTAS = Statement(
    f"""
SELECT destination.org_id, coalesce(destination.table_name, destination.name) AS table_name, meter.used, meter.quota_limit,
       count(*) FILTER (WHERE meter.used * 100.0 >= meter.quota_limit * {URGENT_PERCENT}.0) OVER () AS urgent,
       count(*) OVER () AS warned
FROM clay.destinations AS destination
JOIN clay.destination_versions AS version ON version.org_id = destination.org_id AND version.id = destination.version_id
JOIN clay.quota_meters AS meter ON meter.org_id = version.org_id AND meter.id = version.meter_id
WHERE meter.quota_limit IS NOT NULL AND meter.used * 100.0 >= meter.quota_limit * {WARNING_PERCENT}.0
ORDER BY meter.used::float / greatest(meter.quota_limit, 1) DESC, destination.org_id LIMIT :shown
""",
    _WarnedQuota,
)


@dataclass(frozen=True, slots=True)
class QuotaLevels:
    """How many webhooks in use have used over 80 and 95 % of their lifetime submissions; the used share of the fullest (0 to 1)."""

    over_80: int = 0
    over_95: int = 0
    fullest: float = 0.0


# Of the webhooks in use. Metrics carry no organization; /status lists the organizations (see `quota`).
QUOTA = Statement(
    """
SELECT count(*) FILTER (WHERE used * 100.0 >= quota_limit * 80.0) AS over_80,
       count(*) FILTER (WHERE used * 100.0 >= quota_limit * 95.0) AS over_95,
       coalesce(max(used::float / nullif(quota_limit, 0)), 0.0) AS fullest
FROM clay.destinations AS destination
JOIN clay.destination_versions AS version ON version.org_id = destination.org_id AND version.id = destination.version_id
JOIN clay.quota_meters AS meter ON meter.org_id = version.org_id AND meter.id = version.meter_id
""",
    QuotaLevels,
)


NEW_SOURCE = (
    "Ask each organization to create a new webhook source in Clay (it may feed the same table) and to save its URL in"
    " Settings → Integrations. A webhook source accepts a fixed number of submissions in its lifetime."
)


class QuotaLevel(StrEnum):
    WARNING = "warning"
    """From 80 % used."""
    URGENT = "urgent"
    """From 95 % used."""


@dataclass(frozen=True, slots=True)
class Quota:
    """The quota of the webhook that a destination uses now."""

    org_id: UUID
    table_name: str
    used: int
    limit: int

    @property
    def percent(self) -> float:
        return round(100 * self.used / self.limit, 1) if self.limit else 100.0

    @property
    def level(self) -> QuotaLevel:
        return QuotaLevel.URGENT if self.used * 100 >= self.limit * URGENT_PERCENT else QuotaLevel.WARNING


@dataclass(frozen=True, slots=True)
class Quotas:
    """`shown`: the fullest webhooks. `urgent` and `warning` count every webhook in use."""

    shown: Sequence[Quota] = ()
    urgent: int = 0
    warning: int = 0


async def read_quotas(connection: AsyncConnection) -> Quotas:
    rows = await QUOTAS.rows(connection, {"shown": SHOWN})
    if not rows:
        return Quotas()
    shown = [Quota(row.org_id, row.table_name, row.used, row.quota_limit) for row in rows]
    return Quotas(shown, rows[0].urgent, rows[0].warned - rows[0].urgent)


def quota_advice(quotas: Quotas, names: Mapping[UUID, str]) -> Sequence[Advice]:
    """Returns the urgent advice first."""
    found = []
    if quotas.urgent:
        webhooks = _name_webhooks(quotas, QuotaLevel.URGENT, quotas.urgent, names)
        what = f"{_count_webhooks(quotas.urgent, URGENT_PERCENT)}: {webhooks}."
        found.append(Advice(Level.DEGRADED, what, f"Act today: at 100 % Clay refuses every lead. {NEW_SOURCE}"))
    if quotas.warning:
        webhooks = _name_webhooks(quotas, QuotaLevel.WARNING, quotas.warning, names)
        what = f"{_count_webhooks(quotas.warning, WARNING_PERCENT)}: {webhooks}."
        found.append(Advice(Level.DEGRADED, what, f"{NEW_SOURCE} Pushes continue meanwhile."))
    return found


def _count_webhooks(number: int, percent: int) -> str:
    their = "its" if number == 1 else "their"
    return f"{counted(number, 'webhook has', 'webhooks have')} used {percent} % or more of {their} lifetime submissions"


def _name_webhooks(quotas: Quotas, level: QuotaLevel, number: int, names: Mapping[UUID, str]) -> str:
    """By organization, and by table if several of an organization are shown."""
    of_organization = Counter(each.org_id for each in quotas.shown)
    named = [each for each in quotas.shown if each.level is level][:NAMED]
    labels = [
        f"{names.get(each.org_id, each.org_id)}{f', {each.table_name}' if of_organization[each.org_id] > 1 else ''}"
        f" ({each.percent:g} %)"
        for each in named
    ]
    listed = ", ".join(labels)
    return f"{listed} and {number - len(named):,} more" if number > len(named) else listed
