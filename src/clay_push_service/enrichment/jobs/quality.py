"""Measures the quality of enrichment: success, gaps by field, confidence by week and credits per found value."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement
from clay_push_service.enrichment.ledger.states import RequestWay
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.push_jobs.queries.deliveries import BOM, escape_cell

Days = Annotated[int, Field(ge=1, le=365)]
OF_PERIOD = """org_id = :org_id AND outcome IN ('found', 'partial', 'nothing', 'failed', 'expired') AND cost_basis <> 'none'
  AND finished_at > now() - :days * interval '1 day' AND (CAST(:project_id AS uuid) IS NULL OR project_id = :project_id)"""


class _KindRow(NamedTuple):
    kind: str
    way: str
    leads: int
    found: int
    partial: int
    nothing: int
    failed: int
    expired: int
    credits: Decimal
    values: int


class _FieldRow(NamedTuple):
    field: str
    found: int
    not_found: int


class _WeekRow(NamedTuple):
    week: date
    values: int
    with_confidence: int
    confidence: float | None


BY_KIND = Statement(
    f"""
SELECT kind, way, count(*) AS leads, count(*) FILTER (WHERE outcome = 'found') AS found,
       count(*) FILTER (WHERE outcome = 'partial') AS partial, count(*) FILTER (WHERE outcome = 'nothing') AS nothing,
       count(*) FILTER (WHERE outcome = 'failed') AS failed, count(*) FILTER (WHERE outcome = 'expired') AS expired,
       sum(credits) AS credits, sum(cardinality(found)) AS values
FROM clay.enrichment_items WHERE {OF_PERIOD} GROUP BY kind, way ORDER BY kind, way
""",
    _KindRow,
)
BY_FIELD = Statement(
    f"""
SELECT field, count(*) FILTER (WHERE is_found) AS found, count(*) FILTER (WHERE NOT is_found) AS not_found
FROM (SELECT unnest(found) AS field, true AS is_found FROM clay.enrichment_items WHERE {OF_PERIOD}
      UNION ALL
      SELECT unnest(not_found), false FROM clay.enrichment_items WHERE {OF_PERIOD}) AS each
GROUP BY field ORDER BY field
""",
    _FieldRow,
)
BY_WEEK = Statement(
    """
SELECT CAST(date_trunc('week', value.received_at) AS date) AS week, count(*) AS values, count(value.confidence) AS with_confidence,
       CAST(avg(value.confidence) AS double precision) AS confidence
FROM clay.enriched_values AS value
WHERE value.org_id = :org_id AND value.source IN ('routine', 'table') AND value.value_key IS NOT NULL
  AND value.received_at > now() - :days * interval '1 day'
  AND (CAST(:project_id AS uuid) IS NULL OR EXISTS (
      SELECT 1 FROM clay.enrichment_items AS item
      WHERE item.org_id = value.org_id AND item.lead_id = value.lead_id AND item.project_id = :project_id))
GROUP BY 1 ORDER BY 1
""",
    _WeekRow,
)


class KindQuality(BaseModel):
    kind: Kind = Field(description="The routine: `full` or `email`.")
    way: RequestWay = Field(description="`routine` or `table`.")
    lead_count: int = Field(description="Leads that ended in the period and may have been charged.", examples=[40])
    found_count: int = Field(description="All requested fields were found.")
    partial_count: int = Field(description="Some of them.")
    nothing_count: int = Field(description="None of them.")
    failed_count: int = Field(description="Ended by an error.")
    expired_count: int = Field(description="No result before the deadline.")
    success_percent: float = Field(description="Leads with at least one value.", examples=[72.5])
    credits: float = Field(description="Estimated or reported credits.", examples=[61.5])
    credits_per_value: float | None = Field(description="Per found value; null: none was found.", examples=[0.9])

    @classmethod
    def of(cls, row: _KindRow) -> Self:
        return cls(
            kind=Kind(row.kind), way=RequestWay(row.way), lead_count=row.leads, found_count=row.found,
            partial_count=row.partial, nothing_count=row.nothing, failed_count=row.failed, expired_count=row.expired,
            success_percent=percent(row.found + row.partial, row.leads), credits=float(row.credits),
            credits_per_value=round(float(row.credits) / row.values, 2) if row.values else None,
        )  # fmt: skip


class FieldQuality(BaseModel):
    field: str = Field(description="The field.", examples=["email"])
    found_count: int = Field(description="How often it was found.")
    not_found_count: int = Field(description="How often Clay searched it without a result.")
    gap_percent: float = Field(description="Share of searches without a value.", examples=[27.5])

    @classmethod
    def of(cls, row: _FieldRow) -> Self:
        gap = percent(row.not_found, row.found + row.not_found)
        return cls(field=row.field, found_count=row.found, not_found_count=row.not_found, gap_percent=gap)


class WeekQuality(BaseModel):
    week: date = Field(description="Its Monday.")
    value_count: int = Field(description="Values that Clay found.")
    with_confidence_count: int = Field(description="Those with a confidence.")
    mean_confidence: float | None = Field(description="0 to 100; null: not given.", examples=[88.1])

    @classmethod
    def of(cls, row: _WeekRow) -> Self:
        mean = None if row.confidence is None else round(row.confidence, 1)
        return cls(
            week=row.week, value_count=row.values, with_confidence_count=row.with_confidence, mean_confidence=mean
        )


class EnrichmentQuality(BaseModel):
    days: int = Field(description="Length of the period.")
    project_id: UUID | None = Field(description="The project; null: all.")
    kinds: list[KindQuality] = Field(description="By routine and way.")
    fields: list[FieldQuality] = Field(description="Gaps by field.")
    weeks: list[WeekQuality] = Field(description="Confidence over time.")


async def read_quality(
    connection: AsyncConnection, org_id: UUID, project_id: UUID | None, days: int
) -> EnrichmentQuality:
    values: Mapping[str, object] = {"org_id": org_id, "project_id": project_id, "days": days}
    return EnrichmentQuality(
        days=days,
        project_id=project_id,
        kinds=[KindQuality.of(row) for row in await BY_KIND.rows(connection, values)],
        fields=[FieldQuality.of(row) for row in await BY_FIELD.rows(connection, values)],
        weeks=[WeekQuality.of(row) for row in await BY_WEEK.rows(connection, values)],
    )


def quality_csv(quality: EnrichmentQuality) -> str:
    """One table with a column that names the kind of each row, without executable spreadsheet formulas."""
    lines: list[Sequence[object]] = [("section", "name", "measure", "value")]
    for kind in quality.kinds:
        measures = kind.model_dump(mode="json", exclude={"kind", "way"})
        lines += [("routine", f"{kind.kind.value} {kind.way.value}", name, value) for name, value in measures.items()]
    for field in quality.fields:
        measures = field.model_dump(mode="json", exclude={"field"})
        lines += [("field", field.field, name, value) for name, value in measures.items()]
    for week in quality.weeks:
        measures = week.model_dump(mode="json", exclude={"week"})
        lines += [("week", week.week.isoformat(), name, value) for name, value in measures.items()]
    written = io.StringIO()
    csv.writer(written).writerows([[escape_cell(cell) for cell in line] for line in lines])
    return BOM + written.getvalue()


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1) if whole else 0.0
