"""The last things that went to Clay, or did not, as the host's integrations page lists them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

RECENT_JOBS = 20
"""Looked through for the page's few rows; more of them would only be read to be thrown away."""

# Through the jobs, whose index has the organization's newest first: the log has none by organization and time, and an index
# for one list on one page would be paid for by every lead that is sent. Leads are sent in the order of `seq`.
READ = text("""
SELECT log.id, log.contributor_id, log.username, log.full_name, log.project_id, log.job_id, log.status, log.cause,
       log.error_message, log.clay_response_status, coalesce(log.pushed_at, log.finished_at) AS pushed_at
FROM (SELECT id FROM clay.push_jobs WHERE org_id = :org_id AND success_count + failed_count > 0
      ORDER BY created_at DESC, id LIMIT :jobs) AS job
CROSS JOIN LATERAL (SELECT * FROM clay.clay_push_log
                    WHERE job_id = job.id AND org_id = :org_id AND status IN ('success', 'failed')
                    ORDER BY seq DESC LIMIT :limit) AS log
ORDER BY log.finished_at DESC, log.seq DESC LIMIT :limit
""")


class Activity(BaseModel):
    """One lead that went to Clay, or failed to. The page needs `contributor_id`; the host's own backend says `member_id`."""

    id: UUID = Field(description="The delivery.")
    contributor_id: UUID = Field(description="The lead.")
    member_id: UUID = Field(description="The same.")
    status: str = Field(description="`success` or `failed`.", examples=["success"])
    pushed_at: datetime = Field(description="When Clay answered, or when it was given up.")
    full_name: str | None = Field(description="Full name when the push was accepted.")
    username: str | None = Field(description="GitHub user name when the push was accepted.")
    project_id: UUID = Field(description="The lead's project.")
    job_id: UUID = Field(description="The push job.")
    error_message: str | None = Field(description="Why it failed, in one sentence.")
    clay_response_status: int | None = Field(description="Clay's HTTP status, where it answered.")


async def read_activity(connection: AsyncConnection, org_id: UUID, limit: int) -> Sequence[Activity]:
    """Newest first; leads that were skipped are no activity."""
    rows = await connection.execute(READ, {"org_id": org_id, "jobs": RECENT_JOBS, "limit": limit})
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
