"""Reads how many submissions a webhook has left for an automatic push, and formats the refusal if they are too few."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement

QUOTA_LEFT = Statement(
    """
SELECT meter.quota_limit - meter.used - (
    SELECT coalesce(sum(job.lead_count - job.success_count - job.failed_count - job.skipped_count), 0)
    FROM clay.destination_versions AS same
    JOIN clay.push_jobs AS job ON job.org_id = same.org_id AND job.destination_version_id = same.id
    WHERE same.org_id = meter.org_id AND same.meter_id = meter.id AND job.status IN ('pending', 'running')) AS remaining
FROM clay.destination_versions AS version
JOIN clay.quota_meters AS meter ON meter.org_id = version.org_id AND meter.id = version.meter_id
WHERE version.org_id = :org_id AND version.id = :version_id AND meter.quota_limit IS NOT NULL
""",
    int,
)


async def read_quota_left(connection: AsyncConnection, org_id: UUID, version_id: UUID) -> int | None:
    """Returns the submissions of the webhook that are neither used nor reserved by queued leads; None: no limit."""
    return await QUOTA_LEFT.one_or_none(connection, {"org_id": org_id, "version_id": version_id})


def quota_message(count: int, left: int) -> str:
    return (
        f"{leads_are(count)} to be pushed, and the webhook's quota has {max(left, 0):,} submissions left."
        " Create a new webhook source in Clay, or set max_leads."
    )


def leads_are(count: int) -> str:
    return "1 lead is" if count == 1 else f"{count:,} leads are"
