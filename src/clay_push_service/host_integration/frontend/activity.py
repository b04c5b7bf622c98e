"""Reads the most recent successful and failed deliveries for the host's integrations page."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.database.statement import Statement

RECENT_JOBS = 20
"""Push jobs searched for the page's few rows."""


class _RecentDelivery(NamedTuple):
    id: UUID
    contributor_id: UUID
    username: str | None
    full_name: str | None
    project_id: UUID
    job_id: UUID
    status: str
    cause: str | None
    error_message: str | None
    clay_response_status: int | None
    pushed_at: datetime


# Through the jobs, which have an index by organization and time; the log has none, and one for a single list would slow down
# every lead that is sent. Leads are sent in the order of `seq`.
READ = Statement(
    """
SELECT log.id, log.contributor_id, log.username, log.full_name, log.project_id, log.job_id, log.status, log.cause,
       log.error_message, log.clay_response_status, coalesce(log.pushed_at, log.finished_at) AS pushed_at
FROM (SELECT id FROM clay.push_jobs WHERE org_id = :org_id AND success_count + failed_count > 0
      ORDER BY created_at DESC, id LIMIT :jobs) AS job
CROSS JOIN LATERAL (SELECT * FROM clay.clay_push_log
                    WHERE job_id = job.id AND org_id = :org_id AND status IN ('success', 'failed')
                    ORDER BY seq DESC LIMIT :limit) AS log
ORDER BY log.finished_at DESC, log.seq DESC LIMIT :limit
""",
    _RecentDelivery,
)


class Activity(BaseModel):
    """One delivery that succeeded or failed. The page reads `contributor_id`; the host's backend calls it `member_id`."""

    id: UUID = Field(description="Id of the delivery.")
    contributor_id: UUID = Field(description="Id of the lead.")
    member_id: UUID = Field(description="Same as `contributor_id`.")
    status: str = Field(description="`success` or `failed`.", examples=["success"])
    pushed_at: datetime = Field(description="Time of Clay's response, or of the final failure.")
    full_name: str | None = Field(description="Full name when the push was accepted.")
    username: str | None = Field(description="GitHub user name when the push was accepted.")
    project_id: UUID = Field(description="The lead's project.")
    job_id: UUID = Field(description="The push job.")
    error_message: str | None = Field(description="Why the delivery failed.")
    clay_response_status: int | None = Field(description="Clay's HTTP status; null without a response.")


async def read_activity(connection: AsyncConnection, org_id: UUID, limit: int) -> Sequence[Activity]:
    """Newest first, without skipped leads."""
    rows = await READ.rows(connection, {"org_id": org_id, "jobs": RECENT_JOBS, "limit": limit})
    return [
        Activity(
            id=row.id,
            contributor_id=row.contributor_id,
            member_id=row.contributor_id,
            status=row.status,
            pushed_at=row.pushed_at,
            full_name=row.full_name,
            username=row.username,
            project_id=row.project_id,
            job_id=row.job_id,
            error_message=row.error_message,
            clay_response_status=row.clay_response_status,
        )
        for row in rows
    ]
