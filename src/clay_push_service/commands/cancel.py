"""`clay-push cancel`: cancels one live push job, all of an organization, or all. No worker needs to run."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import typer

from clay_push_service.callers.actor import Actor
from clay_push_service.commands.actor import shell_actor
from clay_push_service.commands.lookup import find_organization
from clay_push_service.database.database import Database
from clay_push_service.database.statement import Statement
from clay_push_service.errors import ConflictError, InvalidError, NotFoundError
from clay_push_service.host.detect import detect
from clay_push_service.push_jobs.cancel import cancel
from clay_push_service.settings import Settings


class _JobKey(NamedTuple):
    id: UUID
    org_id: UUID


JOBS = Statement(
    """
SELECT id, org_id FROM clay.push_jobs
WHERE (CAST(:job_id AS uuid) IS NULL OR id = :job_id) AND (CAST(:org_id AS uuid) IS NULL OR org_id = :org_id)
  AND (CAST(:job_id AS uuid) IS NOT NULL OR status IN ('pending', 'running'))
ORDER BY created_at
""",
    _JobKey,
)


@dataclass(frozen=True, slots=True)
class CancelTarget:
    """What to cancel: exactly one of the three."""

    job: str | None
    org: str | None
    everything: bool

    def check(self) -> None:
        if [self.job is not None, self.org is not None, self.everything].count(True) != 1:
            raise InvalidError("Give exactly one of --job ID, --org NAME and --all.")


def run(settings: Settings, target: CancelTarget) -> None:
    """Raises 422 unless the target is exactly one, 404 `job_not_found`, and 409 `job_ended` for a finished `--job`."""
    target.check()
    asyncio.run(_cancel(settings, target))


async def _cancel(settings: Settings, target: CancelTarget) -> None:
    database = Database.for_shell(settings.database_url)
    try:
        jobs = await _jobs(database, settings, target)
        leads = in_flight = ended = 0
        for job in jobs:
            try:
                # One transaction per job: no lock is held while others are cancelled.
                async with database.transaction() as connection:
                    done = await cancel(connection, Actor(job.org_id, shell_actor()), job.id)
            except ConflictError:
                if target.job is not None:
                    raise
                ended += 1  # the job finished after it was listed
                continue
            leads, in_flight = leads + done.cancelled_count, in_flight + done.in_flight
        typer.echo(
            f"Cancelled {len(jobs) - ended:,} push jobs: {leads:,} leads will not be sent. {in_flight:,} requests are in"
            " flight, and their outcome is still recorded. A retry of a job sends its cancelled leads."
        )
    finally:
        await database.close()


async def _jobs(database: Database, settings: Settings, target: CancelTarget) -> Sequence[_JobKey]:
    values: dict[str, UUID | None] = {"job_id": None, "org_id": None}
    async with database.transaction() as connection:
        if target.org is not None:
            values["org_id"] = (
                await find_organization(connection, await detect(connection, settings.host_schema), target.org)
            ).id
        if target.job is not None:
            try:
                values["job_id"] = UUID(target.job)
            except ValueError:
                raise InvalidError(f"{target.job!r} is not a push job id (a UUID).") from None
        jobs = await JOBS.rows(connection, values)
    if target.job is not None and not jobs:
        raise NotFoundError(f"There is no push job {target.job}.", code="job_not_found")
    return jobs
